"""Panel one: a trained reader is asked with fewer tokens, in every way that needs no further training."""

from itertools import product

import torch
from torch.nn import functional as F

from mmtokedu.compress import pyramid_schedule
from mmtokedu.nn import compress as probe
from mmtokedu.samples import world

KEEP = 32, 16, 8, 4, 1  # tokens that are left
DRAWS = 3  # of random choices
LAYERS = 4  # of the decoder
SIDES = 84, 72, 60, 48, 36, 24, 12  # pixels of a smaller picture: 49, 36, 25, 16, 9, 4, 1 tokens
BLURRED = 72, 48, 24  # pixels down to which a picture goes before it is drawn at its size again
SHARES = {"1/2": 1 / 2, "1/4": 1 / 4, "1/8": 1 / 8, "1/64": 1 / 64}  # of the tokens that merge in a round of ToMe
BATCH = 100


class Asking:
    """A reader and test scenes: looks once, is then asked in many ways. drawn as of `_compress_train.pool`."""

    def __init__(self, reader, drawn):
        self.reader, self.drawn = reader, drawn
        self.questions, count = drawn["questions"], len(drawn["pixels"])
        parts = [probe.see(reader, pixels) for pixels in drawn["pixels"].split(BATCH)]
        self.seen = probe.Seen(*map(torch.cat, zip(*parts)))
        self.scores = probe.scores(reader, drawn["pixels"], self.questions, self.seen)
        noise = [torch.rand(count, 64, generator=torch.Generator().manual_seed(i)) for i in range(DRAWS)]
        cover = drawn["cover"].float() + noise[0][:, None] / 2  # where nothing is covered, any
        self.noise, self.scores["oracle"] = noise, cover
        self.scores["oracle of all"] = drawn["cover"].sum(dim=1).float() + noise[0] / 2

    def told(self, visual=None, questions=None, **options):
        """The word ids answered, (n, kinds): options as `probe.answer`, tensors among them cut into batches too."""
        visual = self.seen.visual if visual is None else visual
        questions = self.questions if questions is None else questions
        found = []
        for start in range(0, len(visual), BATCH):
            some = slice(start, start + BATCH)
            cut = {
                name: value[some] if torch.is_tensor(value) and len(value) == len(visual) else value
                for name, value in options.items()
            }
            found.append(probe.answer(self.reader, visual[some], questions[some], **cut))
        return torch.cat(found).argmax(dim=-1)

    def of_fewer(self, fewer, *, project, sizes=False, positions=True):
        """The same from merged or pooled tokens: Fewer."""
        visual = self.reader.projector(fewer.tokens) if project else fewer.tokens
        return self.told(visual, positions=fewer.positions if positions else own_grid(visual.shape[1]),
                         size=fewer.size if sizes else None)  # fmt: skip


def own_grid(count):
    """(t, h, w) of so many tokens counted anew, as the grid that they now are: (1, count, 3)."""
    down, across = probe.WINDOWS[count] if count < 64 else (1, 1)
    rows, columns = torch.meshgrid(torch.arange(8.0 // down), torch.arange(8.0 // across), indexing="ij")
    return torch.stack([torch.zeros(count), rows.flatten(), columns.flatten()], dim=1)[None]


def in_place(side):
    """(t, h, w) of the patches of a smaller picture where they lie in the full one: (1, n, 3)."""
    at = (torch.arange(side // 12) + 0.5) * 96 / side - 0.5
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([torch.zeros(rows.numel()), rows.flatten(), columns.flatten()], dim=1)[None]


def smaller(pixels, side):
    """Pictures (n, H, W, 3) uint8 made smaller, each pixel the mean of what it covers; larger ones are blurred."""
    x = pixels.movedim(-1, 1).float()
    x = F.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return x.round().clamp(0, 255).to(torch.uint8).movedim(1, -1).contiguous()


def without_the_question(asking, counts):
    yield {"way": "full", "keep": 64}, asking.told()
    nothing = torch.zeros(len(asking.questions), 64)
    yield {"way": "blind", "keep": 0}, asking.told(keep=0, scores=nothing)
    yield {"way": "another picture", "keep": 64}, asking.told(asking.seen.visual.roll(1, 0))
    for keep in counts:
        for renumber in (False, True):
            row = {"keep": keep} | ({"renumber": True} if renumber else {})
            told = [asking.told(keep=keep, scores=noise, renumber=renumber) for noise in asking.noise]
            yield {"way": "random"} | row, told
            even = probe.even(keep).expand(len(asking.questions), 64)
            yield {"way": "even"} | row, asking.told(keep=keep, scores=even, renumber=renumber)
            for way in ("received", "norm, low"):
                yield {"way": way} | row, asking.told(keep=keep, scores=asking.scores[way], renumber=renumber)
        for way in ("norm, high", "edges", "oracle of all"):
            yield {"way": way, "keep": keep}, asking.told(keep=keep, scores=asking.scores[way])
        diverse = probe.diverse(asking.seen.tokens, keep)
        yield {"way": "diverse", "keep": keep}, asking.told(keep=keep, scores=diverse)


def with_the_question(asking, counts):
    for keep in counts:
        for renumber in (False, True):
            row = {"keep": keep} | ({"renumber": True} if renumber else {})
            yield {"way": "oracle"} | row, asking.told(keep=keep, scores=asking.scores["oracle"], renumber=renumber)
        for way in (f"question {layer}" for layer in range(1, LAYERS + 1)):
            yield {"way": way, "keep": keep}, asking.told(keep=keep, scores=asking.scores[way])


def late(asking, counts):
    """FastV after each layer, a random choice after the same layer, and nothing left."""
    for after, keep in product(range(1, LAYERS), counts):
        row = {"keep": keep, "after": after, "tokens": mean_tokens(keep, after)}
        yield {"way": "fastv"} | row, asking.told(keep=keep, after=after, scores=asking.scores[f"question {after}"])
        told = [asking.told(keep=keep, after=after, scores=noise) for noise in asking.noise]
        yield {"way": "random"} | row, told
    for after in range(1, LAYERS):
        told = asking.told(keep=0, after=after, scores=asking.noise[0])
        yield {"way": "nothing", "keep": 0, "after": after, "tokens": mean_tokens(0, after)}, told


def mean_tokens(keep, after):
    return (64 * after + keep * (LAYERS - after)) / LAYERS


def averaged(asking, counts):
    tokens, visual = asking.seen.tokens, asking.seen.visual
    for keep in counts:
        for where, parts in {"before": tokens, "after": visual}.items():
            project = where == "before"
            row = {"keep": keep, "projector": where}
            pooled, merged = probe.pool(parts, keep), probe.merge(parts, keep)
            yield {"way": "pool"} | row, asking.of_fewer(pooled, project=project)
            for sizes in (False, True):
                yield {"way": "tome", "sizes": sizes} | row, asking.of_fewer(merged, project=project, sizes=sizes)
        pooled = probe.pool(visual, keep)
        yield {"way": "pool", "sizes": True} | row, asking.of_fewer(pooled, project=False, sizes=True)
        yield {"way": "pool", "renumber": True} | row, asking.of_fewer(pooled, project=False, positions=False)
        for sizes in (False, True):
            parts = [
                probe.merge_inside(asking.reader, x, keep, sizes=sizes) for x in asking.drawn["pixels"].split(BATCH)
            ]
            inside = probe.Fewer(*map(torch.cat, zip(*parts)))
            row = {"way": "tome inside", "keep": keep, "sizes": sizes}
            yield row, asking.of_fewer(inside, project=True, sizes=sizes)
    for keep, (name, share) in product((16, 8), SHARES.items()):
        merged = probe.merge(visual, keep, share=share)
        row = {"way": "tome rounds", "keep": keep, "share": name}
        yield row, asking.of_fewer(merged, project=False)


def one_for_the_rest(asking, counts):
    """Dropped, but one token stands for all that were: the mean of them, counted as many or as one."""
    visual, diverse = asking.seen.visual, {}
    for keep in (keep for keep in counts if keep in (16, 8)):
        diverse["diverse"] = probe.diverse(asking.seen.tokens, keep)
        named = {"random": asking.noise[0], "oracle of all": asking.scores["oracle of all"]} | diverse
        named |= {way: asking.scores[way] for way in ("received", "norm, high", "edges")}
        for way, scores in named.items():
            fewer = probe.with_rest(visual, scores, keep)
            for sizes in (False, True):
                row = {"way": f"rest: {way}", "keep": keep, "tokens": keep + 1.0, "sizes": sizes}
                yield row, asking.of_fewer(fewer, project=False, sizes=sizes)
        for way in ("oracle", "question 1"):  # each question its own
            each = len(world.KINDS)
            fewer = probe.with_rest(visual.repeat_interleave(each, dim=0), asking.scores[way].flatten(0, 1), keep)
            options = {"positions": fewer.positions, "size": fewer.size}
            told = asking.told(fewer.tokens, asking.questions.flatten(0, 1)[:, None], **options)
            row = {"way": f"rest: {way}", "keep": keep, "tokens": keep + 1.0, "sizes": True}
            yield row, told.unflatten(0, (-1, each))[..., 0]


def smaller_pictures(asking, counts):
    for side in SIDES:
        parts = [probe.see(asking.reader, x).visual for x in smaller(asking.drawn["pixels"], side).split(BATCH)]
        visual, row = torch.cat(parts), {"keep": (side // 12) ** 2, "side": side}
        places = in_place(side)
        yield {"way": "smaller picture"} | row, asking.told(visual, positions=places)
        own = (places * side / 96).floor()
        yield {"way": "smaller picture", "renumber": True} | row, asking.told(visual, positions=own)
    for side in BLURRED:
        pixels = smaller(smaller(asking.drawn["pixels"], side), 96)
        visual = torch.cat([probe.see(asking.reader, x).visual for x in pixels.split(BATCH)])
        yield {"way": "blurred picture", "keep": 64, "side": side}, asking.told(visual)


def staged(asking, counts):
    """PyramidDrop, and others at the same mean over the layers."""
    for ratio, fastv in ((0.5, 19), (0.25, 7)):
        schedule = pyramid_schedule(64, LAYERS, at=(1, 2, 3), ratio=ratio)
        mean = float(schedule.mean())
        row = {"keep": int(schedule[-1]), "ratio": ratio, "tokens": mean}
        for way, scores in (("stages", None), ("random stages", asking.noise[0])):
            found = []
            for start in range(0, len(asking.questions), BATCH):
                some = slice(start, start + BATCH)
                cut = None if scores is None else scores[some]
                visual, questions = asking.seen.visual[some], asking.questions[some]
                found.append(probe.in_stages(asking.reader, visual, questions, schedule, scores=cut))
            yield {"way": way} | row, torch.cat(found).argmax(dim=-1)
        row = {"ratio": ratio, "keep": fastv, "after": 1, "tokens": mean_tokens(fastv, 1)}
        for way, scores in (("stages: fastv", asking.scores["question 1"]), ("stages: random", asking.noise[0])):
            yield {"way": way} | row, asking.told(keep=fastv, after=1, scores=scores)
        row = {"ratio": ratio, "keep": round(mean)}
        before = {"question 1": asking.scores["question 1"], "norm, low": asking.scores["norm, low"]}
        for way, scores in before.items():
            yield {"way": f"stages: {way}"} | row, asking.told(keep=round(mean), scores=scores)
        merged = probe.merge(asking.seen.visual, round(mean))
        yield {"way": "stages: tome"} | row, asking.of_fewer(merged, project=False, sizes=True)


def second_question(asking, counts):
    """Pruned for the question `turn` kinds before, asked this one; turn 0 is its own."""
    for after, rank in ((0, "question 1"), (1, "question 1"), (3, "question 3")):
        for turn in range(len(world.KINDS)):
            scores = asking.scores[rank].roll(turn, 1)  # question k has those of k - turn
            row = {"way": "second question", "keep": 16, "after": after, "turn": turn, "tokens": mean_tokens(16, after)}
            yield row, asking.told(keep=16, after=after, scores=scores)


GROUPS = (
    without_the_question, with_the_question, late, averaged, one_for_the_rest, smaller_pictures, staged, second_question
)  # fmt: skip
CONTROL = GROUPS[:5]  # what the control is asked, at FEW counts
FEW = 16, 8, 4, 1


@torch.no_grad()
def ways(asking, group, counts=KEEP):
    """Each way of a group: ({way, keep, tokens, ...}, answers (n, kinds), of several draws a list of such).

    tokens: how many visual tokens a layer of the decoder has to do with, the mean over layers.
    """
    for row, told in group(asking, counts):
        yield {"tokens": float(row["keep"])} | row, told
