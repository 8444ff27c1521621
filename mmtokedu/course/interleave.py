"""Exercises of the interleave chapter."""

from itertools import groupby

from mmtokedu.course import Exercise, Mistake, slip

_SECTION = "Interleave, "


def _expand(ids, placeholder, lengths, count=lambda lengths, number: lengths[number], least=0):
    row, number = [], 0
    for token in ids:
        if token == placeholder:
            row += [token] * (count(lengths, number) + least)
            number += 1
        else:
            row.append(token)
    return row


def _search_again(ids, placeholder, lengths):
    row = list(ids)
    for length in lengths:
        at = row.index(placeholder)
        row[at : at + 1] = [placeholder] * length
    return row


expand = Exercise(
    name="make a run of each placeholder",
    answer=lambda ids, placeholder, lengths: _expand(ids, placeholder, lengths),
    cases=(
        ([7, 99, 8, 99], 99, [2, 3]),
        ([99, 99, 5], 99, [4, 1]),
        ([1, 5, 6], 5, [3]),
        ([3, 9, 9, 4, 9], 9, [2, 2, 5]),
    ),
    mistakes=(
        slip(_expand, "each medium was left one token; it takes as many as its length says, one for each of its features",
             count=lambda lengths, number: 1),
        slip(_expand, "all media were made as long as the first; each has a length of its own",
             count=lambda lengths, number: lengths[0]),
        slip(_expand, "the placeholder stayed beside its run, so each medium is one token too long; the run takes its place", least=1),
        Mistake(_search_again, "expanded what was expanded already: a search from the start finds the first medium's run again. "
                "Go through the ids once, and write a new list"),
        Mistake(lambda ids, placeholder, lengths: [token for token in ids if token != placeholder] + [placeholder] * sum(lengths),
                "the media were moved behind the text; each stands where its placeholder stood"),
    ),
    section=_SECTION + "“A placeholder becomes a run”",
)  # fmt: skip


def _spans(
    ids,
    placeholder,
    lengths,
    last=0,
    places=lambda ids, placeholder: [i for i, t in enumerate(ids) if t == placeholder],
):
    found, place, at = [], places(ids, placeholder), 0
    for length in lengths:
        found.append((place[at], place[at] + length + last))
        at += length
    return found


def _runs(ids, placeholder, lengths):
    found, at = [], 0
    for token, group in groupby(ids):
        size = len(list(group))
        if token == placeholder:
            found.append((at, at + size))
        at += size
    return found


def _side_by_side(ids, placeholder):
    first = ids.index(placeholder)
    return list(range(first, len(ids) + 1))


spans = Exercise(
    name="say where each medium stands",
    answer=lambda ids, placeholder, lengths: _spans(ids, placeholder, lengths),
    cases=(
        ([7, 99, 99, 99, 99, 99, 8], 99, [2, 3]),
        ([7, 99, 99, 8, 99, 99, 99], 99, [2, 3]),
        ([5, 5, 5, 5, 1, 5, 2], 5, [1, 3, 1]),
        ([4, 6, 6, 6, 4], 6, [3]),
    ),
    mistakes=(
        Mistake(_runs, "one span for each run of the placeholder: two media with nothing between them are one run, and only the lengths "
                "can part them"),
        slip(_spans, "the second number is the last token of the medium; it should be the one after it, as in range(start, stop)", last=-1),
        slip(_spans, "the media were taken to stand side by side; between two of them there may be text", places=_side_by_side),
        Mistake(lambda ids, placeholder, lengths: [(ids.index(placeholder), ids.index(placeholder) + n) for n in lengths],
                "every medium was put where the first one begins; go on where the one before it ended"),
        Mistake(lambda ids, placeholder, lengths: [(a, b - a) for a, b in _spans(ids, placeholder, lengths)],
                "start and length; asked are start and stop"),
    ),
    section=_SECTION + "“Where a picture ends”",
)  # fmt: skip


def _causal(kinds, spans, itself=1):
    return [[0, place + itself] for place in range(len(kinds))]


def _visible(kinds, spans, whole="p", start=lambda span: 0, itself=1):
    seen = _causal(kinds, spans, itself)
    for span in spans:
        if kinds[span[0]] in whole:
            for place in range(*span):
                seen[place] = [start(span), span[1]]
    return [tuple(stretch) for stretch in seen]


def _fused(kinds, spans):
    """Pictures told by their kind alone."""
    runs, at = [], 0
    for kind, group in groupby(kinds):
        size = len(list(group))
        runs += [(at, at + size)] if kind == "p" else []
        at += size
    return _visible(kinds, runs)


def _whole_prompt(kinds, spans):
    end = max(stop for start, stop in spans if kinds[start] == "p")
    return [(0, max(place + 1, end)) for place in range(len(kinds))]


visible = Exercise(
    name="say what each token sees",
    answer=lambda kinds, spans: _visible(kinds, spans),
    cases=(
        (["t", "p", "p", "p", "t"], [(1, 4)]),
        (["t", "t", "p", "p", "p", "p", "p", "t"], [(2, 4), (4, 7)]),
        (["p", "p", "t", "s", "s", "s", "t", "p", "p", "t", "t"], [(0, 2), (3, 6), (7, 9)]),
    ),
    mistakes=(
        Mistake(lambda kinds, spans: [tuple(stretch) for stretch in _causal(kinds, spans)],
                "causal for all: a picture's first token does not see the rest of its own picture. The rule lets it"),
        Mistake(lambda kinds, spans: [(0, len(kinds) if kind == "p" else place + 1) for place, kind in enumerate(kinds)],
                "a picture sees everything, also what comes after it; it sees what is before it, and itself as a whole"),
        Mistake(_whole_prompt, "text sees pictures that come later. Only a picture's own tokens look ahead, and only inside it; letting all "
                "of a prompt see itself is another rule, PaliGemma's"),
        Mistake(_fused, "pictures were told by their kind, so two side by side see each other whole; the spans say where one ends"),
        slip(_visible, "a picture sees itself and nothing before it; what is before a token it always sees", start=lambda span: span[0]),
        slip(_visible, "a sound sees itself whole; the rule is for pictures, and a sound is causal", whole="ps"),
        slip(_visible, "a token does not see itself: stop is the place after the last one that it sees", itself=0),
    ),
    section=_SECTION + "“Who sees whom”",
)  # fmt: skip


def _learned(turns, begin, end, who=("assistant",), closes=True, opens=False):
    labels = []
    for role, ids in turns:
        for part, taught in ((begin[role], opens), (ids, True), (end, closes)):
            labels += part if taught and role in who else [-100] * len(part)
    return labels


def _by_the_token(turns, begin, end):
    """Behind every token that says "assistant", up to the next end."""
    row = [token for role, ids in turns for token in (*begin[role], *ids, *end)]
    word, labels = begin["assistant"][1], [-100] * len(row)
    for place, token in enumerate(row):
        if token == word:
            stop = row.index(end[0], place) + len(end)
            labels[place + 2 : stop] = row[place + 2 : stop]
    return labels


def _only_the_last(turns, begin, end):
    last = max(i for i, (role, _) in enumerate(turns) if role == "assistant")
    return _learned(
        [(role if i >= last else "user", ids) for i, (role, ids) in enumerate(turns)],
        begin | {"user": begin["user"]},
        end,
    )


_BEGIN, _END = {"system": [1, 4, 9], "user": [1, 5, 9], "assistant": [1, 6, 9]}, [2, 9]

learned = Exercise(
    name="say what the model is taught",
    answer=lambda turns, begin, end: _learned(turns, begin, end),
    cases=(
        ([("user", [10, 11]), ("assistant", [20, 21, 22])], _BEGIN, _END),
        ([("system", [30]), ("user", [10, 6, 11, 12, 13]), ("assistant", [20])], _BEGIN, _END),
        ([("user", [10]), ("assistant", [20, 21]), ("user", [6, 12, 13]), ("assistant", [6, 22])], _BEGIN, _END),
    ),
    mistakes=(
        Mistake(_by_the_token, "turns were found by the token that says “assistant”: a user may write that word too, and then what follows "
                "it is learned. `turns` says who speaks"),
        Mistake(lambda turns, begin, end: [token for role, ids in turns for token in (*begin[role], *ids, *end)],
                "everything is learned, and so the model is taught to write its user's questions"),
        slip(_learned, "the end of the turn is not learned, so the model is never taught to stop", closes=False),
        slip(_learned, "the opening of the turn is learned; it is written for the model, which begins to speak after it", opens=True),
        slip(_learned, "the user's turns are learned too", who=("user", "assistant")),
        Mistake(_only_the_last, "only the last answer is learned; here every turn of the assistant is"),
    ),
    section=_SECTION + "“What the model is taught to say”",
)  # fmt: skip


def _truncate(extents, tokens, limit, cut=True, fits=lambda stop, limit: stop <= limit, begun=False):
    end = min(tokens, limit)
    across = [start for start, stop in extents if start < limit and not fits(stop, limit)]
    if across and cut:
        end = across[0]
    return [end, sum(start < limit if begun else fits(stop, limit) for start, stop in extents)]


def _to_the_last_medium(extents, tokens, limit):
    end, whole = _truncate(extents, tokens, limit)
    return [end if tokens <= limit else max([stop for _, stop in extents if stop <= limit], default=0), whole]


truncate = Exercise(
    name="stop at the limit, and halve no medium",
    answer=lambda extents, tokens, limit: _truncate(extents, tokens, limit),
    cases=(
        ([(1, 5), (7, 9)], 10, 8),
        ([(1, 5), (7, 9)], 12, 9),
        ([(2, 6), (6, 12), (15, 18)], 20, 10),
        ([(3, 8)], 30, 21),
        ([(3, 8)], 9, 40),
    ),
    mistakes=(
        slip(_truncate, "cut at the limit, in the middle of a medium: its first tokens stay, and the rest of its features have no place",
             cut=False),
        slip(_truncate, "a medium that the cut drops was counted as kept: its features would go to the model and find no place", begun=True),
        Mistake(_to_the_last_medium, "text was dropped that fits: what stands before the medium that goes, stays"),
        slip(_truncate, "a medium that ends exactly at the limit fits; `stop` is the place after its last token",
             fits=lambda stop, limit: stop < limit),
        Mistake(lambda extents, tokens, limit: [tokens, len(extents)] if tokens <= limit else [0, 0],
                "the whole sequence was dropped; what fits stays"),
    ),
    section=_SECTION + "“How it breaks”",
)  # fmt: skip


def _weave(frames, sounds, film=0, sound=1, by=lambda time, kind, token: (time, kind)):
    row = [(time, film, token) for time, ids in frames for token in ids]
    row += [(time, sound, token) for time, token in sounds]
    return [token for _, _, token in sorted(row, key=lambda one: by(*one))]


weave = Exercise(
    name="weave the sound into the film",
    answer=lambda frames, sounds: _weave(frames, sounds),
    cases=(
        ([(0.0, [12, 11]), (1.0, [14, 13])], [(0.0, 52), (0.5, 50), (1.0, 51)]),
        ([(0.0, [31, 30, 33]), (0.5, [38, 37, 36])], [(0.08, 25), (0.16, 24), (0.5, 22), (0.58, 21)]),
        ([(0.0, [7]), (2.0, [6])], [(0.04, 95), (0.04, 91), (1.9, 90), (2.0, 93), (2.1, 92)]),
    ),
    mistakes=(
        slip(_weave, "all of the film, then all of the sound: what happens at one moment stands far apart", by=lambda time, kind, token: kind),
        slip(_weave, "where a frame and a sound begin at the same time, the sound came first; the film goes first", film=2),
        Mistake(lambda frames, sounds: _weave(frames, sounds, by=lambda time, kind, token: (time, token)),
                "tokens of the same time were sorted by their ids, which says nothing; sort by time alone, and keep the order otherwise"),
        Mistake(lambda frames, sounds: [token for (_, ids), (_, sound) in zip(frames, sounds) for token in (*ids, sound)],
                "one sound was put behind each frame, by number; the times say how many stand between two frames"),
        Mistake(lambda frames, sounds:
                _weave([(time, ids[:1]) for time, ids in frames], sounds), "each frame was given one token; all of its tokens stand together"),
    ),
    section=_SECTION + "“A film with its sound”",
)  # fmt: skip

EXERCISES = (expand, spans, visible, learned, truncate, weave)
