"""What the browser tests of explorables know of each topic, and the few steps that all of them take."""

import re
from typing import NamedTuple

import numpy as np
import pytest

from mmtokedu import vq
from mmtokedu.catalog import styles
from mmtokedu.catalog import video as clips
from mmtokedu.explore import (
    _compress,
    _dials,
    _fuse,
    _gradients,
    _interleave_asked,
    _matching,
    _mrope,
    _residual,
    _rvq,
    _video,
    _video_budget,
)
from mmtokedu.interleave import visible
from mmtokedu.patches import image_tokens
from mmtokedu.rvq import mdct
from mmtokedu.video import sample_frames

STILL = {"reduced_motion": "reduce"}  # vq: ten steps at once


def element(topic):
    """JavaScript for the topic's first element in the page."""
    return f"document.querySelector('mm-explore-{topic}')"


def core(topic):
    """JavaScript for what the topic computes."""
    return f"customElements.get('mm-explore-{topic}').core"


def state(page, topic):
    return page.evaluate(f"({element(topic)}).state")


def press(page, *names):
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()


def settle(page):
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


# --- what the reader sees is the library's ----------------------------------------------------------------------------


def shown_patches(page):
    """What the reader sees: (model, height, width, the large number)."""
    model, height, width = (page.locator(f"#{name}").input_value() for name in ("model", "height", "width"))
    return model, int(height), int(width), page.locator(".big b").inner_text()


def holds_patches(page):
    """The large number is the library's for the model and size that are shown: (model, height, width)."""
    model, height, width, number = shown_patches(page)
    assert number == f"{image_tokens(model, height, width):,}"
    return model, height, width


def world_vq(page):
    """(latents, codes chosen, code places, usage, threshold) as the page has them."""
    found = page.evaluate(f"({element('vq')}).world")
    usage = np.array(found["state"]["usage"])
    places = np.array(found["state"]["sum"]) / usage[:, None]
    return np.array(found["points"]), np.array(found["codes"]), places, usage, found["threshold"]


def holds_vq(page):
    """The large numbers are the library's for the latents and codes in the page: (used, of, dead)."""
    points, codes, places, usage, threshold = world_vq(page)
    if not page.evaluate(f"({element('vq')}).world.updated"):
        np.testing.assert_array_equal(codes, vq.nearest_code(points, places))
    told = vq.codebook_usage(codes, len(places))
    shown = page.locator(".big p").all_inner_texts()
    assert shown[0].split() == [str(told.used), "of", str(len(places)), "codes" if len(places) > 1 else "code", "used"]
    assert shown[1].split() == [f"{told.perplexity:.1f}", "perplexity"]
    return told.used, len(places), int((usage < threshold).sum())


def world_gradients(now):
    """(latent, target, codes) of a state, as numbers."""
    read = lambda text: np.array([int(n) for n in text.split("_")]).reshape(-1, 2) / 1000
    return read(now["z"])[0], read(now["t"])[0], read(now["codes"])


def holds_gradients(page):
    """The gradient that reaches z, the loss and who gets none are the library's for the state in the page: the state."""
    now = state(page, "gradients")
    z, t, codes = world_gradients(now)
    found = _gradients.outcome(z, t, codes, now["beta"], now["through"])
    length, loss = page.locator(".big b").all_inner_texts()
    assert float(length) == pytest.approx(np.hypot(*found.to_latent), abs=0.00501)
    assert float(loss) == pytest.approx(found.loss, abs=0.000501)
    parts = page.locator(".big span").inner_text().replace("−", "-").strip("()").split(", ")
    assert [float(part) for part in parts] == pytest.approx(found.to_latent, abs=0.00501)
    idle = page.locator(".say p").last.inner_text()
    names = [int(n) for n in re.findall(r"\d", idle.split(" are ")[0])]
    assert names == [k for k in range(len(codes)) if k != found.code]
    assert not found.to_codebook[names].any()
    best = int(vq.nearest_code(t[None], codes)[0])
    assert idle.endswith("no gradient." if best == found.code else f"no gradient, though code {best} is nearer to t.")
    assert (
        page.get_by_role("button", name="straight-through").get_attribute("aria-pressed") == str(now["through"]).lower()
    )
    assert float(page.locator("#beta").input_value()) == pytest.approx(now["beta"], abs=0.0251)
    return now


def holds_rvq(page):
    """Each panel's numbers are the library's for the state in the page, and stand in no other panel: the state."""
    now = state(page, "rvq")
    hear, read = page.locator(".panel.hear"), page.locator(".panel.read")
    tokens, bits = _rvq.rates("ours", now["stages"])
    own = [text.split("\n") for text in hear.locator(".big p").all_inner_texts()]
    if now["original"]:
        assert own == [["256", "kbit/s, 16 bits a sample"], ["16,000", "samples a second"]]
    else:
        sentence = len(mdct(_rvq.players().sounds[0] / 32768, _rvq.HOP)) * now["stages"]
        codebooks = f"{now['stages']} codebook{'s' * (now['stages'] > 1)}"
        assert own == [
            [f"{bits / 1000:.3g}", f"kbit/s, this codec with {codebooks}"],
            [_rvq.short(tokens), f"tokens a second, {sentence:,} for this sentence"],
        ]
    tokens, bits = _rvq.rates(now["codec"], now["codebooks"])
    shown = [text.split("\n") for text in read.locator(".big p").all_inner_texts()]
    assert shown == [
        [f"{bits / 1000:.3g}", "kbit/s"],
        [_rvq.short(tokens), "tokens a second"],
        [_rvq.duration(now["context"] / tokens), f"of sound in {now['context']:,} tokens"],
    ]
    title = _rvq.codecs()[now["codec"]]["title"]
    assert read.locator(".name").inner_text() == (
        f"{title} with {now['codebooks']} codebook{'s' * (now['codebooks'] > 1)}"
    )
    assert page.locator(".bars [role=slider]").get_attribute("aria-valuenow") == str(now["stages"])
    assert page.locator("#codec").input_value() == now["codec"]
    assert page.locator("#count").input_value() == str(now["codebooks"])
    return now


def taken_video(now, rule=None):
    """What the library takes of the clip in the page, by its rule or another: indices, None where it refuses."""
    asked = {"fps": now["fps"], "frames": now["frames"], "max_frames": now["max"]}
    row = clips.row("sampling", rule or now["rule"])
    options = _video.heeded(row, {name: value for name, value in asked.items() if value is not None})
    try:
        return sample_frames(now["total"], now["rate"], rule=row.name, **options).tolist()
    except ValueError:
        return None


def holds_video(page):
    """The large numbers, and who catches the moment, are the library's for the state in the page: the state."""
    now = state(page, "video")
    inside = lambda indices: sum(now["first"] <= i <= now["last"] for i in indices or [])
    indices = taken_video(now)
    try:
        tokens = clips.video_plan(now["model"], len(indices or []), now["height"], now["height"] * 16 // 9).tokens
        number = f"{tokens:,}"
    except ValueError:
        number = "refused"
    assert page.locator(".big b").all_inner_texts() == [number, "caught" if inside(indices) else "missed"]
    told = {}
    for rule in clips.rows("sampling"):
        kept = taken_video(now, rule)
        said = f"{len(kept):,} frames, {'caught' if inside(kept) else 'missed'}" if kept else "refused"
        told[rule] = f"{rule}{said}"
    assert page.locator(".who button").all_text_contents() == list(told.values())
    assert page.locator("#rule").input_value() == now["rule"] and page.locator("#model").input_value() == now["model"]
    return now


def holds_video_budget(page):
    """The large number and the heights are the library's for the state in the page: the state."""
    now = state(page, "video_budget")
    tall, caught, both = _video_budget.outcome(**now, limit=3.5)
    assert page.locator(".big b").inner_text() == f"{both:.0%}".replace("%", " %")
    (height, width), tokens = _video_budget.spent(now["budget"], now["fps"])
    text = page.locator(".answer").inner_text()
    assert f"become {tall:.1f} px" in text and ("they can be read" in text) == (tall >= 3.5)
    assert f"{height} × {width} px" in text and f"{tokens:,} of {now['budget']:,} tokens" in text
    assert [page.locator(f"#{name}").input_value() for name in ("budget", "digits", "moment")] == (
        [f"{now[name]:g}" for name in ("budget", "digits", "moment")]
    )
    return now


def asked_interleave(now):
    """What the page's state asks of the library."""
    sizes = lambda name: [one.split("x") for one in now[name].split("_") if one]
    return _interleave_asked.Asked(
        now["prompt"],
        now["style"],
        tuple(tuple(map(int, size)) for size in sizes("images")),
        tuple(float(size[0]) for size in sizes("sounds")),
        tuple((int(frames), int(height), sound == "1") for frames, height, sound in sizes("clips")),
        now["answer"],
        now["named"],
    )


def holds_interleave(page):
    """The large numbers, the learned ones and the row of the mask are the library's for the page's state: the state."""
    now = state(page, "interleave")
    big = page.locator(".big b").all_inner_texts()
    assert (
        page.locator("#prompt").input_value() == now["prompt"] and page.locator("#style").input_value() == now["style"]
    )
    try:
        sequence = _interleave_asked.made(asked_interleave(now))
    except ValueError as error:
        assert big == ["–", "refused"] and page.locator(".say").inner_text() == f"{error}."
        return now
    tokens = len(sequence.ids)
    assert big == [f"{_interleave_asked.naive(sequence):,}", f"{tokens:,}"]
    if not tokens:
        assert not page.locator(".who").is_visible()
        return now
    learned = int((sequence.labels >= 0).sum())
    said = f"{learned:,} of {tokens:,} tokens" if learned else "nothing"
    assert page.locator(".loss .head").text_content() == f"What is learned {said}"
    at = page.evaluate(f"({element('interleave')}).at")
    rule = styles.row(now["style"]).masks.split(",")[0] if now["rule"] == "own" else now["rule"]
    start, stop = visible(sequence, rule, window=now["window"] or None)[at].tolist()
    head, sees, *_ = page.locator(".words > p").all_text_contents()
    assert head.startswith(f"Place {at:,}, counted from 0: ")
    before, behind = at - start, stop - at - 1
    sides = [f"the {before:,} {'just before' if start else 'before'} it"] * bool(before)
    sides += [f"the {behind:,} behind it"] * bool(behind)
    joined = {0: "itself alone.", 1: f"itself and {''.join(sides)}: ", 2: f"itself, {' and '.join(sides)}: "}
    assert sees.startswith(f"It sees {joined[len(sides)]}")
    return now


def shown_fuse(page, which):
    """The cells of a row in the page, by their places: [(letter, look)], None for a place that is empty."""
    cells = page.locator("mm-explore-fuse").first.evaluate(
        "(it, which) => [...it.$[which].querySelectorAll('.cell:not(.hole)')].map((cell) => "
        "[Number(cell.style.gridColumn) - 1, cell.textContent, cell.className.split(' ').slice(1).join(' ')])",
        which,
    )
    return [(int(at), letter, look) for at, letter, look in cells]


def looks_fuse(arm, layout):
    """What the library says of the cells of a model's row."""
    row = _fuse.received(*arm, layout)
    look = lambda form, kind: {"marker": f"marker {kind}".strip(), "vector": f"vector {kind or 'none'}"}.get(
        form, kind or "none"
    )
    return [(i if arm[1] == "closed" else at, what, look(form, kind)) for i, (what, form, kind, at) in enumerate(row)]


def spread_fuse(measured):
    mean, least, most = (round(100 * x) for x in measured)
    return f"{mean} % (each seed)" if least == most else f"{mean} % (seeds: {least} to {most} %)"


def holds_fuse(page):
    """Rows, numbers and shares are the library's for the state in the page: the state."""
    now = state(page, "fuse")
    arm, bounds = (now["pictures"], now["separators"], now["modality"]), tuple(now["bounds"])
    row, old = looks_fuse(arm, bounds), looks_fuse(arm, _fuse.FIRST)
    changed = [a != b for a, b in zip(_fuse.received(*arm, bounds), _fuse.received(*arm, _fuse.FIRST), strict=True)]
    for which, cells in (("given", row), ("start", old)):
        marked = [
            (at, what, f"{look} other" if other else look)
            for (at, what, look), other in zip(cells, changed, strict=True)
        ]
        assert [(at, what, " ".join(look.split())) for at, what, look in shown_fuse(page, which)] == marked
    fits = len(_fuse.fitting(*arm, bounds))
    moved = [f"{sum(changed)} of {len(row)}"] if bounds != _fuse.FIRST else []
    assert page.locator(".big b").all_inner_texts() == [f"{fits} of {len(_fuse.layouts())}", *moved]
    assert (page.get_by_text("Drag a boundary in the first row").count() == 0) == bool(moved)
    learned = _fuse.share(*arm)
    assert page.locator(".learned").inner_text().count("was not measured") == (learned is None)
    for name in ("count", "first", "kind"):
        card = page.locator(f".learned .{name}")
        assert card.is_visible() == card.locator(".bar").is_visible() == (learned is not None)
        if learned is not None:
            share = learned[name][1] if name == "first" else learned[name]
            assert f"Right in {spread_fuse(share)}." in card.inner_text()
    count, first, kind = _fuse.answers(bounds)
    right = (str(count), first, {"word": "a word", "picture": "part of a picture"}[kind])
    for name, answer in zip(("count", "first", "kind"), right, strict=True):
        assert f"Right: {answer}." in page.locator(f".told .{name}").inner_text()
    assert [int(n) for n in page.locator(".handle").evaluate_all("all => all.map((a) => a.ariaValueNow)")] == list(
        bounds
    )
    return now


def ids_mrope(now):
    """token -> (t, h, w): the library's positions of the sequence in the page."""
    return _mrope.sequence(now["rule"], now["resume"], now["h"], now["w"], now["fps"])


def share_of(x):
    """A share as the page writes it: 57 %, 7.6 %."""
    return f"{100 * x:.1f} %" if 0 < x < 0.0995 else f"{np.floor(100 * x + 0.5):.0f} %"


def holds_mrope(page):
    """The large numbers, and where words go on, are the library's for the state in the page: the state."""
    now = state(page, "mrope")
    ids = ids_mrope(now)
    behind, first = _mrope.landing(ids), ids["c0"][0]
    where = f"{behind} behind" if behind > 0 else f"{-behind} before" if behind else "together with"
    share = _mrope.attention(now["layout"], ids[now["q"]], ids[now["k"]])
    shown = page.locator(".big b").all_inner_texts()
    assert shown == [*map(str, ids[now["k"]]), share_of(share), where]
    say = page.locator(".say").inner_text()
    assert f"last frame has t = {first - behind}; the word after it, t = {first}" in say
    assert ("inside the film's time" in say) == (behind < 1)
    names = list(ids)
    for name in "qk":
        hand = page.locator(f".hand.{name}")
        assert hand.get_attribute("aria-valuenow") == str(names.index(now[name]))
        assert hand.get_attribute("aria-valuemax") == str(len(names) - 1)
        t, h, w = ids[now[name]]
        assert f": t {t}, h {h}, w {w}" in hand.get_attribute("aria-valuetext")
    assert f"{len(names)} tokens" in page.locator(".seq .head").inner_text()
    assert page.locator("#rule").input_value() == now["rule"] and page.locator("#fps").input_value() == str(now["fps"])
    return now


def holds_dials(page):
    """The product and the offset are the library's for the state in the page: the state."""
    now = state(page, "dials")
    query, key = (tuple(map(int, now[name].split("_"))) for name in "qk")
    product = _dials.product(now["layout"], now["theta"], now["numbers"], query, key)
    offset = ", ".join(f"{q - k:+d}" if q != k else "0" for q, k in zip(query, key, strict=True))
    shown = [text.replace("−", "-") for text in page.locator(".big b").all_inner_texts()]
    assert shown == [f"{product:.2f}", offset]
    assert [page.locator(f"#{name}").input_value() for name in ("layout", "theta", "numbers")] == (
        [now["layout"], str(now["theta"]), now["numbers"]]
    )
    return now


def holds_residual(page):
    """Codes, lengths and the best sum are the library's for the state in the page: the state."""
    now = state(page, "residual")
    books, vector = _residual.codebooks(now["stages"], now["moved"]), np.array([now["x"], now["y"]]) / 1000
    codes, left = _residual.stage_by_stage(vector, books)
    assert page.locator(".tokens span").all_inner_texts() == list(map(str, codes))
    assert page.locator(".big").inner_text().split("\n") == [
        f"{left[-1]:.3f}",
        f"is left of the vector’s {left[0]:.3f}",
    ]
    told = [float(text.split(",")[0]) for text in page.locator(".bars .how").all_inner_texts()]
    np.testing.assert_allclose(told, left[1:], atol=5.1e-4)
    other, least = _residual.best(vector, books)
    said = page.locator(".say").inner_text()
    assert (f"{' '.join(map(str, other))} leaves {least:.3f}" in said) == (least < left[-1] - 1e-9)
    assert ("Not the best" in said) == ("leaves" in said)
    share = round(100 * _residual.elsewhere(books).mean())
    assert page.get_by_role("button", name=f"nearer: {share} %").count() == 1
    assert page.locator("#stages").input_value() == str(now["stages"]) == str(len(told))
    return now


def world_matching(now):
    """(tokens, Rounds) of a state, by the library."""
    tokens = np.array(now["t"].split("_"), int).reshape(-1, 2) / 1000
    return tokens, _matching.played(tokens, now["r"], now["rounds"], now["sizes"])


SHOWN_MATCHING = f"""() => {{ const it = {element("matching")}, texts = (some) => [...it.shadowRoot.querySelectorAll(some)].map((one) => one.innerText);
  return {{now: it.state, big: texts(".big b"), pair: texts(".big span")[0], before: texts(".cells.before b"), after: texts(".cells.after b"),
    sizes: texts(".cells.after span"), cosines: texts(".cosines td span"), r: it.$.r.value, weighed: it.$.sizes.getAttribute("aria-pressed"),
    looks: [...it.shadowRoot.querySelectorAll(".cosines td:has(span)")].map((td) => td.className)}}; }}"""


def holds_matching(page):
    """Numbers, cosines and both rows are the library's for the state in the page: the state."""
    shown = page.evaluate(SHOWN_MATCHING)  # all in one
    now = shown["now"]
    tokens, made = world_matching(now)
    last, before = made[-1], np.arange(len(tokens)) if len(made) == 1 else made[-2].source
    start, names = tokens if len(made) == 1 else made[-2].tokens, _matching.names(before)
    digits = lambda text: [int(n) for n in re.findall(r"\d", text)]
    merged = set(_matching.pairs(names, last, len(last.merged)))
    least, count, off = (text.replace("−", "-") for text in shown["big"])
    assert least == (f"{last.merged[-1]:.3f}".replace("-0.000", "0.000") if merged else "–")
    assert digits(count) == [len(start), len(last.tokens)]
    assert float(off) == pytest.approx(_matching.drift(tokens, last).max(), abs=0.000501)
    told = shown["pair"].partition(": ")[2].split(" into ")
    assert tuple(told) in merged or not merged
    for which, source in (("before", before), ("after", last.source)):
        assert ["+".join(map(str, digits(text))) for text in shown[which]] == _matching.names(source)
    assert shown["sizes"] == [f"size {n}" for n in np.bincount(last.source)]
    a, b = (side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12) for side in (start[::2], start[1::2]))
    cosines = [float(text.replace("−", "-")) for text in shown["cosines"]]
    np.testing.assert_allclose(cosines, (a @ b.T).ravel(), atol=0.00501)
    assert shown["looks"] == [
        ("merges" if (names[2 * i], names[2 * j + 1]) in merged else "best") if j == partner else ""
        for i, partner in enumerate(last.partner)
        for j in range(len(b))
    ]
    assert shown["r"] == str(now["r"]) and shown["weighed"] == str(now["sizes"]).lower()
    return now


def holds_compress(page):
    """The large number, what it saves and the answers are the library's for the state in the page: the state."""
    now = state(page, "compress")
    picture, method, tokens, by = (now[name] for name in ("picture", "method", "tokens", "by"))
    work, before = (_compress.flops(_compress.layers_run(method, n)) for n in (tokens, _compress.ALL))
    kept, full = (_compress.cache_bytes(_compress.layers_kept(method, n)) for n in (tokens, _compress.ALL))
    fewer = lambda a, b: "all" if a == b else f"{'−' if a < b else '+'}{abs(1 - a / b):.0%}".replace("%", " %")
    assert page.locator(".big b, .saved b").all_inner_texts() == [str(tokens), fewer(work, before), fewer(kept, full)]
    saved = page.locator(".saved").inner_text()
    assert (
        f"{work / 1e6:.1f} of {before / 1e6:.1f} million" in saved
        and f"{kept / 1e3:.0f} of {full / 1e3:.0f} kB" in saved
    )
    told = _compress.entry(picture, method, tokens, by)["told"]
    rows = page.locator(".asks button").all()
    for row, asked, (answer, certain) in zip(rows, _compress.questions(picture), told, strict=True):
        kind, words, right, _ = asked
        good = answer == right
        assert row.locator(".ask").inner_text() == _compress.spoken(kind, words[1])
        assert row.locator(".told").inner_text() == f"{'✓' if good else '✗'} {answer}"
        sure = row.locator(".sure").inner_text()
        assert sure == "> 99 %" if certain >= 995 else abs(float(sure.strip(" %")) - certain / 10) <= 0.5001
        assert row.get_attribute("class") == ("right" if good else "wrong")
        assert row.get_attribute("aria-pressed") == str(kind == by).lower()
        assert row.locator(".why").inner_text().startswith("" if good else f"Right: {right}; ")
    some = page.evaluate(f"({element('compress')}).groups")
    assert some == _compress.groups(picture, method, tokens, by)
    assert page.locator("#method").input_value() == method
    assert _compress.LADDER[int(page.locator("#tokens").input_value())] == tokens
    return now


# --- what differs between topics where the property is the same -------------------------------------------------------


class Topic(NamedTuple):
    """One explorable, for the properties that all of them have."""

    first: dict  # its state with the default arguments
    holds: object  # page -> what is shown, held to the library
    held: object  # what `holds` answers at first
    still: str  # in the words of its still figure
    spoken: str  # pattern of what is said aloud at first
    fragment: tuple  # (what follows "#topic:", what it asks for)
    change: tuple  # (button, what the fragment then begins with)
    hostile: list  # what may follow "#topic:" and must be refused
    bad: list  # attributes that fall back to `first`
    wide: list  # states, each a function of the page, that need the most room
    inside: str  # what may not leave the screen in them
    slack: int  # pixels that its handles may
    busy: object  # a state with as much as possible to see, for axe


def chosen(**choices):
    """Choose each option: id -> value."""

    def act(page):
        for name, value in choices.items():
            page.locator(f"#{name}").select_option(value)

    return act


def pressed(*names):
    return lambda page: press(page, *names)


def all_of(*acts):
    def act(page):
        for one in acts:
            one(page)

    return act


FIRST_VIDEO = {
    "rule": "qwen-vl-utils", "model": "qwen3-vl-qwen-vl-utils", "total": 300, "rate": 30, "height": 720, "fps": None,
    "frames": None, "max": None, "first": 207, "last": 218,
}  # fmt: skip
FIRST_INTERLEAVE = {
    "prompt": "[IMG][IMG]Which of the two was taken first?", "style": "qwen2.5-vl", "images": "480x640_1080x1920", "sounds": "",
    "clips": "", "answer": None, "named": False, "rule": "own", "window": 0,
}  # fmt: skip
FIRST_FUSE = {"pictures": "codes", "separators": "closed", "modality": True, "bounds": [3, 6, 9, 12]}
FIRST_VIDEO_BUDGET = {"fps": 1, "budget": 1024, "digits": 18, "moment": 0.5}
FIRST_GRADIENTS = {
    "z": "-560_-50", "t": "500_300", "codes": "-650_-500_650_150_250_-700_-750_750", "beta": 0.25, "through": True,
}  # fmt: skip
FIRST_MROPE = {
    "rule": "qwen2-vl", "layout": "interleaved", "resume": "after-max", "h": 4, "w": 6, "fps": 4, "q": "p1_2", "k": "c0",
}  # fmt: skip
FIRST_DIALS = {"layout": "interleaved", "theta": 20, "numbers": "ones", "q": "1_1_2", "k": "0_2_1", "both": False}
FIRST_RVQ = {"stages": 2, "codec": "encodec-24k", "codebooks": 8, "context": 32768, "original": False}
FIRST_MATCHING = {
    "t": "921_335_495_373_603_772_47_174_-705_257_-847_-74_-614_-430_-212_-583", "r": 2, "rounds": 1, "sizes": True,
}  # fmt: skip
FIRST_COMPRESS = {"picture": "scene", "method": "received", "tokens": 16, "by": "number"}
FIRST_RESIDUAL = {"x": 160, "y": 680, "stages": 3, "moved": "", "map": False}
TOPICS = {
    "patches": Topic(
        first={"height": 1080, "width": 1920, "model": "qwen2.5-vl", "picture": "landscape"},
        holds=holds_patches,
        held=("qwen2.5-vl", 1080, 1920),
        still="39 × 69 cells, 2,691 tokens",
        spoken="^2,691 tokens: ",
        fragment=(
            "h=7,w=9,m=pixtral,p=icon",
            {"height": 7, "width": 9, "model": "pixtral", "picture": "icon"},
        ),
        change=("an icon", "h=64,w=64,m=qwen2.5-vl,p=icon"),
        hostile=[
            "h=<img onerror=alert(1) src=x>,w=3", "h=NaN,w=NaN", "h=1e99,w=1e99", "h=-5,w=100", "h=0,w=0", "h=99999,w=10",
            "m=__proto__", "m=constructor", "m=<script>alert(1)</script>", "p=toString", "p=file", "h=10,", ",", "",
            "h=1080,w=1920,m=qwen2.5-vl,x=1", "%3Cimg%20src=x%20onerror=alert(1)%3E", "h=%31%30", "h=10\nw=10",
            "w=" + "9" * 9999, "constructor=1", "h=10,h=10,constructor=1",
        ],
        bad=["height='<b>' width='-1' model='constructor' picture='__proto__'", ""],
        wide=[chosen(model="openai-patches"), chosen(model="phi-4-multimodal")],
        inside="button, input, select, p, canvas",
        slack=0,
        busy=all_of(pressed("a panorama"), chosen(model="phi-4-multimodal")),
    ),
    "vq": Topic(
        first={"preset": "corner", "codes": 12, "decay": 0.9, "threshold": 0.5, "do": []},
        holds=holds_vq,
        held=(2, 12, 0),
        still="2 of 12 codes used, perplexity 1.8",
        spoken="^2 of 12 codes used, perplexity 1.8.$",
        fragment=("codes=4,do=s2rc1_-5_10", {"codes": 4, "do": ["s", "s", "r", "c1_-5_10"]}),
        change=("Step", "preset=corner,codes=12,decay=0.9,threshold=0.5,do=s"),
        hostile=[
            "preset=<img onerror=alert(1) src=x>", "preset=__proto__", "preset=constructor", "codes=0", "codes=17", "codes=NaN",
            "codes=1e1", "decay=1", "decay=0.999", "decay=-1", "threshold=99", "threshold=.5", "do=s1000", "do=s999s999", "do=x",
            "do=c99_0", "do=c1_0_99999", "do=" + "s" * 900, "do=s-1", "codes=4,", ",", "", "codes=4,x=1", "steps=3", "do=",
            "%3Cimg%20src=x%20onerror=alert(1)%3E", "codes=%34", "codes=4\ncodes=4", "codes=" + "9" * 9999, "constructor=1",
        ],
        bad=["preset='<b>' codes='99' decay='x' threshold='-1' steps='1e9'", ""],
        wide=[
            all_of(lambda page: page.locator("#codes").fill("16"), pressed(preset, "Run 10"))
            for preset in ("all start in one corner", "all start on data", "the data move away")
        ],
        inside="button, input, p, b, canvas, table, .line span",
        slack=0,
        busy=pressed("Run 10"),
    ),
    "gradients": Topic(
        first=FIRST_GRADIENTS,
        holds=holds_gradients,
        held=FIRST_GRADIENTS,
        still="the gradient (−1.13, −0.69) of length 1.32 reaches the encoder; codes 1, 2, 3 get none",
        spoken=r"^z snaps to code 0\. .* Gradient that reaches z: 1\.32\. Codes 1, 2 and 3 are not nearest to z: they get no",
        fragment=(
            "z=-1000_1000,t=0_5,codes=1_2_3_4_5_6_7_-8,beta=1.75,through=off",
            {"z": "-1000_1000", "t": "0_5", "codes": "1_2_3_4_5_6_7_-8", "beta": 1.75, "through": False},
        ),
        change=("a dead code", "z=-150_-100,t=-600_100,codes=100_350_-700_450_-250_800_700_-50,beta=0.25,through=on"),
        hostile=[
            "z=<img onerror=alert(1) src=x>", "z=__proto__", "z=1", "z=1_2_3", "z=1001_0", "z=0_-1001", "z=-0_0", "z=01_0", "z=1e2_0",
            "z=0.5_0", "z=_", "z=1_", "t=1_2_3_4", "t=NaN_0", "t=", "codes=1_2", "codes=1_2_3_4_5_6", "codes=1_2_3_4_5_6_7_8_9_10",
            "codes=1_2_3_4_5_6_7_x", "beta=2.01", "beta=-1", "beta=3", "beta=1e0", "beta=0.255", "beta=.5", "beta=", "through=true",
            "through=1", "through=constructor", "z=0_0,", ",", "", "z=0_0,x=1", "%3Cimg%20src=x%3E", "z=%30_0", "z=0_0\nz=0_0",
            "z=" + "1" * 999, "z=1_" + "0" * 900, "constructor=1",
        ],
        bad=["preset='<b>' beta='3' through='maybe'", "preset='constructor' beta='x'", "preset='__proto__' beta='-1'", ""],
        wide=[pressed("the arrow misleads"), pressed("beta 0: z wanders"), pressed("a dead code", "Step", "straight-through")],
        inside="button, input, p, b, canvas, li, .big span",
        slack=0,
        busy=pressed("the arrow misleads", "Step"),
    ),
    "rvq": Topic(
        first=FIRST_RVQ,
        holds=holds_rvq,
        held=FIRST_RVQ,
        still="dB, 1.6 kbit/s, 200 tokens a second. Another, not heard: EnCodec 24 kHz with 8 codebooks takes 6 kbit/s, 600 tokens",
        spoken=r"^You hear 2 of 8 .* 1\.6 kilobits and 200 tokens a second\. Read: EnCodec 24 kHz with 8 codebooks, 6 kilobits and 600 ",
        fragment=(
            "stages=4,codec=mimi,codebooks=8,context=1024",
            {"stages": 4, "codec": "mimi", "codebooks": 8, "context": 1024},
        ),
        change=("all 8", "stages=8,codec=encodec-24k,codebooks=8,context=32768"),
        hostile=[
            "codec=<img onerror=alert(1) src=x>", "codec=__proto__", "codec=constructor", "codec=mp3", "codec=ours", "stages=0", "stages=9",
            "stages=1e0", "stages=10", "stages=-1", "stages=", "codebooks=8", "codec=mimi,codebooks=16", "codec=ours,codebooks=2",
            "codec=mimi,codebooks=8.0", "context=5000", "context=1024.0", "context=9999999", "context=512", "stages=4,", ",", "",
            "stages=4,x=1", "original=true", "%3Cimg%20src=x%3E", "stages=%34", "stages=4\nstages=4", "stages=" + "4" * 999,
            "constructor=1",
        ],
        bad=["stages='9' codec='<b>' codebooks='x' context='5'", "codec='constructor' stages='1.5'", "codec='ours'", "codebooks='5'", ""],
        wide=[
            pressed("1 codebook"), pressed("Mimi, all 32"), pressed("EnCodec"),
            all_of(chosen(codec="snac-44k"), lambda page: page.locator("#context").press("End")),
        ],
        inside="button, input, select, p, b, canvas, .hand",
        slack=12,
        busy=pressed("Mimi, all 32", "Original"),
    ),
    "video": Topic(
        first=FIRST_VIDEO,
        holds=holds_video,
        held=FIRST_VIDEO,
        still="the moment in frames 207 to 218 is missed",
        spoken=r"^7,200 tokens; the moment is missed by 2 frames\.$",
        fragment=(
            "rule=internvl,model=internvl,total=250,rate=29.97,frames=16,first=100,last=109",
            {"rule": "internvl", "model": "internvl", "total": 250, "rate": 29.97, "frames": 16, "first": 100, "last": 109},
        ),
        change=(
            "an hour of film",
            "rule=qwen-vl-utils,model=qwen3-vl-qwen-vl-utils,total=86400,rate=24,height=720,first=43206,last=43217",
        ),
        hostile=[
            "rule=<img onerror=alert(1) src=x>", "rule=__proto__", "rule=constructor", "model=toString", "model=<b>", "total=0",
            "total=1e6", "total=1000001", "total=-5", "total=3.5", "rate=0", "rate=241", "rate=1e1", "rate=NaN", "rate=.5",
            "height=721", "height=1e3", "fps=0", "fps=0.001", "fps=Infinity", "frames=0", "frames=1.5", "frames=5000", "max=0",
            "fps=2,frames=8", "first=-1", "first=99999999", "last=x", "total=300,", ",", "", "total=300,x=1", "min=4",
            "%3Cimg%20src=x%20onerror=alert(1)%3E", "total=%33", "total=30\ntotal=30", "total=" + "9" * 9999, "constructor=1",
        ],
        bad=["rule='<b>' model='constructor' total='0' rate='x' height='721' fps='-1' frames='1e9' first='-3' last='x'", ""],
        wide=[
            pressed("an hour of film"), chosen(rule="minicpm-v-4.6-stack-2"), chosen(rule="default", model="minicpm-v-4.6"),
            all_of(pressed("reset"), chosen(model="ernie-4.5-vl")), pressed("one frame"),
        ],
        inside="button, input, select, p, canvas, li, [role=slider]",
        slack=10,
        busy=all_of(pressed("the last moment"), chosen(rule="internvl")),
    ),
    "video_budget": Topic(
        first=FIRST_VIDEO_BUDGET,
        holds=holds_video_budget,
        held=FIRST_VIDEO_BUDGET,
        still="digits of 18 px are 4.9 px high: 50 % caught and readable",
        spoken=r"^50 % caught and readable at 1 frame a second\.$",
        fragment=("fps=2.5,budget=4096,digits=28,moment=0.25", {"fps": 2.5, "budget": 4096, "digits": 28, "moment": 0.25}),
        change=("small print", "fps=1,budget=1024,digits=12,moment=1"),
        hostile=[
            "fps=<img onerror=alert(1) src=x>", "fps=__proto__", "fps=0", "fps=7", "fps=1e0", "fps=1.0", "fps=-1", "fps=NaN",
            "budget=1000", "budget=1e3", "digits=19", "digits=18.0", "moment=0.3", "moment=.5", "fps=1,", ",", "", "fps=1,x=1",
            "limit=0", "%3Cimg%20src=x%3E", "fps=%31", "fps=1\nfps=1", "fps=" + "1" * 999, "constructor=1",
        ],
        bad=["fps='7' budget='<b>' digits='x' moment='-1'", "fps='constructor'", ""],
        wide=[pressed("a blink"), pressed("small print"), pressed("four times the tokens")],
        inside="button, input, select, p, b, canvas, figure",
        slack=0,
        busy=pressed("small print"),
    ),
    "interleave": Topic(
        first=FIRST_INTERLEAVE,
        holds=holds_interleave,
        held=FIRST_INTERLEAVE,
        still="3,119 tokens, where 35 would do if each of 2 placeholders were one token; none of them learned.",
        spoken=r"^3,119 tokens, where 35 would do if each of 2 placeholders were one token\.$",
        fragment=(
            "p=.5bIMG.5d.5bIMG.5d.5bAUDIO.5dHear_.c3.a9.3f,style=gemma-4,images=64x64_112x2080,sounds=0.5,a=Yes,window=64",
            {
                "prompt": "[IMG][IMG][AUDIO]Hear é?", "style": "gemma-4", "images": "64x64_112x2080", "sounds": "0.5",
                "answer": "Yes", "window": 64,
            },
        ),
        change=("a page in tiles", "p=.5bIMG.5dWhat_is_the_total.3f,style=idefics3,images=2080x1560"),
        hostile=[
            "p=<img onerror=alert(1) src=x>", "p=%3Cimg%20src=x%3E", "p=.zz", "p=.3", "p=.c3", "p=.00a", "p=" + "a" * 201,
            "style=__proto__", "style=constructor", "style=<b>", "style=gpt-9", "images=480", "images=480x641", "images=480x640_",
            "images=1e2x112", "images=-64x64", "images=64x64x64", "sounds=7", "sounds=NaN", "sounds=3.0", "sounds=-1", "clips=20x720",
            "clips=20x720x2", "clips=7x720x0", "clips=20x721x0", "a=" + "b" * 61, "a=.0a", "named=true", "rule=__proto__",
            "rule=toString", "window=63", "window=64.0", "p=a,", ",", "", "p=a,x=1", "p=a\np=a", "images=" + "64x64_" * 150 + "64x64",
            "constructor=1",
        ],
        bad=["style='<b>' images='0x0' sounds='x' clips='1' named='yes' rule='constructor' window='7'", ""],
        wide=[
            pressed("invoice, voice and film"), pressed("a page in tiles"), pressed("seen whole, then answered"),
            all_of(
                lambda page: page.locator("#prompt").fill("[IMG]" * 8 + "W" * 120),
                chosen(style="molmo2"),
            ),
        ],
        inside="button, input, select, textarea, p, b, canvas, li, code",
        slack=0,
        busy=pressed("invoice, voice and film", "with an answer, to be learned"),
    ),
    "fuse": Topic(
        first=FIRST_FUSE,
        holds=holds_fuse,
        held=FIRST_FUSE,
        still="right answers: how many pictures 82 %, how the second begins 24 %, word or picture 100 %",
        spoken=r"^12 of 462 layouts give this row\.$",
        fragment=(
            "pictures=vectors,separators=kept,modality=off,bounds=2-7-10-15",
            {"pictures": "vectors", "separators": "kept", "modality": False, "bounds": [2, 7, 10, 15]},
        ),
        change=("both", "pictures=codes,separators=there,modality=on,bounds=3-6-9-12"),
        hostile=[
            "pictures=<img onerror=alert(1) src=x>", "pictures=__proto__", "pictures=words", "separators=constructor",
            "separators=on", "separators=", "modality=true", "modality=1", "bounds=3-6-9", "bounds=3-6-9-12-14", "bounds=0-3-6-9",
            "bounds=3-4-9-12", "bounds=3-9-12-14", "bounds=3-6-9-16", "bounds=03-6-9-12", "bounds=3-6-9-1e1", "bounds=3--6-9-12",
            "bounds=9-6-9-12", "bounds=NaN", "modality=on,", ",", "", "modality=on,x=1", "%3Cimg%20src=x%3E", "bounds=%33",
            "modality=on\nmodality=on", "bounds=" + "9" * 999, "constructor=1",
        ],
        bad=["pictures='<b>' separators='x' modality='maybe' bounds='1-2-3-4'", "separators='constructor' bounds='3-6-9'", ""],
        wide=[pressed("nothing"), pressed("both"), all_of(pressed("modality alone"), pressed("keep their gap"))],
        inside="button, p, b, .cell, .bar, .places",
        slack=0,
        busy=all_of(pressed("separators alone"), lambda page: page.locator(".handle").nth(1).press("ArrowRight")),
    ),
    "mrope": Topic(
        first=FIRST_MROPE,
        holds=holds_mrope,
        held=FIRST_MROPE,
        still="the film's last frame stands at t = 21, the first word after it at t = 22, 1 behind it",
        spoken=r"^“What” stands at t 22, h 22, w 22: 7\.7 % .* stands 1 behind its last frame\.$",
        fragment=(
            "rule=qwen3-vl,layout=blocks,resume=spatial,h=8,w=12,fps=2,q=s3,k=p7_11",
            {
                "rule": "qwen3-vl", "layout": "blocks", "resume": "spatial", "h": 8, "w": 12, "fps": 2, "q": "s3",
                "k": "p7_11",
            },
        ),
        change=("text after a film", "rule=qwen2-vl,layout=interleaved,resume=spatial,h=4,w=6,fps=8,q=c0,k=f15_0_0"),
        hostile=[
            "rule=<img onerror=alert(1) src=x>", "rule=__proto__", "rule=constructor", "rule=videorope", "layout=hope",
            "layout=toString", "resume=last-piece", "resume=constructor", "h=0", "h=9", "w=13", "w=1e1", "h=-1", "h=1.5",
            "fps=3", "fps=0", "fps=4.0", "fps=NaN", "q=p8_0", "q=p0_12", "q=a4", "k=c5", "k=f16_0_0", "k=f0_2_0", "k=s16",
            "q=z0", "q=p1", "q=__proto__", "k=", "q=<b>", "h=4,", ",", "", "h=4,x=1", "%3Cimg%20src=x%3E", "h=%34", "h=4\nh=4",
            "w=" + "9" * 999, "constructor=1",
        ],
        bad=["rule='<b>' layout='hope' resume='x' height='0' width='13' fps='3' query='p9_9' token='constructor'", ""],
        wide=[
            pressed("a wide picture"), pressed("text after a film"), pressed("a picture in one line"),
            all_of(chosen(rule="qwen3-vl", fps="8"), pressed("blocks: Qwen2-VL")),
            all_of(pressed("reset"), lambda page: [page.locator(".corner").press("ArrowDown") for _ in range(4)]),
        ],
        inside="button, input, select, p, b, canvas, li, [role=slider]",
        slack=12,
        busy=pressed("text after a film"),
    ),
    "dials": Topic(
        first=FIRST_DIALS,
        holds=holds_dials,
        held=FIRST_DIALS,
        still="all of their numbers are 1: their product is 14.21 of at most 16.00",
        spoken=r"^Query times key is 14\.21 at offset t \+1, h −1, w \+1\.$",
        fragment=(
            "layout=blocks,theta=10000,numbers=drawn,q=2_3_3,k=2_3_2,both=yes",
            {"layout": "blocks", "theta": 10000, "numbers": "drawn", "q": "2_3_3", "k": "2_3_2", "both": True},
        ),
        change=("neighbours elsewhere", "layout=interleaved,theta=20,numbers=ones,q=2_3_3,k=2_3_2,both=no"),
        hostile=[
            "layout=<img onerror=alert(1) src=x>", "layout=__proto__", "layout=hope", "theta=0", "theta=1e2", "theta=50", "theta=20.0",
            "theta=-20", "numbers=constructor", "numbers=ones1", "q=3_0_0", "q=0_4_0", "k=0_0_4", "k=0_0", "k=0_0_0_0", "k=-1_0_0",
            "q=0.0.0", "both=true", "both=", "q=0_0_0,", ",", "", "q=0_0_0,x=1", "%3Cimg%20src=x%3E", "q=%30_0_0", "q=0_0_0\nq=0_0_0",
            "q=" + "1" * 999, "constructor=1",
        ],
        bad=["layout='<b>' theta='x' numbers='constructor' query='9_9_9' key='0_0'", ""],
        wide=[pressed("far apart"), pressed("neighbours elsewhere"), chosen(layout="blocks", theta="10000", numbers="drawn")],
        inside="button, input, select, p, b, canvas, li, [role=slider]",
        slack=0,
        busy=all_of(chosen(numbers="drawn"), pressed("move both together", "far apart")),
    ),
    "residual": Topic(
        first=FIRST_RESIDUAL,
        holds=holds_residual,
        held=FIRST_RESIDUAL,
        still="3 stages of 4 codes: 0, 1, 1; 0.090 of 0.699 is left.",
        spoken=r"^Codes 0, 1, 1; 0\.090 left\.$",
        fragment=(
            "v=-720_20,stages=4,moved=a0_-200_410.b3_50_0,map=yes",
            {"x": -720, "y": 20, "stages": 4, "moved": "a0_-200_410.b3_50_0", "map": True},
        ),
        change=("near a border", "v=-720_20,stages=3"),
        hostile=[
            "v=<img onerror=alert(1) src=x>", "v=1001_0", "v=0", "v=0_0_0", "v=1e2_0", "v=0.5_0", "v=-0_0", "v=007_0", "v=__proto__",
            "stages=0", "stages=5", "stages=1e0", "stages=3.0", "stages=-1", "stages=", "moved=", "moved=a4_0_0", "moved=e0_0_0",
            "moved=a0_1001_0", "moved=a0_0", "moved=a0_0_0.", "moved=b0_0_0.a0_0_0", "moved=a0_0_0.a0_1_1", "moved=a0_-0_0",
            "moved=constructor", "map=true", "map=", "v=0_0,", ",", "", "v=0_0,x=1", "%3Cimg%20src=x%3E", "v=%30_0", "v=0_0\nv=0_0",
            "v=" + "1" * 999, "constructor=1",
        ],
        bad=["x='<b>' y='9999' stages='9'", "x='0.5' y='1' stages='constructor'", "x='5'", ""],
        wide=[
            pressed("near a border"), pressed("far outside"), pressed("on a code"),
            all_of(lambda page: page.locator("#stages").press("End"), lambda page: page.get_by_role("button", name="show where").click()),
        ],
        inside="button, input, p, b, canvas, li, .bar, .how, .tokens span",
        slack=0,
        busy=all_of(pressed("near a border"), lambda page: page.get_by_role("button", name="show where").click()),
    ),
    "matching": Topic(
        first=FIRST_MATCHING,
        holds=holds_matching,
        held=FIRST_MATCHING,
        still="8 tokens become 6; 0 merges into 1, 2 merges into 1. The least alike of these pairs has the cosine 0.956.",
        spoken=r"^Round 1: 0 and 2 both merge into 1\. 8 tokens become 6; the least alike pair has 0\.956\.$",
        fragment=(
            "t=1_2_3_4_5_6_7_8_-9_10_11_-12_13_14_-1000_1000,r=3,rounds=3,sizes=off",
            {"t": "1_2_3_4_5_6_7_8_-9_10_11_-12_13_14_-1000_1000", "r": 3, "rounds": 3, "sizes": False},
        ),
        change=("half in one step", "t=-232_575_538_114_-266_818_709_-125_920_0_274_-752_-696_-488_-562_-262,r=4,rounds=1,sizes=on"),
        hostile=[
            "t=<img onerror=alert(1) src=x>", "t=__proto__", "t=1_2", "t=1_2_3_4_5_6_7_8_9_10_11_12_13_14_15",
            "t=1_2_3_4_5_6_7_8_9_10_11_12_13_14_15_16_17_18", "t=1001_2_3_4_5_6_7_8_9_10_11_12_13_14_15_16",
            "t=-0_2_3_4_5_6_7_8_9_10_11_12_13_14_15_16", "t=01_2_3_4_5_6_7_8_9_10_11_12_13_14_15_16",
            "t=1e1_2_3_4_5_6_7_8_9_10_11_12_13_14_15_16", "t=", "t=_", "r=5", "r=-1", "r=1e0", "r=2.0", "r=", "r=constructor", "rounds=0",
            "rounds=4", "rounds=1.0", "rounds=x", "sizes=true", "sizes=1", "sizes=constructor", "r=2,", ",", "", "r=2,x=1",
            "%3Cimg%20src=x%3E", "r=%32", "r=2\nr=2", "r=" + "2" * 999, "constructor=1",
        ],
        bad=["preset='<b>' r='9' rounds='0' sizes='maybe'", "preset='constructor' r='x' rounds='1.5'", "preset='__proto__' r='-1'", ""],
        wide=[
            pressed("sizes forgotten", "Next round"), pressed("twins in one set"),
            all_of(pressed("half in one step", "weigh by size"), pressed("Next round", "Next round")),
        ],
        inside="button, input, p, b, canvas, li, td, th, .cells li",
        slack=0,
        busy=pressed("sizes forgotten"),
    ),
    "compress": Topic(
        first=FIRST_COMPRESS,
        holds=holds_compress,
        held=FIRST_COMPRESS,
        still="16 of 64 tokens reach the decoder",
        spoken=r"^16 tokens: \d of 5 answers right\.$",
        fragment=(
            "picture=page,method=late,tokens=4,by=shape",
            {"picture": "page", "method": "late", "tokens": 4, "by": "shape"},
        ),
        change=("a second question", "picture=page,method=attention,tokens=8,by=number"),
        hostile=[
            "picture=<img onerror=alert(1) src=x>", "picture=__proto__", "picture=photo", "method=constructor", "method=fastv",
            "method=<b>", "tokens=0", "tokens=64.0", "tokens=16x", "tokens=1e1", "tokens=-4", "tokens=016", "tokens=17", "tokens=",
            "by=sign", "by=toString", "by=", "at=3", "tokens=16,", ",", "", "tokens=16,x=1", "%3Cimg%20src=x%3E", "tokens=%31",
            "tokens=16\ntokens=16", "tokens=" + "1" * 999, "constructor=1",
        ],
        bad=["picture='<b>' method='constructor' tokens='17' by='__proto__'", "tokens='1.5'", "method='x' tokens=''", ""],
        wide=[
            pressed("alike becomes one"), chosen(method="folded"),
            all_of(chosen(method="random"), lambda page: page.locator("#tokens").press("End")),
        ],
        inside="button, input, select, p, canvas, li, .why, .told",
        slack=0,
        busy=all_of(pressed("alike becomes one"), chosen(method="folded")),
    ),
}  # fmt: skip

# Milliseconds of a computation that every page takes about as long for: what else the machine does slows both alike.
YARDSTICK = """() => {
  const from = performance.now();
  let sum = 0;
  for (let i = 0; i < 1e7; i++) sum += Math.sqrt(i);
  return sum && performance.now() - from;
}"""
