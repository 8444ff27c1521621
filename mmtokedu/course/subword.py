"""The exercise of the primer page on subword tokens."""

from itertools import pairwise

from mmtokedu.course import Exercise, slip


def _join(ids, pair, new):
    """Put `new` wherever the pair stands, from the left."""
    joined = []
    for i in ids:
        if joined and (joined[-1], i) == tuple(pair):
            joined[-1] = new
        else:
            joined.append(i)
    return joined


def _join_from_the_right(ids, pair, new):
    return _join(ids[::-1], pair[::-1], new)[::-1]


def _encode(ids, merges, which=min, joins=_join, first=256, again=True):
    """Ids of a word: of the pairs in it, `which` of the places in `merges` is joined next, until none is left."""
    rank = {tuple(pair): place for place, pair in enumerate(merges)}
    ids = list(ids)
    while found := [rank[pair] for pair in pairwise(ids) if pair in rank]:
        place = which(found)
        ids = joins(ids, merges[place], first + place)
        if not again:
            break
    return ids


encode_word = Exercise(
    name="encode a word, the earliest pair first",
    answer=_encode,
    cases=(
        ([97, 98, 97, 98], [(97, 98), (256, 256)]),
        ([97, 98, 99], [(98, 99), (97, 98)]),
        ([97, 98, 99], [(97, 98), (98, 99)]),
        ([97, 97, 97], [(97, 97)]),
        ([116, 97, 110, 107], [(97, 110), (116, 256), (110, 107)]),
        ([120], [(97, 98)]),
    ),
    mistakes=(
        slip(_encode, "the leftmost pair is joined first. Of all pairs in the word, take the one that was learned first", which=lambda found: found[0]),
        slip(_encode, "the pair that was learned last is joined first: a pair that was learned early stands earlier in `merges`", which=max),
        slip(_encode, "the word is looked at once. A joined pair makes new neighbours: repeat until no pair of the word is known", again=False),
        slip(_encode, "the number of a pair is used as its id. Ids 0 to 255 are the bytes, so pair n is 256 + n", first=0),
        slip(_encode, "three alike in a row are joined from the right; a tokenizer reads from the left", joins=_join_from_the_right),
    ),
    section="Subword tokens, “The space belongs to the word”",
)  # fmt: skip

EXERCISES = (encode_word,)
