"""What the chapter on video refuses: clips, rates, times and counts that no rule can answer for."""

import numpy as np

from mmtokedu._dispatch import is_tensor
from mmtokedu.arguments.common import check_array, check_finite, check_floats, check_number, positive, whole

MAX_FRAMES = 2**53  # the rules divide counts, and beyond this a float no longer tells neighbours apart
MAX_SECONDS = 10**12  # thirty thousand years; some rules list tenths of a second
LARGEST = 1e30  # of a feature, or of a difference of pixels: their squares are still finite
MAX_KEPT = 2**20  # indices in one answer; at two frames a second that is six days
RATES = 1e-9, 1e9  # Hz: from a frame in thirty years to beyond any camera
WIDEST = 1000  # frames on either side of one: a mean over more is no neighbourhood


def check_count(value, name, most=MAX_FRAMES):
    """`value` as an int, or an error unless it is a whole number from 1 to `most`; a truth value is none."""
    if isinstance(value, bool):
        raise TypeError(f"{name} is {value}; expected a whole number")
    count = positive(value, name)
    if count > most:
        shown = count if count < 10**40 else f"over 2**{count.bit_length() - 1}"
        raise ValueError(f"{name} is {shown}; at most {most} are counted")
    return count


def check_rate(value, name):
    """`value` as a float of frames a second, or an error unless it is a number within RATES."""
    rate = check_number(value, name, "frames a second")
    if not RATES[0] <= rate <= RATES[1]:
        raise ValueError(f"{name} is {rate:g} frames a second; expected {RATES[0]:g} to {RATES[1]:g}")
    return rate


def check_clip(total, video_fps):
    """(total, video_fps) as an int and a float, or an error unless there is a frame and a rate."""
    total = check_count(total, "total")
    video_fps = check_rate(video_fps, "video_fps")
    if total / video_fps > MAX_SECONDS:
        raise ValueError(f"{total} frames at {video_fps:g} Hz are over {MAX_SECONDS} seconds (is video_fps in Hz?)")
    return total, video_fps


def check_options(given, takes, either):
    """The options that were given (not None) as numbers, or an error: one the rule lacks, two instead of one."""
    given = {name: value for name, value in given.items() if value is not None}
    unknown = [name for name in given if name not in takes]
    if unknown:
        takes = f"it takes {', '.join(takes)}" if takes else "it takes none: it fixes its own"
        raise ValueError(f"has no option {', '.join(unknown)}; {takes}")
    if all(name in given for name in either):
        both = " and ".join(f"{name}={given[name]}" for name in either)
        raise ValueError(f"{both} both say how many frames to keep; give one of them")
    checks = {name: check_rate if name == "fps" else check_count for name in given}
    return {name: checks[name](value, name) for name, value in given.items()}


def check_order(min_frames, max_frames):
    """Raise ValueError unless min_frames <= max_frames."""
    if min_frames > max_frames:
        raise ValueError(f"min_frames={min_frames} is more than max_frames={max_frames}")


def check_kept(count):
    """`count`, or a ValueError where a list of so many indices is no sample any more."""
    if count > MAX_KEPT:
        raise ValueError(f"{count} frames would be kept; at most {MAX_KEPT} are listed (a lower fps, or fewer frames)")
    return count


def check_one_of(value, name, known):
    """Raise ValueError unless `value` is one of the known texts."""
    if not (isinstance(value, str) and value in known):
        raise ValueError(f"{name} is {value!r}; known are {', '.join(map(repr, known))}")


def _row(x, name, expected):
    """x, also a tensor on any device, as an array; or a TypeError: rows of different lengths, a masked array."""
    if isinstance(x, np.ma.MaskedArray):
        check_array(x, name)
    try:
        return np.asarray(x.tolist() if is_tensor(x) else x)
    except ValueError:
        raise TypeError(f"{name} has rows of different lengths; expected {expected}") from None


# Times


def check_indices(indices):
    """The indices as an int64 array (n,), or an error: a row of at least one whole number, none below 0."""
    row = _row(indices, "indices", "(n,), whole numbers")
    if row.ndim != 1 or not row.size:
        raise ValueError(f"indices have shape {row.shape}; expected (n,), at least one frame")
    if row.dtype.kind not in "iu":
        raise TypeError(f"indices are {row.dtype}; expected whole numbers, as sample_frames gives them")
    if row.min() < 0 or row.max() > MAX_FRAMES:
        wrong = row.min() if row.min() < 0 else row.max()
        raise ValueError(f"index {wrong} is outside 0 to {MAX_FRAMES}")
    return row.astype(np.int64)


def check_merge(merge):
    """`merge` as an int, or an error unless it is a number of frames, 1 to MAX_KEPT."""
    return check_count(merge, "merge", MAX_KEPT)


def check_times(seconds):
    """The times as a list of floats, or an error: finite numbers from 0 to MAX_SECONDS."""
    times = _row(seconds, "seconds", "a number of seconds, or a row of them")
    if times.ndim > 1 or times.dtype.kind not in "iuf":
        shown = f"of shape {times.shape}, {times.dtype}" if times.ndim else repr(seconds)[:60]
        raise TypeError(f"seconds is {shown}; expected a number of seconds, as 2.5, or a row of them")
    times = times.astype(np.float64).reshape(-1)
    if not ((times >= 0) & (times <= MAX_SECONDS)).all():  # NaN is neither
        wrong = times[~((times >= 0) & (times <= MAX_SECONDS))][0]
        raise ValueError(f"seconds is {wrong:g}; expected 0 to {MAX_SECONDS}")
    return times.tolist()


# Features and frames


def check_features(features, name="features"):
    """The array, or an error unless it is (T, N, D) of real floats, finite, within LARGEST, and not empty."""
    check_floats(features, name)
    if not isinstance(features, np.ndarray):
        raise TypeError(f"{name} is {type(features).__name__}; expected a NumPy array (tensor.numpy(force=True))")
    if len(features.shape) != 3 or 0 in features.shape:
        raise ValueError(f"{name} have shape {tuple(features.shape)}; expected (T, N, D), at least one of each")
    largest = check_finite(features, name)
    if largest > LARGEST:
        raise ValueError(f"{name} reach {largest:.6g}; expected numbers up to {LARGEST:g}")
    return features


def check_keep(keep, frames, tokens):
    """`keep` as an int of at least one frame's tokens, or an error where it is no count or more than there are."""
    if isinstance(keep, float):
        raise TypeError(f"keep is {keep}; expected a count of tokens (retained_tokens makes one of a pruning rate)")
    keep = check_count(keep, "keep")
    if keep > frames * tokens:
        raise ValueError(f"keep is {keep}; {frames} frames of {tokens} tokens have {frames * tokens}")
    return max(keep, tokens)


def check_between(value, name, low, high):
    """`value` as a float, or an error unless it is a real number from low to high."""
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    try:
        if isinstance(value, (str, bytes, bytearray, bool)) or kind not in "iuf":
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} is {value!r}; expected a number from {low} to {high}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} is {number:g}; expected {low} to {high}")
    return number


def check_frames(frames):
    """The array or tensor, or an error unless it is (T, H, W, 3) uint8 with at least one pixel."""
    check_array(frames, "frames")
    if str(frames.dtype) not in ("uint8", "torch.uint8"):
        raise TypeError(f"frames are {frames.dtype}; expected uint8, 0 to 255")
    shape = tuple(frames.shape)
    if len(shape) != 4 or shape[-1] != 3 or 0 in shape:
        raise ValueError(f"frames have shape {shape}; expected (T, H, W, 3), RGB, at least one pixel")
    return frames


def check_scores(scores):
    """The scores as a float64 array (T,), or an error: a row of at least one finite number, none below 0."""
    row = _row(scores, "scores", "(T,), as scene_scores gives them")
    if row.dtype.kind not in "iuf":
        raise TypeError(f"scores are {row.dtype}; expected numbers, as scene_scores gives them")
    if row.ndim != 1 or not row.size:
        raise ValueError(f"scores have shape {row.shape}; expected (T,), at least one frame")
    if not (check_finite(row, "scores") <= LARGEST and row.min() >= 0):
        raise ValueError(f"scores reach from {row.min():g} to {row.max():g}; expected 0 to {LARGEST:g}")
    return row.astype(np.float64)


def check_length(min_length):
    """`min_length` as an int of frames, or an error where it is no whole number from 0 up."""
    if whole(min_length, "min_length") < 0:
        raise ValueError(f"min_length is {min_length}; expected a number of frames from 0 up")
    return whole(min_length, "min_length")
