"""The explorables of clips on the Python side: arguments are checked, still figures say what the library says."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from mmtokedu import explore
from mmtokedu.catalog import video as catalog
from mmtokedu.explore import _video, _video_budget, _video_golden
from mmtokedu.samples.film import film_facts, film_frames
from mmtokedu.video import sample_frames, timestamp_labels, video_tokens


def data_of(out, topic):
    """What Python writes for the topic's elements."""
    text, start = out._repr_html_(), f"{topic} ??= "
    return json.JSONDecoder().raw_decode(text[text.index(start) + len(start) :])[0]


def key_of(out):
    return re.fullmatch(r"<!-- mm:explore ([0-9a-f]{12}) -->.*<!-- /mm -->", out._repr_html_(), re.S)[1]


# Which frames, what they cost, who catches the moment


def test_output_carries_arguments_and_still():
    out = explore.video(rule="internvl", total=250, video_fps=25, frames=16, event=(100, 109), height=1080)
    head = out._repr_html_().split("</mm-explore-video>")[0]
    attributes = (
        'rule="internvl" model="internvl" total="250" rate="25" height="1080" frames="16" first="100" last="109"'
    )
    assert f"<mm-explore-video {attributes}><figure" in head
    alt = (
        "A clip of 250 frames at 25 a second under InternVL: 16 frames, 4,096 tokens; the moment in frames 100 to 109 is "
        "caught, the last 0.28 s are never seen."
    )
    assert f"<title>{alt}</title>" in head and f"<figcaption>{alt}</figcaption>" in head and 'role="img"' in head
    assert out.alt == alt and head.count(" 40v34M") == 15  # a tick a frame


def test_the_first_state_is_the_clip_of_the_request():
    film = film_facts()
    out = explore.video()
    assert f'total="{film.frames}" rate="{film.fps}" height="{film.height}"' in out._repr_html_()
    assert f'first="{film.ball[0]}" last="{film.ball[1]}"' in out._repr_html_()
    taken = sample_frames(film.frames, film.fps)
    assert not ((taken >= film.ball[0]) & (taken <= film.ball[1])).any() and "is missed" in out.alt


@pytest.mark.parametrize("rule", catalog.rows("sampling"))
def test_still_says_what_the_library_says(rule):
    model, indices = _video.own(rule), sample_frames(300, 30.0, rule=rule)
    caught = ((indices >= 207) & (indices <= 218)).any()
    said = explore.video(rule=rule).alt
    assert f"{len(indices):,} frames, {video_tokens(model, len(indices), 720, 1280):,} tokens" in said
    assert ("is caught" in said) == caught
    assert ("never seen" in said) == (indices.max() < 299)


def test_the_moment_of_a_shorter_clip_is_at_its_end():
    assert 'first="88" last="99"' in explore.video(total=100)._repr_html_()
    assert "frames 15 to 19" in explore.video(total=20, video_fps=2.5).alt  # two seconds at most
    assert "in frame 0 is" in explore.video(total=1, rule="molmo2").alt


def test_options_that_a_rule_lacks_are_left_out_and_of_two_the_rate_goes_first():
    assert explore.video(rule="glm46v", fps=1, max_frames=4).alt == explore.video(rule="glm46v").alt
    both = _video.heeded(catalog.row("sampling", "molmo2"), {"fps": 1.0, "max_frames": 8})
    assert both == {"fps": 1.0} and "10 frames" in explore.video(rule="molmo2", fps=1, max_frames=8).alt


def test_a_refused_clip_is_shown_not_raised():
    assert explore.video(total=1, event=(0, 0)).alt.endswith("refused.")
    assert explore.video(total=1, event=(0, 0), rule="smolvlm").alt.endswith("is caught, the last frame is seen.")


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"rule": "qwen"}, ValueError, "qwen-vl-utils"),
        ({"model": "gpt-9"}, ValueError, "qwen2.5-vl"),
        ({"total": 0}, ValueError, "total is 0; choose 1 to 1000000"),
        ({"total": 10.5}, TypeError, "integer"),
        ({"video_fps": 0.5}, ValueError, "video_fps is 0.5; choose 1 to 240"),
        ({"video_fps": float("nan")}, ValueError, "video_fps is nan"),
        ({"fps": 2, "frames": 8}, ValueError, "both say how many frames"),
        ({"fps": 0.001}, ValueError, "fps is 0.001; choose 0.01 to 240"),
        ({"frames": 0}, ValueError, "frames is 0; choose 1 to 4096"),
        ({"max_frames": "8"}, TypeError, "integer"),
        ({"event": (290, 300)}, ValueError, "event is (290, 300); expected its first and last frame, 0 to 299"),
        ({"event": (9, 8)}, ValueError, "event is (9, 8)"),
        (
            {"total": 100, "event": (207, 218)},
            ValueError,
            "event is (207, 218); expected its first and last frame, 0 to 99",
        ),
        ({"event": (0, 60)}, ValueError, "event is (0, 60); choose 3 to 60 frames, 0.1 to 2 s at 30 Hz"),
        ({"event": (0, 1)}, ValueError, "event is (0, 1); choose 3 to 60"),
        ({"height": 700}, ValueError, "height is 700; choose 360, 720, 1080, 2160"),
    ],
)
def test_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.video(**arguments)


def test_data_in_the_page_is_the_catalog():
    data = data_of(explore.video(), "video")
    for kind in ("sampling", "time", "tokens"):
        assert [row["id"] for row in data[kind]] == list(catalog.rows(kind))
        for told in data[kind]:
            row = catalog.row(kind, told["id"])
            assert told["as_of"] == row.as_of.isoformat() and told["source"] == row.source
            for name in ("parameters", "defaults"):
                assert told.get(name) == (
                    json.loads(json.dumps(dict(getattr(row, name)))) if hasattr(row, name) else None
                )
            for name in ("options", "either"):
                assert told.get(name) == (list(getattr(row, name)) if hasattr(row, name) else None)


def test_thumbnails_tell_every_state_of_the_clip():
    """The picture of a frame is that of the last pictured one before it: of the same shot, with the ball or without."""
    film, pictured = film_facts(), np.array(_video.pictured())
    shown = pictured[np.searchsorted(pictured, np.arange(film.frames), side="right") - 1]
    shot = lambda frames: np.searchsorted(film.cuts, frames, side="right")
    np.testing.assert_array_equal(shot(shown), shot(np.arange(film.frames)))
    ball = np.arange(film.ball[0], film.ball[1] + 1)
    np.testing.assert_array_equal(shown[ball], ball)
    assert not np.isin(np.delete(shown, ball), ball).any()


def test_thumbnails_are_the_clips_frames_in_their_places():
    sheet = _video._sheet()
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet["src"].split(",")[1]))))
    assert picture.shape == (sheet["rows"] * 54, sheet["cols"] * 96, 3) and len(sheet["src"]) < 110_000
    frames = film_frames()[sheet["frames"]].astype(float)
    for k in range(len(frames)):
        row, col = divmod(k, sheet["cols"])
        thumb = picture[row * 54 : (row + 1) * 54, col * 96 : (col + 1) * 96].astype(float)
        means = [[part.mean(axis=(0, 1)) for part in np.array_split(a, 4, axis=1)] for a in (thumb, frames[k])]
        np.testing.assert_allclose(*means, atol=4)


def test_the_key_follows_what_is_said_and_not_how_a_picture_is_encoded(monkeypatch):
    first = key_of(explore.video())
    assert key_of(explore.video(rule="qwen-vl-utils")) == first != key_of(explore.video(fps=1))
    other = {**_video._sheet(), "src": "data:image/jpeg;base64,AAAA"}
    monkeypatch.setattr(_video, "_sheet", lambda: other)
    assert key_of(explore.video()) == first
    monkeypatch.setattr(_video, "_sheet", lambda: {**other, "cols": 11})
    assert key_of(explore.video()) != first


def test_no_size_of_the_page_has_grids_equally_near():
    grids = [row for row in catalog.rows("tokens").values() if row.rule == "nearest_grid"]
    assert grids
    for row in grids:
        assert not any(_video_golden.nearly_equal_grids(*size, **row.parameters) for size in _video.SIZES)
    assert _video_golden.nearly_equal_grids(100, 100, **grids[0].parameters)


def test_golden_vectors_are_the_librarys():
    golden = explore.golden_vectors("video")
    samples, plans, labels = golden["samples"], golden["plans"], golden["labels"]
    assert {row[0] for row in samples} == set(catalog.rows("sampling"))
    assert {row[0] for row in plans} == set(catalog.rows("tokens")) and {row[0] for row in labels} == set(
        catalog.rows("time")
    )
    for rule, total, rate, options, told in samples[::37]:
        if isinstance(told, str):
            with pytest.raises(ValueError, match=re.escape(told)):
                sample_frames(total, rate, rule=rule, **options)
        else:
            assert np.cumsum(told).tolist() == sample_frames(total, rate, rule=rule, **options).tolist()
    for style, indices, rate, told in labels[::11]:
        assert told == timestamp_labels(indices, rate, style)
    for model, frames, height, width, told, *_ in plans[::41]:
        if not isinstance(told, str):
            assert told == video_tokens(model, frames, height, width)
    refused = {row[0] for row in samples if isinstance(row[4], str)}
    assert len(refused) > 10 and sum(isinstance(row[4], str) for row in samples) > 100
    options = {name for row in samples for name in row[3]}
    assert options == {"fps", "frames", "max_frames"}
    assert sum(".5 s" in label or ".0 s" in label for row in labels for label in row[3]) > 5


# One budget, spent on frames or on pixels


def test_budget_output_carries_arguments_and_still():
    out = explore.video_budget(fps=2, budget=2048, digits=28, moment=0.25, limit=4)
    head = out._repr_html_().split("</mm-explore-video_budget>")[0]
    assert '<mm-explore-video_budget fps="2" budget="2048" digits="28" moment="0.25"><figure' in head
    assert f"<title>{out.alt}</title>" in head and 'role="img"' in head and "under 4 px" in head
    assert data_of(out, "video_budget")["limit"] == 4


@pytest.mark.parametrize(
    ("fps", "size", "tokens"),  # 1,024 tokens for 20 s, as measured with digits of 18 px
    [(0.25, (364, 672), 936), (0.5, (280, 532), 950), (1, (196, 364), 910), (2, (140, 252), 900), (4, (84, 168), 720)],
)
def test_budget_is_spent_as_in_the_experiment(fps, size, tokens):
    assert _video_budget.spent(1024, fps) == (size, tokens)


def test_budget_rises_with_the_rate_until_the_digits_are_too_small():
    value = lambda fps: _video_budget.outcome(fps, 1024, 18, 0.5, 3.5)[2]
    assert [value(fps) for fps in (0.25, 0.5, 1, 2, 2.5, 8)] == [0.125, 0.25, 0.5, 1, 0, 0]


def test_no_budget_is_overspent():
    for budget in _video_budget.BUDGETS:
        for fps in _video_budget.RATES:
            (height, width), tokens = _video_budget.spent(budget, fps)
            assert tokens <= budget or (height, width) == (28, 28) or 28 in (height, width)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"fps": 7}, "fps is 7; choose 0.1, 0.15"),
        ({"budget": 1000}, "budget is 1000; choose 256, 512"),
        ({"digits": "18"}, "digits is '18'; choose 12, 18"),
        ({"moment": 3}, "moment is 3; choose 0.1, 0.25"),
        ({"limit": 0}, "limit is 0"),
    ],
)
def test_budget_arguments_are_checked(arguments, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        explore.video_budget(**arguments)
