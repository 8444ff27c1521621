"""Figures: alternative text, two colour schemes, the same palette in CSS, told apart by colour-blind readers."""

import base64
import importlib.util
import io
import itertools
import re
import wave
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("matplotlib")
from PIL import Image

from mmtokedu import show
from mmtokedu.show.strips import CELLS

ROOT = Path(__file__).resolve().parents[2]
CSS = (ROOT / "book" / "_static" / "mmtokedu.css").read_text()
MODALITIES = ("text", "image", "audio", "video", "special")
MODES = ("light", "dark")


def linear(color):
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """WCAG 2 contrast ratio."""
    low, high = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b))
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]),
}  # fmt: skip


def oklab(rgb):
    """Linear RGB to OKLab, where distance is close to seen difference (Ottosson 2020)."""
    lms = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]]) @ np.clip(rgb, 0, 1)  # fmt: skip
    return np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.8086757660]]) @ np.cbrt(lms)  # fmt: skip


def variables(mode):
    """The --mm-* colours of one theme in the style sheet."""
    block = re.search(rf"html\[data-theme={mode}\] \{{([^}}]*)\}}", CSS).group(1)
    return dict(re.findall(r"--mm-(\w+): (#[0-9a-f]{6})", block))


@pytest.mark.parametrize("mode", [0, 1], ids=MODES)
def test_colours_stand_out_from_the_paper(mode):
    css = variables(MODES[mode])
    for name in ("ink", "muted", "accent", *MODALITIES):
        for ground in ("paper", "surface"):
            assert contrast(show.PALETTE[name][mode], css[ground]) >= 4.5, (name, ground)
    for name in ("ink", "accent"):
        assert contrast(show.PALETTE[name][mode], css["tint"]) >= 4.5, name
    assert contrast(show.PALETTE["dropped"][mode], css["paper"]) >= 3


@pytest.mark.parametrize("mode", [0, 1], ids=MODES)
@pytest.mark.parametrize("sight", SIGHT)
def test_modalities_stay_apart(mode, sight):
    seen = {name: oklab(SIGHT[sight] @ linear(show.PALETTE[name][mode])) for name in MODALITIES}
    for a, b in itertools.combinations(MODALITIES, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 0.07, (a, b)


def test_the_style_sheet_has_the_palette():
    for mode, name in enumerate(MODES):
        css = variables(name)
        assert {k: css[k] for k in show.PALETTE} == {k: pair[mode] for k, pair in show.PALETTE.items()}


def test_every_modality_has_its_own_mark():
    assert set(MODALITIES) | {"dropped"} == set(CELLS)
    assert len(set(CELLS.values())) == len(CELLS)


def pictures(output):
    data = re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", output._repr_html_())
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(d))).convert("RGBA")) for d in data]


def has(picture, color):
    target = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    solid = picture[picture[..., 3] == 255][:, :3].astype(int)
    return bool((np.abs(solid - target).max(axis=1) <= 1).any()) if len(solid) else False


def draw_everything():
    fig, ax = show.subplots(height=2.6)
    ax.plot([0, 1], [0, 1], color=show.COLOR["audio"], marker="o")
    ax.bar([0.2], [0.8], 0.2, color=show.COLOR["image"])
    ax.scatter([0.8], [0.2], s=400, c=show.COLOR["special"])
    ax.fill_between([0.5, 0.7], 0.1, 0.4, color=show.COLOR["video"], lw=0)
    ax.set_title("A title", color=show.COLOR["ink"])
    ax.annotate("x", (0.9, 0.5), (0.6, 0.9), arrowprops={"arrowstyle": "-", "lw": 6, "color": show.COLOR["text"]})
    return fig


def test_figure_is_drawn_in_both_schemes():
    light, dark = pictures(show.figure(draw_everything(), alt="Everything."))
    for name in ("image", "audio", "video", "special", "text", "ink"):
        for picture, mode in ((light, 0), (dark, 1)):
            assert has(picture, show.PALETTE[name][mode]), (name, mode)
            assert not has(picture, show.PALETTE[name][1 - mode]), (name, mode)
    assert light[0, 0, 3] == dark[0, 0, 3] == 0  # the page's paper shows through


def test_figure_gives_the_colours_back_and_repeats_itself():
    fig = draw_everything()
    first, again = show.figure(fig, alt="Same."), show.figure(fig, alt="Same.")
    assert first._repr_html_() == again._repr_html_()
    assert fig.axes[0].get_lines()[0].get_color() == show.COLOR["audio"]


def test_images_and_grid_keep_their_colours():
    fig, ax = show.subplots()
    ax.imshow(np.full((28, 28, 3), [11, 22, 200], np.uint8))
    show.draw_grid(ax, 28, 28, 14)
    for picture in pictures(show.figure(fig, alt="Blue.")):
        assert has(picture, "#0b16c8")
        assert has(picture, "#ffffff")


def test_charts_are_small():
    assert len(show.figure(draw_everything(), alt="Everything.")._repr_html_()) < 120_000


def test_photos_are_small_and_true():
    y, x = np.mgrid[:512, :512] / 512
    photo = np.stack([x, y, 0.5 + 0.5 * np.sin(40 * x * y)], -1) * 0.8
    photo += np.random.default_rng(0).normal(scale=0.05, size=photo.shape)
    with pytest.raises(ValueError, match=r"floats from -0\.\d+ to \d\.\d+; pass them in \[0, 1\] .np.clip"):
        show.images(photo, alt="Noise over a gradient.")
    photo = np.clip(photo, 0, 1)
    output = show.images(photo, alt="Noise over a gradient.")
    assert len(output._repr_html_()) < 250_000
    (seen,) = pictures(output)
    assert np.abs(seen[..., :3] / 255 - photo).mean() < 0.04


def test_images_are_exact_when_small():
    squares = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)
    for seen, square in zip(pictures(show.images(list(squares), alt="Noise.")), squares, strict=True):
        np.testing.assert_array_equal(seen[..., :3], square)


def test_images_say_what_each_picture_is():
    text = show.images([np.zeros((4, 4))] * 2, titles=["before", "<after>"], alt="Two.", grid=[2, None])._repr_html_()
    assert re.findall(r'<img[^>]* alt="([^"]*)"', text) == ["before", "&lt;after&gt;"]
    assert 'role="group" aria-label="Two."' in text
    assert text.count("M0 0V4M2 0V4M4 0V4M0 0H4M0 2H4M0 4H4") == 2  # one grid: a dark and a white stroke


@pytest.mark.parametrize(
    "call",
    [
        lambda alt: show.figure(show.subplots()[0], alt=alt),
        lambda alt: show.images(np.zeros((4, 4)), alt=alt),
        lambda alt: show.token_strip([("text", 1, "a")], alt=alt),
        lambda alt: show.frame_slider(np.zeros((1, 4, 4)), ["0 s"], alt=alt),
    ],
)
@pytest.mark.parametrize("alt", ["", "  ", None])
def test_alternative_text_is_required(call, alt):
    with pytest.raises(ValueError, match="alt is empty"):
        call(alt)


def test_errors_say_the_numbers():
    with pytest.raises(TypeError, match="got Axes"):
        show.figure(show.subplots()[1], alt="x")
    with pytest.raises(ValueError, match="2 pictures and 1 titles"):
        show.images([np.zeros((4, 4))] * 2, titles=["a"], alt="x")
    with pytest.raises(ValueError, match=r"shape \(4, 4, 4\)"):
        show.images(np.zeros((4, 4, 4)), alt="x")
    with pytest.raises(ValueError, match=r"shape \(0, 4\)"):
        show.images(np.zeros((0, 4)), alt="x")
    with pytest.raises(ValueError, match="dtype int64"):
        show.images(np.zeros((4, 4), np.int64), alt="x")
    with pytest.raises(ValueError, match="'smell'"):
        show.token_strip([("smell", 1, "rose")], alt="x")
    with pytest.raises(ValueError, match="got 0 image tokens"):
        show.token_strip([("image", 0, "photo")], alt="x")
    with pytest.raises(ValueError, match="2 frames and 1 captions"):
        show.frame_slider(np.zeros((2, 4, 4)), ["a"], alt="x")


@pytest.mark.parametrize(
    "level, says",
    [
        (100, "from 0 to 100; pass them in .0, 1. .x / 255"),
        (255, "x / 255"),
        (-1, r"from -1 to 0; .*np.clip\(x, 0, 1\), or"),
        (1.003, r"from 0 to 1\.00\d+; .*np.clip"),
        (-0.003, r"from -0\.00\d+ to 0; .*np.clip"),
        (np.nan, "1 floats that are not finite"),
        (np.inf, "1 floats that are not finite"),
        (-np.inf, "1 floats that are not finite"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_outside_their_range_are_refused(level, says, dtype):
    """Clipped, a photo of 0 to 255 would be a white picture, and one of -1 to 1 would have lost its dark half."""
    picture = np.array([[level, 0]], dtype)
    for draw in (
        lambda: show.images(picture, alt="x"),
        lambda: show.images([np.zeros((2, 2)), picture], alt="x"),
        lambda: show.frame_slider([picture], ["0 s"], alt="x"),
    ):
        with pytest.raises(ValueError, match=says):
            draw()


def test_floats_that_rounding_moved_out_of_their_range_are_shown():
    picture = np.array([[-1e-6, 1 + 1e-6, -0.0019, 1.0019, 0.5, 1 / 3]])
    (seen,) = pictures(show.images(picture, alt="Six greys."))
    assert seen[0, :, 0].tolist() == [0, 255, 0, 255, 128, 85]


def test_a_tensor_of_one_picture_is_one_picture():
    torch = pytest.importorskip("torch")
    picture = np.random.default_rng(0).integers(0, 256, (4, 3, 3), dtype=np.uint8)
    (seen,) = pictures(show.images(torch.from_numpy(picture), alt="Noise."))
    np.testing.assert_array_equal(seen[..., :3], picture)


def test_token_strip_draws_short_spans_whole_and_long_ones_with_a_gap():
    def drawn(count):
        return show.token_strip([("image", count, "photo")], alt="x")._repr_html_().count('<g transform="translate')

    assert [drawn(n) for n in (1, 7, 8, 9, 256)] == [1, 7, 8, 7, 7]
    assert "<b>1,024</b>" in show.token_strip([("image", 1024, "photo")], alt="x")._repr_html_()


def tables(output):
    """Rows of cells (tag, attributes, text) of each part of a table."""
    page = output._repr_html_()
    parts = re.findall(r"<(thead|tbody)>(.*?)</\1>", page)
    return [
        (part, [(attributes, re.findall(r"<(t[hd])([^>]*)>(.*?)</\1>", row)) for attributes, row in rows])
        for part, rows in ((part, re.findall(r"<tr([^>]*)>(.*?)</tr>", inside)) for part, inside in parts)
    ]


def test_table_is_one_for_readers_of_every_kind():
    rows = ["on paper", ["a & b", 1024, 1.5, "fast"], "on a card", ["card", None, 0.25, "slow"]]
    output = show.table(["what", "tokens", "time (ms)", "verdict"], rows, mark=1, caption="Cost & time.")
    page = output._repr_html_()
    assert 'role="region" tabindex="0" aria-label="Cost &amp; time."' in page  # it scrolls, so the keyboard reaches it
    assert "<caption>Cost &amp; time.</caption>" in page and repr(output) == "[table: Cost & time.]"
    (head, ((_, names),)), *groups = tables(output)
    assert head == "thead" and [tag + scope[:12] for tag, scope, _ in names] == ['th scope="col"'] * 4
    assert [["left", "right"]["right" in side] for _, side, _ in names] == ["left", "right", "right", "left"]
    assert [part for part, _ in groups] == ["tbody", "tbody"]
    for (_, inside), title, text in zip(groups, rows[::2], (["a &amp; b", "1,024", "1.50", "fast"],
                                                            ["card", "not measured yet", "0.25", "slow"])):  # fmt: skip
        (_, ((tag, attributes, said),)), (marked, cells) = inside
        assert (tag, said) == ("th", title) and 'colspan="4" scope="rowgroup"' in attributes
        assert [word for _, _, word in cells] == text
        assert cells[0][0] == "th" and 'scope="row"' in cells[0][1]
        assert ["right" in side for _, side, _ in cells] == [False, True, True, False]
        assert marked == (' class="mm-mark"' if title == "on a card" else "")


def test_table_marks_and_rounds_as_told():
    output = show.table(["x", "y"], [["a", 2.0], ["b", 0.123], ["c", 7]], mark=[0, 2], digits=1, caption="Two marks.")
    ((_, rows),) = tables(output)[1:]
    assert [bool(attributes) for attributes, _ in rows] == [True, False, True]
    assert [cells[1][2] for _, cells in rows] == ["2.0", "0.1", "7"]


def test_a_long_table_waits_under_a_line():
    given = dict(header=["x", "y"], rows=[["a", 1]], caption="Many rows.")
    opened, folded = (show.table(**given, **more)._repr_html_() for more in ({}, {"folded": " All <rows> & more "}))
    line = '<details class="mm-fold"><summary>All &lt;rows&gt; &amp; more</summary>'
    assert folded == opened.replace('<div class="mm-table"', line + '<div class="mm-table"').replace(
        "</div><!-- /mm -->", "</div></details><!-- /mm -->"
    )
    assert "<details" not in opened


@pytest.mark.parametrize(
    "change, message",
    [
        ({"caption": " "}, "caption is empty"),
        ({"folded": " "}, "folded is empty"),
        ({"rows": [["a", 1], ["b"]]}, "2 columns and the row .* of 1 cells"),
        ({"mark": 2}, r"2 rows, numbered from 0, and should mark \[2\]"),
        ({"mark": [-1]}, r"should mark \[-1\]"),
    ],
)
def test_table_refuses_what_it_cannot_show(change, message):
    good = {"header": ["x", "y"], "rows": [["a", 1], "title", ["b", 2]], "caption": "Fine.", "mark": 1}
    show.table(**good)
    with pytest.raises(ValueError, match=message):
        show.table(**good | change)


def test_source_is_the_function_without_decorator_and_docstring():
    patches = pytest.importorskip("mmtokedu.patches")
    text = re.sub(r"<[^>]+>", "", show.source(patches.patchify)._repr_html_().split('<div class="highlight">')[1])
    assert text.startswith("def patchify(images, patch")
    assert "has_cuda_twin" not in text
    assert "Cut images" not in text
    assert "Cut images" in show.source(patches.patchify, docstring=True)._repr_html_()


def test_source_key_follows_the_code():
    plain, other = show.source(show.draw_grid), show.source(show.images)
    assert re.fullmatch(r"[0-9a-f]{12}", plain.key)
    assert plain.key != other.key
    assert plain._repr_html_().startswith(f"<!-- mm:source {plain.key} -->")


def test_outputs_stand_between_markers_and_read_well_in_a_terminal():
    for output in (show.figure(show.subplots()[0], alt="Axes."), show.token_strip([("text", 2, "hi")], alt="Two.")):
        assert re.fullmatch(r"<!-- mm:\w+ -->.*<!-- /mm -->", output._repr_html_(), re.DOTALL)
        assert repr(output) == f"[{output.kind}: {output.alt}]"


def test_frame_slider_holds_every_frame():
    frames = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8)
    output = show.frame_slider(frames, ["0 s", "0.5 s", "1 s"], alt="A clip.")
    for seen, frame in zip(pictures(output), frames, strict=True):
        np.testing.assert_array_equal(seen[..., 0], frame)
    assert output._repr_html_().count("<div hidden>") == 2
    assert 'max="2"' in output._repr_html_()


# ---------------------------------------------------------------- the map


@pytest.fixture(scope="module")
def draw_map():
    spec = importlib.util.spec_from_file_location("draw_map", ROOT / "tools" / "draw_map.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_map_fits_the_table_of_contents(draw_map):
    yaml = pytest.importorskip("yaml")
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    page = draw_map.page(toc)
    written = {Path(page).name for page in draw_map.pages(toc) if page.startswith("notebooks/")}
    links = re.findall(r'<a class="mm-place" href="([^"]+)"', page)
    assert sorted(links) == sorted(2 * [f"../notebooks/{stem}.html" for stem in written & set(draw_map.PLACES)])
    assert page.count(">coming<") == 2 * len(set(draw_map.PLACES) - written)


def test_map_links_what_is_written_and_nothing_else(draw_map):
    toc = {"root": "book/intro", "parts": [{"chapters": [{"file": "notebooks/patches"}, {"file": "notebooks/cache"}]}]}
    assert draw_map.chapter_links(toc) == {"patches": "../notebooks/patches.html", "cache": "../notebooks/cache.html"}
    assert draw_map.page(toc).count("<a ") == 4  # two places on two maps
    assert draw_map.page(toc).count(">coming<") == 14


def test_sounds_are_in_the_page_as_they_were_given():
    sound = np.sin(np.arange(1600) / 5) / 2
    out = show.sounds([sound, sound / 2], 16_000, titles=["loud", "soft <"], alt="A tone twice.")._repr_html_()
    files = [base64.b64decode(data) for data in re.findall(r'src="data:audio/wav;base64,([^"]*)"', out)]
    assert len(files) == 2 and 'aria-label="soft &lt;"' in out and 'aria-label="A tone twice."' in out
    with wave.open(io.BytesIO(files[0])) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 16_000, 1600)
        back = np.frombuffer(file.readframes(1600), "<i2") / 32767
    np.testing.assert_allclose(back, sound, atol=1 / 32767)
    again = show.sounds([sound, sound / 2], 16_000, titles=["loud", "soft <"], alt="A tone twice.")
    other = show.sounds([sound, sound / 3], 16_000, titles=["loud", "soft <"], alt="A tone twice.")
    assert again.key == out[len("<!-- mm:audio ") :][:12] != other.key


@pytest.mark.parametrize(
    "arrays, titles, says",
    [
        ([np.zeros(3)], ["a", "b"], "1 sounds and 2 titles"),
        ([], [], "0 sounds"),
        ([np.zeros((3, 2))], ["stereo"], r"\(3, 2\)"),
        ([np.zeros(0)], ["nothing"], "at least one sample"),
        ([np.full(3, 1.5)], ["clipped"], "reaches 1.5"),
        ([np.full(3, np.nan)], ["nan"], "finite"),
    ],
)
def test_sounds_that_cannot_be_played_are_refused(arrays, titles, says):
    with pytest.raises(ValueError, match=says):
        show.sounds(arrays, 16_000, titles=titles, alt="x")
