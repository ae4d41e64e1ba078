import assert from "node:assert/strict";
import { test } from "node:test";

import { KINDS, LOOKS, briefly, inWords, kindOf } from "../../../integrations/async-tool-inspector/assets/phase.js";

const WAITS = ["slot", "rate", "resource", "result", "agent", "retry", "consent", "input", "outside", "worker", "depends", "running", "stopping", "lost"];

test("each kind of the server's phases has a look", () => {
  for (const kind of WAITS) assert.equal(kindOf(kind), kind);
  assert.deepEqual([...KINDS].sort(), [...WAITS].sort());
});

test("kinds differ without colour", () => {
  assert.equal(new Set(KINDS.map((kind) => LOOKS[kind].pattern)).size, KINDS.length);
  assert.equal(new Set(KINDS.map((kind) => LOOKS[kind].text)).size, KINDS.length);
  const solid = KINDS.filter((kind) => LOOKS[kind].pattern === "solid");
  assert.deepEqual(solid, ["running"]);
});

test("a kind of a later server is shown and not refused", () => {
  assert.equal(kindOf("moon"), "outside");
  assert.equal(kindOf("toString"), "outside");
});

test("words name the tasks that a task waits for", () => {
  assert.equal(briefly({ kind: "result", from: 0, tasks: ["t3"] }, 10), "for t3");
  assert.equal(briefly({ kind: "resource", from: 0, tasks: ["t1", "t2", "t3", "t4"] }, 10), "for t1, t2 +2");
});

test("words count down while a phase lasts, and no longer", () => {
  assert.equal(briefly({ kind: "rate", from: 0, until: 3_000 }, 1_000), "rate, 2.0 s");
  assert.equal(briefly({ kind: "rate", from: 0, until: 3_000, to: 2_000 }, 1_000), "rate");
  assert.equal(briefly({ kind: "rate", from: 0, until: 3_000 }, 4_000), "rate");
});

test("the second attempt is named", () => {
  assert.equal(briefly({ kind: "running", from: 0, attempt: 1 }, 10), "running");
  assert.equal(briefly({ kind: "running", from: 0, attempt: 2 }, 10), "attempt 2");
  assert.match(inWords({ kind: "running", from: 0, attempt: 2 }, 500), /attempt 2, for 500 ms/);
});
