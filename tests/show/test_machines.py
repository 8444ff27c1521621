"""Drawings of machines and frames: their numbers are the library's, and the pictures' claims hold."""

import inspect
import math

import numpy as np
import pytest

pytestmark = pytest.mark.apart

pytest.importorskip("matplotlib")

from mmtokedu import rvq, show
from mmtokedu.catalog import codecs
from mmtokedu.show import machines

HOP = 12


def bit(hop=HOP, seed=0):
    return np.random.default_rng(seed).normal(0, 1, 4 * hop)


def test_where_two_frames_give_the_mirrors_cancel_and_the_shares_are_the_sound():
    shares, mirrors = show.give_backs(bit(), HOP)
    for i in (0, 1):
        both = slice((i + 1) * HOP, (i + 2) * HOP)
        np.testing.assert_allclose(shares[i : i + 2, both].sum(axis=0), bit()[both], atol=1e-12)
        np.testing.assert_allclose(mirrors[i, both], -mirrors[i + 1, both], atol=1e-12)
        assert np.abs(mirrors[i, both]).max() > 0.1


def test_a_mirror_is_the_half_turned_about_its_middle_upside_down_in_the_first():
    _, mirrors = show.give_backs(bit(), HOP)
    window = np.sin(np.pi * (np.arange(2 * HOP) + 0.5) / (2 * HOP))
    windowed = window * bit()[HOP : 3 * HOP]
    first, second = windowed[:HOP][::-1], windowed[HOP:][::-1]
    expected = window * np.concatenate([-first, second])
    np.testing.assert_allclose(mirrors[1, HOP : 3 * HOP], expected, atol=1e-12)
    assert not mirrors[1, :HOP].any() and not mirrors[1, 3 * HOP :].any()


def test_the_three_frames_together_are_what_the_library_gives_back():
    shares, mirrors = show.give_backs(bit(), HOP)
    inside = rvq.mdct(bit(), HOP)
    inside[[0, 4]] = 0
    np.testing.assert_allclose((shares + mirrors).sum(axis=0), rvq.imdct(inside, 4 * HOP), atol=1e-12)


@pytest.mark.parametrize("draw", [show.mdct_overlap, show.mdct_mirror, show.mdct_sum])
def test_the_mdct_pictures_say_what_they_show_and_refuse_another_length(draw):
    drawn = draw(bit(), HOP, 1200)
    assert "milliseconds" in drawn.alt or "frame" in drawn.alt
    assert (
        "<figcaption>" in drawn._repr_html_() and "<figcaption>" not in draw(bit(), HOP, 1200, caption="")._repr_html_()
    )
    assert draw(bit(), HOP, 1200, alt="Mine.").alt == "Mine."
    with pytest.raises(ValueError, match=r"shape \(47,\); three frames with a hop of 12 are 48"):
        draw(bit()[:-1], HOP, 1200)


def words(monkeypatch, module, draw):
    """All words of a drawing, which every figure goes through."""
    kept = []
    monkeypatch.setattr(module, "figure", lambda fig, **said: kept.append(fig))
    draw()
    return [text.get_text() for text in kept[0].axes[0].texts]


def test_the_codec_has_the_catalogs_numbers(monkeypatch):
    row = codecs.row("encodec-24k")
    assert math.prod(machines._STRIDES) == row.hop
    said = words(monkeypatch, machines, show.codec_machine)
    assert f"{row.sample_rate:,} samples a second → {row.sample_rate // row.hop} frames" in said
    assert f"codebook {row.default}" in said


def test_the_books_own_codec_has_its_numbers():
    pytest.importorskip("torch")
    from mmtokedu.nn.codec import SpeechCodec

    own = {name: p.default for name, p in inspect.signature(SpeechCodec).parameters.items()}
    assert machines._OURS == {name: own[name] for name in machines._OURS}


def test_only_the_vqgan_has_a_fixed_network_and_a_discriminator(monkeypatch):
    said = words(monkeypatch, machines, show.codebook_machines)
    assert said.count("nearest\ncode") == said.count("codebook loss, commitment") == 2
    assert said.count("fixed network") == said.count("discriminator") == 1
    assert "squared error of the pixels" in said


@pytest.mark.parametrize(
    "frame, codebook, sees", [(3, 2, (9, 8, 6)), (1, 1, (0, 0, 0)), (5, 4, (19, 16, 19)), (1, 4, (3, 0, 6))]
)
def test_what_a_code_sees_in_each_layout(frame, codebook, sees):
    """By hand; delayed (1, 4) stands in step 4, after 3, 2 and 1 codes of the other codebooks."""
    assert "sees {}, {} and {} codes".format(*sees) in show.layouts(frame=frame, codebook=codebook).alt


@pytest.mark.parametrize(
    "frame, more, total",
    [
        (80, {"steps": 1}, "80 frame + 1 × 80 code delay = 160 ms"),  # Moshi's README: 160 ms
        (1000 * 320 / 24_000, {}, "13.3 frame ms"),
        (20, {"look_ahead": 5, "steps": 3}, "20 frame + 5 look-ahead + 3 × 20 code delay = 85 ms"),
    ],
)
def test_a_delay_is_frame_and_look_ahead_and_code_delay(frame, more, total):
    drawn = show.streaming_delay("it", frame, **more)
    assert total in drawn._repr_html_()
    assert f"heard after {total.split()[-2] if '=' in total else '13.3'} milliseconds" in drawn.alt


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="frame 6 of 5"):
        show.layouts(frame=6)
    with pytest.raises(ValueError, match="at most 24 codes"):
        show.layouts(T=7, Q=4)
    with pytest.raises(ValueError, match="frame 0 ms"):
        show.streaming_delay("it", 0)


def test_every_panel_has_its_samples_and_both_ways(monkeypatch):
    kept = []
    monkeypatch.setattr(machines, "figure", lambda fig, **said: kept.append((fig, said)))
    ways = np.array([[0.5, 0.9], [0.5, -0.9]])
    panels = {"mean": np.zeros((3, 2)), "codes": ways, "flow": ways + 0.1, "what comes": ways}
    show.next_vectors(panels, np.array([1.0, 0.0]), ways)
    fig, said = kept[0]
    drawn = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in drawn] == list(panels)
    for ax, samples in zip(drawn, panels.values()):
        np.testing.assert_array_equal(ax.get_lines()[0].get_xydata(), samples)
        np.testing.assert_array_equal(ax.get_lines()[1].get_xydata(), ways)
    assert "mean, codes, flow, what comes" in said["alt"]


def test_each_road_names_its_systems(monkeypatch):
    said = words(monkeypatch, machines, show.three_roads)
    assert said.count("transformer") == 3 and said.count("goes in again") == 2
    assert {"LLaVA, Qwen2-VL", "Chameleon, Emu3", "Transfusion, MAR"} <= set(said)
