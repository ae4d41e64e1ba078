import assert from "node:assert/strict";
import { test } from "node:test";

import { arrival, firstAfter } from "../../../integrations/async-tool-inspector/assets/drawing.js";
import { ServerClock } from "../../../integrations/async-tool-inspector/assets/clock.js";
import { Session } from "../../../integrations/async-tool-inspector/assets/session.js";

const view = (more) => ({ session: "s", row: { state: "thinking", source: "agent", open_tasks: 1 }, ...more });
const task = (number, more = {}) => ({ task: `id of ${number}`, number, tool: "work", status: "running", accepted: 10, attempts: 1, phases: [], ...more });

test("an update replaces a task as a whole", () => {
  const session = new Session(view({ tasks: [task("t1", { words: "waits", asks: { asking: "x", kind: "input" } })] }));
  session.apply({ tasks: [task("t1", { status: "completed", settled: 20 })] });
  const known = session.numbers.get("t1");
  assert.equal(known.row.words, undefined);
  assert.ok(known.isEnded);
  assert.equal(session.roots.length, 1);
});

test("a delivery is known once, and gets its turn later", () => {
  const session = new Session(view({ tasks: [task("t1")], deliveries: [{ at: 20, task: "t1", how: "delivered" }] }));
  const [delivery] = session.numbers.get("t1").deliveries;
  assert.equal(arrival(session, delivery), undefined);
  session.apply({ turns: [{ turn: 1, from: 5, end: "ended", calls: [] }, { turn: 2, from: 30, calls: [] }], deliveries: [{ at: 20, task: "t1", how: "delivered", turn: 2 }] });
  assert.equal(session.numbers.get("t1").deliveries.length, 1);
  assert.equal(arrival(session, session.numbers.get("t1").deliveries[0]), 30);
});

test("live text grows, and gives way to the text of the turn's end", () => {
  const session = new Session(view({ turns: [{ turn: 1, from: 5, calls: [], text: "" }] }));
  session.apply({ live: { turn: 1, text: "one", reasoning: "" } });
  session.apply({ live: { turn: 1, more: " two", more_reasoning: "hm" } });
  assert.deepEqual(session.live, { turn: 1, text: "one two", reasoning: "hm" });
  session.apply({ turns: [{ turn: 1, from: 5, to: 9, end: "ended", calls: [], text: "one two three" }] });
  assert.equal(session.live, null);
  assert.equal(session.running, undefined);
  session.apply({ live: { turn: 2, more: "new" } });
  assert.equal(session.live.text, "new");
});

test("turns are replaced by number, and inserted in order", () => {
  const session = new Session(view({ turns: [{ turn: 1, from: 1, calls: [] }, { turn: 3, from: 3, calls: [] }] }));
  session.apply({ turns: [{ turn: 2, from: 2, calls: [] }, { turn: 1, from: 1, to: 2, end: "failed", calls: [] }] });
  assert.deepEqual(session.turns.map((turn) => `${turn.turn} ${turn.end ?? ""}`), ["1 failed", "2 ", "3 "]);
});

test("a search in order finds the first item above a limit", () => {
  const items = [1, 3, 3, 8];
  assert.deepEqual([0, 1, 3, 8].map((limit) => firstAfter(items, limit, (item) => item)), [0, 1, 3, 4]);
  assert.equal(firstAfter([], 1, (item) => item), 0);
});

test("a late message doesn't turn the server's clock back", () => {
  let here = 1_000;
  const clock = new ServerClock(() => here);
  clock.heard(5_000);
  here = 1_500;
  clock.heard(5_100); // 400 ms on its way
  assert.equal(clock.now(), 5_500);
  clock.heard(100, true); // another process
  assert.equal(clock.now(), 100);
});
