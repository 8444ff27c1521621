"""Explorables: a small front end a topic, on one shared base, the same in a notebook, on Colab and in the built page.

A front-end file `TOPIC.js` defines one custom element, `<mm-explore-TOPIC>`, on `base.js`, and asks for nothing: no
library, no network. Python writes the library's numbers beside it, its arguments as attributes, and between the tags a
still figure for paper and for readers without JavaScript. What the file computes is held to the library by
`golden_vectors`.
"""

import hashlib
import html
import json
import re

from mmtokedu.explore import (
    _compress,
    _compress_golden,
    _dials,
    _fuse,
    _gradients,
    _interleave,
    _interleave_asked,
    _interleave_golden,
    _matching,
    _mrope,
    _mrope_golden,
    _patches,
    _residual,
    _rvq,
    _rvq_golden,
    _video,
    _video_budget,
    _video_golden,
    _vq,
    _vq_golden,
)
from mmtokedu.explore._front import alone, front
from mmtokedu.show.markup import Html

GOLDEN = {
    "patches": _patches.golden,
    "vq": _vq_golden.golden,
    "gradients": _gradients.golden,
    "rvq": _rvq_golden.golden,
    "video": _video_golden.golden,
    "video_budget": _video_budget.golden,
    "interleave": _interleave_golden.golden,
    "fuse": _fuse.golden,
    "mrope": _mrope_golden.golden,
    "dials": _dials.golden,
    "residual": _residual.golden,
    "matching": _matching.golden,
    "compress": _compress_golden.golden,
}


def patches(*, height=1080, width=1920, model="qwen2.5-vl", picture="landscape"):
    """Explore how an image of a chosen size becomes tokens: drag its corner, choose a system of the catalog.

    Sizes in pixels; `picture` is "landscape", "page" or "icon". In the book the page's fragment goes first
    (`#patches:h=1080,w=1920,m=qwen2.5-vl`). Returns an output for a notebook.

    Raises TypeError for sizes that are not whole, ValueError for sides outside 1 to 20 000 and for unknown names.
    Source: the catalog's rows, by the functions of `mmtokedu/catalog/images.py`.

    >>> patches(height=336, width=336, model="llava-1.5")
    [explore: A picture of 336 × 336 pixels under LLaVA-1.5: 24 × 24 cells, 576 tokens.]
    """
    return _explorable("patches", *_patches.parts(height, width, model, picture))


def vq(*, preset="corner", codes=12, decay=0.9, threshold=0.5, steps=0):
    """Explore how a codebook learns and its codes die: drag latents and codes in the plane, assign, update, restart.

    `preset` says where the codes start: "corner" (all in one corner), "healthy" (on latents) or "drift" (on latents
    that move away). `codes` is their number, 1 to 16; `decay` that of the moving averages, 0.1 to 0.99; a code whose
    usage is under `threshold`, 0 to 9.9 vectors a batch, is dead; `steps` are taken before the page is shown, 0 to 99.
    In the book the page's fragment goes first (`#vq:preset=drift,codes=12,decay=0.5,do=s20`, `do` being what was done).
    Returns an output for a notebook.

    Raises TypeError for numbers that are not whole, ValueError for numbers out of range and for unknown names.
    Source: `nearest_code`, `ema_update` and `restart_dead_codes` of `mmtokedu/vq.py`.

    >>> vq(steps=20)
    [explore: 90 latents and 12 codes that start in one corner, after 20 steps: 2 of 12 codes used, perplexity 1.9.]
    """
    return _explorable("vq", *_vq.parts(preset, codes, decay, threshold, steps))


def gradients(*, preset="ahead", beta=None, straight_through=True):
    """Explore which gradients pass a step that has none: drag a latent, its codes and what the task wants, and step.

    `preset` says where they stand: "ahead" (the copied arrow leads to a better code), "beyond" (it leads away from the
    target), "wander" (without commitment) or "dead" (a code that is never chosen). `beta`, 0 to 2, is the weight of the
    commitment (None: the preset's), `straight_through` whether the task's gradient is copied to the latent. In the book
    the page's fragment goes first (`#gradients:z=-560_-50,t=500_300,beta=0.25,through=on`). Returns an output for a
    notebook.

    Raises ValueError for an unknown preset and a beta out of range, TypeError for a `straight_through` that is neither
    True nor False. Source: `vq_gradients` of `mmtokedu/vq.py`.

    >>> gradients(straight_through=False).alt.split(" and ")[1]
    'with beta 0.25 the gradient (0.02, 0.11) of length 0.11 reaches the encoder; codes 1, 2, 3 get none.'
    """
    return _explorable("gradients", *_gradients.parts(preset, beta, straight_through))


def rvq(*, stages=2, codec="encodec-24k", codebooks=None, context=32768):
    """Explore what codebooks buy and cost: hear a sentence from 1 to 8 of them, read what another codec takes a second.

    `stages` codebooks of the book's own small codec are heard, 1 to 8, with its own numbers under them. In a panel of
    its own are the numbers of `codec`, a name of the catalog, with so many `codebooks` (None: what its own tools use);
    `context` is the length of a sequence in tokens, a power of two from 1024 to 1048576. In the book the page's
    fragment goes first (`#rvq:stages=4,codec=mimi,codebooks=8,context=32768`). Returns an output for a notebook.

    Raises TypeError for numbers that are not whole, ValueError for numbers out of range and for unknown names.
    Source: `bitrate`, `tokens_per_second` and `audio_tokens` of `mmtokedu/rvq.py`.

    >>> rvq(codec="mimi").alt.split(": ")[1]
    'Mimi with 8 codebooks takes 1.1 kbit/s, 100 tokens a second; 32,768 tokens hold 5 min 27 s.'
    """
    return _explorable("rvq", *_rvq.parts(stages, codec, codebooks, context))


def residual(*, vector=(0.16, 0.68), stages=3):
    """Explore residual quantization in the plane: drag a vector, and each stage says what those before it left over.

    `vector` is where the vector starts, two numbers from -1 to 1, kept to thousandths; `stages` of four codes each are
    used, 1 to 4. In the book the page's fragment goes first (`#residual:v=-720_20,stages=3,moved=b3_50_0`; `moved` are
    codes that were dragged, here code 3 of stage 2). Returns an output for a notebook.

    Raises TypeError for stages that are not whole, ValueError for numbers out of range.
    Source: `rvq_encode` and `rvq_decode` of `mmtokedu/rvq.py`.

    >>> residual(vector=(-0.72, 0.02)).alt.split(": ")[1]
    '1, 3, 1; 0.325 of 0.720 is left, where the sum of codes 2, 1, 1 would leave 0.081.'
    """
    return _explorable("residual", *_residual.parts(vector, stages))


def video(
    *,
    rule="qwen-vl-utils",
    model=None,
    total=None,
    video_fps=None,
    fps=None,
    frames=None,
    max_frames=None,
    event=None,
    height=720,
):
    """Explore which frames of a clip a system looks at, what they cost, and whether a moment is among them.

    `rule` and `model` are names of the catalog (None: the system that goes with the rule). The clip is the request's,
    300 frames at 30 Hz, or one of `total` frames at `video_fps`, `height` pixels high; `fps`, `frames` and `max_frames`
    are asked of each rule that takes them. `event` is the (first, last) frame of the moment; it can be dragged. In the
    book the page's fragment goes first (`#video:rule=internvl,frames=16,first=207,last=218`). Returns an output for a
    notebook.

    Raises TypeError for numbers that are not whole, ValueError for numbers out of range and for unknown names.
    Source: `sample_frames`, `video_plan` and `timestamp_labels`, by the catalog's rows.

    >>> video().alt.split(": ")[1]
    '20 frames, 7,200 tokens; the moment in frames 207 to 218 is missed, the last frame is seen.'
    """
    return _explorable("video", *_video.parts(rule, model, total, video_fps, fps, frames, max_frames, event, height))


def video_budget(*, fps=1, budget=1024, digits=18, moment=0.5, limit=3.5):
    """Explore one budget of tokens spent on frames or on pixels: is a number shown for a moment caught, and readable?

    A clip of 20 s is looked at with `fps` frames a second within `budget` tokens; a number with `digits` pixels of
    height is shown for `moment` seconds, and read where `limit` pixels of it are left. In the book the page's fragment
    goes first (`#video_budget:fps=2,budget=1024`). Returns an output for a notebook.

    Raises ValueError for a value that is not among those of the page, or a limit that is none.
    Source: `smart_resize`'s rule for the size, min(1, moment * fps) for the chance.

    >>> video_budget(fps=2).alt.split(": ")[-1]
    '100 % caught and readable.'
    """
    return _explorable("video_budget", *_video_budget.parts(fps, budget, digits, moment, limit))


def interleave(
    *,
    prompt=_interleave_asked.FIRST,
    style="qwen2.5-vl",
    images=None,
    sounds=None,
    clips=None,
    answer=None,
    named=False,
    rule=None,
    window=None,
):
    """Explore the sequence that a system makes of a prompt: its runs, markers and ids, who sees whom, what is learned.

    `prompt` is text in which [IMG], [AUDIO] and [VIDEO] stand for media, at most 200 bytes with 8 media; whatever else
    stands in it is text. `style` is a row of `catalog/styles.toml`. `images` are (height, width) of each in pixels,
    `sounds` the seconds of each, `clips` (frames, height) of each, or (frames, height, True) with its sound woven in:
    sizes are among those that the page has in its tables. `answer` is what the model is taught to say, at most 60
    bytes (None: nothing); `named` writes the style's labels. `rule` is one of `attention_mask`, or None for the
    system's own, `window` 64, 512, 1024 or None. In the book the page's fragment goes first. Returns an output for a
    notebook.

    Raises TypeError for text that is none, ValueError for sizes that the page has not and for unknown names.
    Source: `interleave`, `chat` and `visible` of `mmtokedu/interleave.py`, by the catalog's rows.

    >>> interleave(prompt="[IMG]What is it?", style="llava-1.5").alt.split(": ")[1]
    '587 tokens, where 12 would do if the placeholder were one token; none of them learned.'
    """
    made = _interleave.parts(prompt, style, images, sounds, clips, answer, named, rule, window)
    return _explorable("interleave", *made)


def fuse(*, separators="closed", modality=True, pictures="codes", bounds=None):
    """Explore what a row of tokens says of its pictures: drag a boundary between two and see whether the row changes.

    `separators` are "there", removed and the gap "closed", or removed and the gap in the positions "kept"; `modality`
    says whether a modality embedding is added; `pictures` are "codes", which share their ids with words, or "vectors".
    `bounds` are the tokens before which the three pictures begin and behind which the last ends, of 16. In the book the
    page's fragment goes first (`#fuse:pictures=codes,separators=kept,modality=on,bounds=3-6-9-12`). Returns an output
    for a notebook.

    Raises ValueError for unknown names and for pictures of fewer than two or more than five tokens, TypeError for a
    `modality` that is neither True nor False. Source: `experiments/interleave.py` for what was learned.

    >>> fuse(modality=False).alt.split("; ")[0]
    'Pictures as codes, no separators, no modality embedding: 462 of 462 layouts give this same row'
    """
    return _explorable("fuse", *_fuse.parts(pictures, separators, modality, bounds))


def mrope(
    *,
    rule="qwen2-vl",
    layout="interleaved",
    resume="after-max",
    height=4,
    width=6,
    fps=4,
    query="p1_2",
    token="c0",
):
    """Explore where words, a picture and a film stand on three axes, and what a query attends to because of it.

    `rule` says how tokens are numbered: "qwen2-vl", "qwen2.5-vl", "qwen3-vl" or "1d" of the catalog; `layout` which
    pairs turn with which axis, "blocks" (Qwen2-VL) or "interleaved" (Qwen3-VL); `resume` where words go on after a
    film, "after-max" or "spatial". The picture is `height` by `width` tokens, at most 8 by 12, the film 4 s at `fps`
    frames a second, 1, 2, 4 or 8. `query` and `token` are names: "a0" the first word, "p1_2" the picture's row 1 and
    column 2 (from 0), "b0" a word behind it, "f3_0_1" a frame's row and column, "c0" the first word after the film. In
    the book the page's fragment goes first (`#mrope:rule=qwen2-vl,resume=spatial,q=c0`). Returns an output for a
    notebook.

    Raises TypeError for sizes that are not whole, ValueError for numbers out of range and for unknown names.
    Source: `position_ids`, `axis_of_pair` and `rotate` of `mmtokedu/mrope.py`, by the catalog's rows.

    >>> mrope(resume="spatial", query="c0").alt.split(": ")[1].split(". ")[0]
    "the film's last frame stands at t = 21, the first word after it at t = 17, 4 before it"
    """
    return _explorable("mrope", *_mrope.parts(rule, layout, resume, height, width, fps, query, token))


def dials(*, layout="interleaved", theta=20, numbers="ones", query="1_1_2", key="0_2_1"):
    """Explore how the pairs of a query and a key turn as they move over three frames, and what their product is.

    The places of `query` and `key` are "t_h_w": frame, row and column, from 0. `layout` says which pair turns with
    which axis, "blocks" or "interleaved"; `theta`, 20, 100 or 10000, how slow the slowest is; `numbers` whether both
    are all "ones" or "drawn". In the book the page's fragment goes first (`#dials:q=1_1_2,k=0_2_1`). Returns an output
    for a notebook.

    Raises ValueError for a value that is not among those of the page.
    Source: `rotate` of `mmtokedu/mrope.py`.

    >>> dials(query="2_3_3", key="2_3_3").alt.split(": ")[-1]
    'their product is 16.00 of at most 16.00.'
    """
    return _explorable("dials", *_dials.parts(layout, theta, numbers, query, key))


def matching(*, preset="two", r=None, rounds=None, sizes=None):
    """Explore how ToMe merges: drag eight tokens, and see which resemble each other, which merge, and into what.

    `preset` says where the tokens stand: "two" (two tokens go into one), "twins" (two alike that never meet), "half"
    (half the tokens in one step) or "sizes" (two rounds that forget sizes). `r` tokens go in each round, 0 to 4, the
    last of `rounds`, 1 to 3, is shown, and `sizes` says whether means are weighted by them (each None: the preset's).
    In the book the page's fragment goes first (`#matching:t=921_335_495_373_…,r=2,rounds=1,sizes=on`). Returns an
    output for a notebook.

    Raises TypeError for numbers that are not whole and for `sizes` that are neither True nor False, ValueError for
    numbers out of range and for an unknown preset. Source: `match_tokens` and `merge_tokens` of `mmtokedu/compress.py`.

    >>> matching(preset="half").alt.split(". ")[1]
    'The least alike of these pairs has the cosine −0.105.'
    """
    return _explorable("matching", *_matching.parts(preset, r, rounds, sizes))


def compress(*, picture="scene", method="received", tokens=16, question="number"):
    """Explore fewer tokens: which patches are kept or averaged, and what the model then answers.

    `picture` is "scene" or "page", `method` how tokens become fewer: some are kept ("random", "grid", "edges",
    "received", "diverse", and by the question "attention", "late", "folded", "oracle"), or averaged ("merge",
    "unsized", "pool"); `tokens` are left of 64, of 32, 16, 8, 4 and 1. `question`, "number", "colour", "shape", "where"
    or "count", is outlined in the picture, and chooses the patches where a method asks. In the book the page's fragment
    goes first (`#compress:picture=page,method=attention,tokens=4,by=number`). Returns an output for a notebook.

    Raises ValueError for names and counts that the page has not.
    Source: the small model of `experiments/compress.py`, asked by `experiments/_compress_play.py`.

    >>> compress(picture="page", method="pool", tokens=16).alt.split(". ")[0]
    'A small page of 8 × 8 patches, average neighbours: 16 of 64 tokens reach the decoder'
    """
    return _explorable("compress", *_compress.parts(picture, method, tokens, question))


def golden_vectors(topic):
    """What the library answers, as data that JSON holds: the browser test replays it on the topic's front-end file.

    Raises ValueError for an unknown topic.

    >>> golden_vectors("patches")["tokens"]["llava-1.5"][0]  # height, width, tokens, grid, resized, parts
    [1, 1, 576, [24, 24], [336, 336], [['patches', 576]]]
    """
    if topic not in GOLDEN:
        raise ValueError(f"no explorable for {topic!r}; there are {', '.join(GOLDEN)}")
    return json.loads(json.dumps(GOLDEN[topic]()))


def page(topic, **arguments):
    """An explorable as a page of its own, a string of HTML: for looking at it, and for the browser test.

    >>> page("patches", height=64, width=64)[:15]
    '<!doctype html>'
    """
    return alone(globals()[topic](**arguments), topic)


def _explorable(topic, attributes, data, still, alt):
    """An output: the element with its attributes and still figure, its data, then the front end.

    The key is of everything but the front end and the bytes of pictures: an edit of a script leaves the key of every
    output as it is, and so does another version of what encodes a picture.
    """
    written = "".join(f' {name}="{html.escape(str(value))}"' for name, value in attributes.items())
    given = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    body = (
        f"<mm-explore-{topic}{written}>{still}</mm-explore-{topic}>\n"
        f"<script>(globalThis.mmData ??= {{}}).{topic} ??= {given};</script>\n"
    )
    said = re.sub(r"data:image/\w+;base64,[\w+/=]+", "data:", body)
    return Html("explore", body + front(topic), alt, hashlib.sha256(said.encode()).hexdigest()[:12])
