"""The explorable of interleaving in Chromium: golden vectors replayed, media resized, masks and labels told."""

import functools
import json

import harness
import numpy as np
import pytest
from harness import YARDSTICK, core, element, press, settle
from harness import holds_interleave as holds

from mmtokedu import explore
from mmtokedu.catalog import styles
from mmtokedu.explore import _interleave

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "interleave"
state = functools.partial(harness.state, topic=TOPIC)

REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-interleave").core, bad = [];
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b), seen = {sequences: 0, refused: 0, rows: 0};
  for (const [state, expected] of golden.sequences) {
    seen.sequences++;
    let sequence;
    try { sequence = core.made(state); } catch (error) {
      if (!(error instanceof core.Refused)) throw error;
      seen.refused++;
      if (error.message !== expected) bad.push([state, expected, error.message]);
      continue;
    }
    if (typeof expected === "string") { bad.push([state, expected, "not refused"]); continue; }
    const told = core.told(sequence), {masks, ...rest} = expected;
    for (const [name, value] of Object.entries(rest)) if (!same(told[name], value)) bad.push([state, name, value, told[name]]);
    for (const [rule, window, rows] of masks ?? []) for (const [row, start, stop] of rows) {
      seen.rows++;
      if (!same(core.visible(sequence, rule, window, row), [start, stop])) bad.push([state, rule, window, row, start, stop]);
    }
  }
  return {bad: bad.slice(0, 6).map((one) => JSON.stringify(one).slice(0, 700)), count: bad.length, seen};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors(TOPIC)
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    told = [answer for _, answer in golden["sequences"] if not isinstance(answer, str)]
    assert result["seen"] == {
        "sequences": len(golden["sequences"]),
        "refused": len(golden["sequences"]) - len(told),
        "rows": sum(len(rows) for answer in told for *_, rows in answer["masks"]),
    }
    assert result["seen"]["refused"] > 40 and result["seen"]["rows"] > 20_000
