"""How far positions carry: other widths, larger grids, another rule after a film, other frame rates.

    python experiments/mrope.py                 every part (about 45 minutes of one core); rewrites
                                                mmtokedu/data/results/mrope.json
    python experiments/mrope.py grid clock      these parts alone; keeps what else is stored
    python experiments/mrope.py --resume        goes on with the runs that a stopped one did not get to
    python experiments/mrope.py --quick         a few steps of one seed of each, printed, nothing written

Tasks and ways are those of `mmtokedu.nn.mrope`. Parts, three seeds each:

grid    (A) each cell of a film of random colours is asked which colour is k cells further along t, h or w. Told by one
        axis in reading order, with and without a token after each row, by learned tables, as they are or stretched,
        by M-RoPE in blocks and interleaved. Trained on films of 3 x 5 x 5 alone or of mixed shapes up to 4 x 6 x 6;
        "interleaved" also on shapes up to 6 x 10 x 10. Asked on the trained width, another width, twice, four times
offset  (B) the same with one layer, in which the score of a cell depends on its offset alone: score against offset, and
        larger grids with all cells to be seen, with those alone whose offset was trained, with as many drawn from all
resume  (C) words, a film, words; asked for the word after X, for a cell of the last and of the first frame. Trained
        with one rule for where text goes on after the film, served with each
clock   (D) frames at 1, 2, 4 and 8 a second, told by index, by positions in time, by time as text; asked what was k
        seconds ago and k frames ago. Trained at 2 a second or at 1, 2 and 4. The number of frames is drawn alike at all
        rates: where short clips mean low rates, an index tells the rate after all
tags    (E) each frame is asked for the latest earlier frame with its tag; trained on 32 frames, asked on 128, and
        lured by a decoy further back. t on the fastest pairs, in turns, on the slowest
theta   (E) the grid with theta = 1,000,000: the wavelengths of a trained Qwen2-VL where one axis gives way to the next
mirror  (E) the grid asked for the cell as far from the other edge: a place in the picture in place of a distance

By guessing: 1/8, and about 0.2 for who always says a small film's commonest colour; `guess` says what that has.

Predictions, 2026-11-30, written before any run of this program. The prototype's results for grid, offset, clock (without
text), tags and theta had been seen; nothing of resume, of time as text, of row breaks, of mirrored places, nor of the
control "as many".

1  grid: "line" trained on one shape is over 0.95 along all axes at its width, also on a taller film, and under 0.25
   along t and h at another width. Trained on mixed shapes it is under 0.7 along h at any. Along w it is over 0.95 on
   every film, four times as large too.
2  grid: tokens after each row help "line" on mixed shapes, by 0.2 or more along h on trained shapes.
3  grid: tables are over 0.9 on trained shapes and under 0.3 on four times; stretched ones fail at another width (under
   0.5 along w), because a step in them is no longer the same.
4  grid: blocks and interleaved, trained on one shape alone, are over 0.95 at another width and over 0.9 on twice. On
   four times they are under 0.9 along one axis at least. So mixed shapes help them by less than 0.1 on twice and within
   the spread of seeds on four times.
5  offset: on four times, with trained offsets alone every axis and seed is over 0.99; with all cells one axis at least is
   under 0.95; with as many drawn from all, it stays under 0.98.
6  resume: served as trained, all rules have word and last over 0.9. Trained with "after-max" and served with "spatial",
   last is under 0.5 on films of eight frames, and word loses less than 0.05; a film of two frames is the same under both.
   Trained with "spatial" and served with "after-max", first falls more than last.
7  resume: served with "count", the words too are hurt: by more than 0.1 on films of eight frames.
8  clock: index has frames over 0.95 at all rates, and seconds under 0.7 when trained on three rates; trained at 2 it
   answers 2 k frames ago for k seconds.
9  clock: ids have seconds over 0.95 at 1, 2 and 4 and less at 8; frames under 0.7. With the fractions cut off, frames
   share an id from 4 a second on: under 0.6 at 4, under 0.4 at 8.
10 clock: time as text has seconds over 0.9 and frames over 0.9 at all rates, 8 too.
11 tags: 128 frames: interleaved is over blocks on each seed; a decoy 39 or 40 back lures blocks most. Which of the three
   layouts is best is within the spread of seeds, so that "time owns the fastest pairs" is neither good nor bad as such.
12 theta: blocks learn no axis (under 0.4), interleaved all (over 0.95).
13 mirror: stretched tables carry over to twice and four times (over 0.8 along each axis), M-RoPE does not (under 0.5).
"""
