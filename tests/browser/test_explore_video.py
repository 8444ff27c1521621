"""The explorable of clips in Chromium: golden vectors replayed, the moment dragged, every rule and system shown."""

import json

import pytest

from mmtokedu import explore

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
TOPIC = "video"


REPLAY = """text => {
  const golden = JSON.parse(text), core = customElements.get("mm-explore-video").core, bad = [], seen = {}, refused = {};
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const ask = (act) => { try { return act(); } catch (error) { if (error instanceof core.Refused) return error.message; throw error; } };
  const check = (name, answer) => golden[name].forEach((row) => {
    const [got, expected] = answer(row);
    seen[name] = (seen[name] ?? 0) + 1;
    refused[name] = (refused[name] ?? 0) + (typeof got === "string");
    if (!same(got, expected)) bad.push([name, row, got]);
  });
  const steps = (indices) => typeof indices === "string" ? indices : indices.map((x, i) => x - (indices[i - 1] ?? 0));
  check("samples", ([rule, total, rate, options, expected]) => [steps(ask(() => core.sample(rule, total, rate, options))), expected]);
  check("plans", ([model, frames, h, w, ...expected]) => {
    const plan = ask(() => core.plan(model, frames, h, w));
    return typeof plan === "string" ? [plan, expected[0]] : [[plan.tokens, plan.resized, plan.grid, plan.parts], expected];
  });
  check("labels", ([style, indices, rate, expected]) => [core.labels(style, indices, rate), expected]);
  return {bad: bad.slice(0, 8).map((one) => JSON.stringify(one).slice(0, 500)), count: bad.length, seen, refused};
}"""


def test_golden_vectors(visit):
    golden = explore.golden_vectors("video")
    result = visit().evaluate(REPLAY, json.dumps(golden, allow_nan=False))
    assert result["count"] == 0, result["bad"]
    assert result["seen"] == {name: len(rows) for name, rows in golden.items()}
