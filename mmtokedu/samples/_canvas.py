"""A picture under construction: what stands where, and where there is still room."""

import numpy as np

from mmtokedu.samples._drawing import COLOURS, flat_ground, outlined, paste, photo_ground, text_mask

PLACES = tuple(f"{row}-{column}" for row in ("top", "middle", "bottom") for column in ("left", "centre", "right"))


class Canvas:
    """A picture under construction: whole numbers, and the boxes (y0, x0, y1, x1) where something stands."""

    def __init__(self, rng, size, ground, split):
        self.rng, self.size = rng, size
        self.ground = ground or ("flat", "photo")[rng.integers(2)]
        self.image = flat_ground(rng, size) if self.ground == "flat" else photo_ground(rng, size, split)
        self.taken = []

    def free(self, box, gap=2):
        y0, x0, y1, x1 = box
        inside = 1 <= y0 and 1 <= x0 and y1 < self.size[0] and x1 < self.size[1]
        return inside and not any(
            y0 < b1 + gap and a0 < y1 + gap and x0 < d1 + gap and c0 < x1 + gap for a0, c0, b1, d1 in self.taken
        )

    def somewhere(self, height, width, tries=12):
        """A free box of that size, taken from now on, or None."""
        room_y, room_x = self.size[0] - height - 1, self.size[1] - width - 1
        if room_y < 2 or room_x < 2:
            return None
        for y, x in self.rng.integers(1, (room_y, room_x), (tries, 2)).tolist():
            if self.free(box := (y, x, y + height, x + width)):
                self.taken.append(box)
                return box
        return None

    def object_box(self):
        """A free square around the middle of a ninth of the picture: its box and the place's name, or None."""
        reach = [n // 16 for n in self.size]
        for place, side in zip(self.rng.permutation(9).tolist(), self.rng.integers(12, 19, 9).tolist()):
            middle = [(2 * i + 1) * n // 6 for i, n in zip(divmod(place, 3), self.size)]
            away = self.rng.integers([-n for n in reach], [n + 1 for n in reach]).tolist()
            y, x = (m + off - side // 2 for m, off in zip(middle, away))
            if self.free(box := (y, x, y + side, x + side)):
                self.taken.append(box)
                return box, PLACES[place]
        return None

    def shade(self, colour):
        return (np.array(COLOURS[colour]) + self.rng.integers(-12, 13, 3)).clip(0, 255)

    def shows(self, colour, box):
        """Whether a shape of that colour can be told from what lies under its box."""
        y0, x0, y1, x1 = box
        size = (y1 - y0) * (x1 - x0)
        under = self.image[y0:y1, x0:x1].sum(axis=(0, 1))
        return int(abs(under - size * np.array(COLOURS[colour])).sum()) > 120 * size

    def ink(self, box):
        """A grey that stands out from what lies under the box, and its opposite for an outline."""
        y0, x0, y1, x1 = box
        dark = int(self.image[y0:y1, x0:x1].sum()) > 120 * 3 * (y1 - y0) * (x1 - x0)
        return (int(self.rng.integers(0, 41)), 235) if dark else (int(self.rng.integers(215, 256)), 20)

    def write(self, image, text, height, box, ink):
        """Put a text into its box, outlined over a photo."""
        mask, _ = text_mask(text, height)
        if self.ground == "photo":
            paste(image, outlined(text, height) // 4 * 3, box[0] - 1, box[1] - 1, [ink[1]] * 3)
        paste(image, mask, *box[:2], [ink[0]] * 3)

    def text(self, text, height, tries=12):
        """Write it where there is room; its box, or None."""
        mask, _ = text_mask(text, height)
        if (box := self.somewhere(*mask.shape, tries)) is not None:
            self.write(self.image, text, height, box, self.ink(box))
        return box
