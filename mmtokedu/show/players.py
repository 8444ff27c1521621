"""Sounds as players in a row, inside the page: they need no kernel and no network."""

import hashlib
import html
import io
import wave
from base64 import b64encode

import numpy as np

from mmtokedu.show.markup import alt_text, caption_tag, output


def sounds(arrays, rate, *, titles, alt, caption=None):
    """Show sounds as players in a row, 16-bit and inside the page: they need no kernel and no network.

    `arrays` are sounds (T,) of floats in [-1, 1] at `rate` Hz, `titles` one line for each. Nothing is made louder
    or softer: give sounds of equal level if they are to be compared.

    Raises ValueError for a number of titles other than that of the sounds, and for a sound that is empty, has more
    than one axis, or leaves [-1, 1].

    >>> sounds([np.zeros(160)], 16_000, titles=["silence"], alt="Ten milliseconds of silence.")
    [audio: Ten milliseconds of silence.]
    """
    alt, arrays, titles = alt_text(alt), list(arrays), list(titles)
    if len(arrays) != len(titles) or not arrays:
        raise ValueError(f"sounds() got {len(arrays)} sounds and {len(titles)} titles; give one for each")
    files = [_wav(np.asarray(sound), rate) for sound in arrays]
    players = "".join(
        f'<div><div class="mm-title">{html.escape(title, quote=False)}</div><audio controls preload="metadata" '
        f'aria-label="{html.escape(title)}" src="data:audio/wav;base64,{b64encode(file).decode()}"></audio></div>'
        for title, file in zip(titles, files)
    )
    body = f'<figure class="mm-sounds" role="group" aria-label="{html.escape(alt)}">'
    body += f'<div class="mm-players">{players}</div>{caption_tag(caption)}</figure>'
    return output("audio", body, alt, hashlib.sha256(b"".join(files)).hexdigest()[:12])


def _wav(sound, rate):
    """A sound as the bytes of a WAV file, mono, 16 bits a sample."""
    if sound.ndim != 1 or not sound.size:
        raise ValueError(f"a sound has shape {sound.shape}; pass (T,), at least one sample")
    if not (np.abs(sound) <= 1).all():
        raise ValueError(f"a sound reaches {np.abs(sound).max():.3g}; pass finite floats in [-1, 1]")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.rint(sound * 32767).astype("<i2").tobytes())
    return file.getvalue()
