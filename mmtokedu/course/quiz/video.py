"""The numbers in the questions of the video chapter: the right ones by the library, the wrong ones as they are made."""

import math

from mmtokedu import video

NTSC = 30_000 / 1_001  # frames a second of a recording that is called 29.97


def taken(seconds, fps):
    return len(video.sample_frames(all_frames(seconds, fps), fps))


def odd_count(seconds):
    return int(2 * seconds)


def one_more_pair(seconds):
    return math.ceil(seconds) * 2


def pairs(seconds, fps):
    return taken(seconds, fps) // 2


def all_frames(seconds, fps):
    return int(seconds * fps)


def _last(count, rule):
    return int(video.sample_frames(300, 30, frames=count, rule=rule)[-1])


def never_seen(count):
    return (299 - _last(count, "transformers-qwen2")) / 30


def last_seen_at(count):
    return _last(count, "transformers-qwen2") / 30


def half_a_step(count):
    return 10 / count / 2


def clip_tokens(frames, size):
    return video.video_tokens("qwen2.5-vl", frames, *size)


def token_a_frame(frames, size):
    return 2 * clip_tokens(frames, size)


def cells(size):
    return math.prod(size) // 28**2


def patches_of_14(frames, size):
    return 4 * clip_tokens(frames, size)


def share_of_pixels(frames, times):
    few, many = (math.prod(video.clip_resize(n, 1080, 1920)) for n in (frames, times * frames))
    return 100 * many / few


def share_of_a_side(times):
    return 100 / math.sqrt(times)


def share_twice(times):
    return 100 / times**2


def label(pair):
    return _told(video.timestamp_labels(pair, 30.0))


def first_of_the_pair(pair):
    return _told(video.timestamp_labels(pair[:1], 30.0))


def last_of_the_pair(pair):
    return _told(video.timestamp_labels(pair[1:], 30.0))


def at_24(pair):
    return _told(video.timestamp_labels(pair, 24.0))


def _told(labels):
    """The number in a label such as <3.4 seconds>."""
    (only,) = labels
    return float(only.strip("<>").split()[0])


def share_caught(moment):
    """Of all moments of this length in a clip of five minutes, the share that contains a frame that is taken."""
    duration, rate = moment
    frames, total = round(30 * duration), 9000
    index = set(video.sample_frames(total, 30, fps=rate, max_frames=total).tolist())
    starts = range(total - frames + 1)
    return 100 * sum(not index.isdisjoint(range(start, start + frames)) for start in starts) / len(starts)


def duration_alone(moment):
    return 100 * moment[0]


def share_missed(moment):
    return 100 - share_caught(moment)


def frames_by_transcript(words, rate):
    return video.video_tokens("gemini-3", 3600, 720, 1280) / (60 * words * rate / 100)


def words_for_tokens(words):
    return frames_by_transcript(words, 100)


def a_frame_a_minute(words, rate):
    return frames_by_transcript(words, rate) / 60


def drift(minutes):
    frame = [round(60 * minutes * NTSC)]
    (true,), (written,) = (video.timestamps(frame, rate, 1) for rate in (NTSC, 30))
    return true - written


def one_in_a_hundred(minutes):
    return 10 * drift(minutes)


def drift_in_frames(minutes):
    return 30 * drift(minutes)


def not_there(count):
    return int((video.sample_frames(431, 25, frames=count) >= 300).sum())
