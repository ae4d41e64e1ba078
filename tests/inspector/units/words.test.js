import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, clip, duration, plural, shortCount } from "../../../integrations/async-tool-inspector/assets/words.js";

test("durations have at most two units, and never sixty of one", () => {
  const cases = { 0: "0 ms", 999: "999 ms", 2_400: "2.4 s", 59_949: "59.9 s", 59_960: "1 min", 185_000: "3 min 5 s", 7_800_000: "2 h 10 min", 97_200_000: "1 d 3 h" };
  for (const [ms, words] of Object.entries(cases)) assert.equal(duration(Number(ms)), words);
  for (let ms = 1; ms < 2e8; ms = Math.ceil(ms * 1.003)) assert.doesNotMatch(duration(ms), /\b60(\.0)? (s|min)\b|\b24 h\b/, `${ms} ms`);
  assert.equal(duration(-5), "0 ms");
});

test("counts are short", () => {
  assert.deepEqual([950, 12_345, 999_960, 4_100_000].map(shortCount), ["950", "12.3k", "1M", "4.1M"]);
  assert.deepEqual([312, 4_100, 2_000_000].map(bytes), ["312 bytes", "4.1 kB", "2 MB"]);
  assert.deepEqual([plural(1, "task"), plural(10_000, "task")], ["1 task", "10,000 tasks"]);
});

test("a text is clipped between characters, on one line", () => {
  assert.equal(clip("one\n two", 20), "one two");
  assert.equal(clip("🐝🐝🐝🐝", 3), "🐝🐝…");
  assert.equal(clip("a".repeat(1_000_000), 10), `${"a".repeat(9)}…`);
});
