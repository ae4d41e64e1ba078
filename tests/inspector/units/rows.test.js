import assert from "node:assert/strict";
import { test } from "node:test";

import { Rows } from "../../../integrations/async-tool-inspector/assets/rows.js";
import { Session } from "../../../integrations/async-tool-inspector/assets/session.js";

const row = (task, more = {}) => ({ task, tool: "work", status: "running", accepted: 0, attempts: 1, phases: [], ...more });
const session = (tasks) => new Session({ session: "s", row: { state: "idle", source: "agent", open_tasks: 0 }, tasks });
const shown = (rows) => rows.all.map(({ task, depth }) => `${"-".repeat(depth)}${task.id}`);

const TREE = [row("a", { accepted: 1 }), row("b", { accepted: 2 }), row("a1", { parent: "a", accepted: 3 }), row("a2", { parent: "a", accepted: 4 }), row("a1x", { parent: "a1", accepted: 5 })];

test("children stand below their parent, in the order of acceptance", () => {
  const rows = new Rows();
  rows.update(session(TREE).roots);
  assert.deepEqual(shown(rows), ["a", "-a1", "--a1x", "-a2", "b"]);
  assert.equal(rows.placeOf("a2"), 3);
});

test("the order in which tasks arrive doesn't matter", () => {
  const expected = ["a", "-a1", "--a1x", "-a2", "b"];
  const orders = (items) => (items.length < 2 ? [items] : items.flatMap((item, place) => orders(items.toSpliced(place, 1)).map((rest) => [item, ...rest])));
  for (const order of orders(TREE)) {
    const rows = new Rows();
    rows.update(session(order).roots);
    assert.deepEqual(shown(rows), expected, order.map((task) => task.task).join());
  }
});

test("a folded task hides all below it", () => {
  const rows = new Rows();
  rows.fold("a", true);
  rows.update(session(TREE).roots);
  assert.deepEqual(shown(rows), ["a", "b"]);
  assert.equal(rows.placeOf("a1x"), -1);
});

test("a filter finds tasks under a folded one, by number, tool, status and wait", () => {
  const tasks = [row("a", { number: "t1" }), row("b", { parent: "a", tool: "hash", status: "failed", settled: 5, accepted: 1 }), row("c", { number: "t2", waits_for: { kind: "rate" }, accepted: 2 })];
  const found = (words, onlyOpen = false) => {
    const rows = new Rows();
    rows.fold("a", true);
    rows.words = words;
    rows.onlyOpen = onlyOpen;
    rows.update(session(tasks).roots);
    return rows.all.map(({ task }) => task.id);
  };
  assert.deepEqual(found("HASH fail"), ["b"]);
  assert.deepEqual(found("t2"), ["c"]);
  assert.deepEqual(found("rate"), ["c"]);
  assert.deepEqual(found("", true), ["a", "c"]);
});

test("a task that names itself as its parent is shown once", () => {
  const rows = new Rows();
  rows.update(session([row("a", { parent: "a" })]).roots);
  assert.deepEqual(shown(rows), ["a"]);
});

test("a window of ten thousand rows has as many rows as fit", () => {
  const rows = new Rows();
  rows.update(session(Array.from({ length: 10_000 }, (_, place) => row(`task ${place}`, { accepted: place }))).roots);
  assert.equal(rows.all.length, 10_000);
  const { first, end } = rows.window(120_000, 600, 24);
  assert.ok(first <= 5_000 && end >= 5_025 && end - first < 32);
  assert.equal(rows.window(1e9, 600, 24).end, 10_000);
});
