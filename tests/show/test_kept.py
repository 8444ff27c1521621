"""Pictures with their dropped patches struck out, and with their merged groups outlined."""

import re

import numpy as np
import pytest

pytestmark = pytest.mark.apart

from mmtokedu import show
from mmtokedu.compress import merge_tokens
from mmtokedu.show.kept import parts_of

PICTURE = np.random.default_rng(0).integers(0, 256, (12, 18, 3), dtype=np.uint8)


def paths(output):
    """The paths of each drawing: [{attribute: value}]."""
    drawings = re.findall(r"<svg viewBox=\"0 0 96 64\"[^>]*>(.*?)</svg>", output._repr_html_())
    return [
        [dict(re.findall(r'([\w-]+)="([^"]*)"', path)) for path in re.findall("<path ([^>]*)/>", drawing)]
        for drawing in drawings
    ]


def test_what_is_not_kept_is_struck_out():
    """2 x 3 patches of a drawing of 96 x 64: each 32 wide and tall."""
    output = show.kept_patches(PICTURE, {"two": [1, 5], "all": range(6), "none": []}, grid=(2, 3))
    two, everything, nothing = ([re.findall(r"M(\S+) (\S+)h32v32", p["d"]) for p in drawn] for drawn in paths(output))
    assert two[0] == [("0", "0"), ("64", "0"), ("0", "32"), ("32", "32")]
    assert everything[0] == [] and len(nothing[0]) == 6
    looks = [(p.get("fill"), p.get("stroke"), "stroke-dasharray" in p) for p in paths(output)[0]]
    assert looks == [("var(--mm-paper)", None, False), ("none", "var(--mm-dropped)", True)]
    assert repr(output) == (
        "[figure: A picture of 2 × 3 patches. two: 2 of 6 are kept, in rows 1, 2. all: 6 of 6 are kept, in rows 1, 2. "
        "none: 0 of 6 are kept.]"
    )


def test_the_picture_is_one_and_its_titles_are_words():
    page = show.kept_patches(
        PICTURE, {"<a> & b": [0], "c": [1]}, grid=(2, 3), alt="Mine.", caption="See."
    )._repr_html_()
    assert "&lt;a&gt; &amp; b" in page and 'aria-label="Mine."' in page and "<figcaption>See.</figcaption>" in page
    assert len(set(re.findall('src="([^"]*)"', page))) == 1 and page.count("image-rendering:pixelated") == 2
    assert "repeat(2,minmax" in page


def edges(drawn):
    """The places of the lines between patches of a drawing, and how many lead elsewhere."""
    inside = drawn[0]["d"].split("z")[1]
    return set(re.findall(r"M(\S+) (\S+)([vh])32", inside)), drawn[2]["d"].count("L")


def test_lines_stand_between_groups_and_sizes_in_their_largest_parts():
    """Groups by hand: a a b / c a b, then c a a / b b c, whose c is in two parts."""
    output = show.groups(PICTURE, {"near": [0, 0, 1, 2, 0, 1], "apart": [7, 1, 1, 3, 3, 7]}, grid=(2, 3))
    near, apart = paths(output)
    assert edges(near) == ({("64", "0", "v"), ("32", "32", "v"), ("64", "32", "v"), ("0", "32", "h")}, 0)
    across = {("0", "32", "h"), ("32", "32", "h"), ("64", "32", "h")}
    assert edges(apart) == ({("32", "0", "v"), ("64", "32", "v")} | across, 1)
    sizes = re.findall(r'<text x="(\S+)" y="(\S+)">(\d)</text>', output._repr_html_())
    assert [size for *_, size in sizes] == ["3", "2", "2", "2", "2"]
    assert repr(output) == (
        "[figure: A picture of 2 × 3 patches. near: 3 groups, the largest of 3 patches, 1 of one alone. "
        "apart: 3 groups, the largest of 2 patches, none of one alone.]"
    )


def test_groups_are_the_librarys():
    tokens = np.random.default_rng(1).normal(size=(64, 8))
    merged = merge_tokens(tokens, 20)
    output = show.groups(np.zeros((96, 96)), {"one round": merged.source})
    sizes = sorted(map(int, re.findall(r"<text [^>]*>(\d+)</text>", output._repr_html_())))
    assert sizes == sorted(merged.size[merged.size > 1].tolist())
    assert f"44 groups, the largest of {merged.size.max()} patches" in repr(output)


def test_parts_are_connected_by_sides_and_hold_every_patch():
    member = np.random.default_rng(2).random((7, 9)) < 0.5
    parts = parts_of(member)
    assert sorted(map(tuple, np.concatenate(parts).tolist())) == list(map(tuple, np.argwhere(member).tolist()))
    assert [len(part) for part in parts] == sorted(map(len, parts), reverse=True)
    owner = np.full(member.shape, -1)
    for i, part in enumerate(parts):
        owner[tuple(part.T)] = i
    for a, b in ((owner[1:], owner[:-1]), (owner[:, 1:], owner[:, :-1])):
        both = (a >= 0) & (b >= 0)
        np.testing.assert_array_equal(a[both], b[both])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: show.kept_patches(PICTURE, {"a": [6]}, grid=(2, 3)), r"'a' keeps \[6\]; patches count 0 to 5"),
        (lambda: show.kept_patches(PICTURE, {"a": [-1]}, grid=(2, 3)), r"'a' keeps \[-1\]"),
        (lambda: show.kept_patches(PICTURE, {"a": [1, 1]}, grid=(2, 3)), r"'a' keeps \[1, 1\]"),
        (lambda: show.kept_patches(PICTURE, {"a": [1]}), "12 x 18 pixels; 8 x 8 patches do not fill it"),
        (lambda: show.kept_patches(PICTURE, {}, grid=(2, 3)), "nothing to draw"),
        (lambda: show.groups(PICTURE, {"a": [0] * 5}, grid=(2, 3)), r"source of 'a' has shape \(5,\); .* 6 patches"),
        (lambda: show.groups(PICTURE, {"a": [0] * 6}, grid=(2, 3), alt=" "), "alt is empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
