import assert from "node:assert/strict";
import { test } from "node:test";

import { LONGEST, SHORTEST, TimeScale, offset } from "../../../integrations/async-tool-inspector/assets/scale.js";

test("a place and its moment are two names of one thing", () => {
  const scale = new TimeScale(1_000_000, 5_000, 800);
  for (const x of [0, 1, 333.3, 800, -50]) assert.ok(Math.abs(scale.x(scale.at(x)) - x) < 1e-6);
});

test("zooming keeps the moment under the pointer", () => {
  for (const factor of [0.1, 0.5, 1.5, 40]) {
    for (const x of [0, 123, 799]) {
      const before = new TimeScale(1_000_000, 5_000, 800);
      const after = before.zoomed(factor, x);
      assert.ok(Math.abs(after.at(x) - before.at(x)) < 1e-3, `factor ${factor} at ${x}`);
    }
  }
});

test("zooming ends at the shortest and the longest window", () => {
  let scale = new TimeScale(0, 5_000, 800);
  for (let step = 0; step < 100; step += 1) scale = scale.zoomed(2, 400);
  assert.equal(scale.span, SHORTEST);
  for (let step = 0; step < 100; step += 1) scale = scale.zoomed(0.5, 400);
  assert.equal(scale.span, LONGEST);
});

test("panning moves by pixels and keeps the span", () => {
  const scale = new TimeScale(0, 8_000, 800).panned(80);
  assert.equal(scale.start, 800);
  assert.equal(scale.span, 8_000);
});

test("a fitted window holds both ends", () => {
  const scale = new TimeScale(0, 10, 800).fitted(5_000, 65_000);
  assert.ok(scale.x(5_000) > 0 && scale.x(65_000) < 800);
});

test("a window that follows has the moment near its right end", () => {
  const scale = new TimeScale(0, 10_000, 1_000).following(50_000);
  assert.ok(scale.x(50_000) > 900 && scale.x(50_000) < 1_000);
});

test("marks are round, apart, and inside of the window at every zoom", () => {
  for (let span = SHORTEST; span < LONGEST; span *= 1.7) {
    const scale = new TimeScale(1_700_000_000_123, span, 900);
    const ticks = scale.ticks(1_700_000_000_000);
    assert.ok(ticks.length > 0 && ticks.length <= 11, `${ticks.length} marks at ${span} ms`);
    for (const [place, tick] of ticks.entries()) {
      assert.ok(tick.x >= -1e-6 && tick.x <= 900 + 1e-6);
      if (place > 0) assert.ok(tick.x - ticks[place - 1].x >= 89.999);
    }
    assert.equal(new Set(ticks.map((tick) => tick.label)).size, ticks.length, `two marks with one label at ${span} ms`);
  }
});

test("labels of marks count from the start of the session", () => {
  assert.equal(offset(0, 100), "0");
  assert.equal(offset(250, 50), "250 ms");
  assert.equal(offset(1_500, 500), "1.5 s");
  assert.equal(offset(125_000, 5_000), "2:05");
  assert.equal(offset(3_661_000, 1_000), "1:01:01");
  assert.equal(offset(-2_000, 1_000), "−2 s");
});
