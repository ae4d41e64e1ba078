import assert from "node:assert/strict";
import { test } from "node:test";

import { hashOf, routeOf, tokenOf } from "../../../integrations/async-tool-inspector/assets/route.js";

test("a place survives its address", () => {
  const session = "a/b?c=d&e #ü %2F";
  const places = [
    { view: "home" }, { view: "manager" }, { view: "timeline", session }, { view: "timeline", session, task: "0193-x" },
    { view: "transcript", session, turn: 3 }, { view: "timeline", session, questions: true },
  ];
  for (const place of places) {
    const found = Object.fromEntries(Object.entries(routeOf(hashOf(place))).filter(([, value]) => value !== undefined && value !== false));
    assert.deepEqual(found, place);
  }
});

test("an address that means nothing leads home", () => {
  for (const hash of ["", "#", "#/", "#/x/y", "#/s/", "#token=abc"]) assert.equal(routeOf(hash).view, "home");
  assert.equal(routeOf("#/s/%E0%A4%A").session, "%E0%A4%A");
  assert.equal(routeOf("#/s/a/transcript?turn=-1").turn, undefined);
});

test("a token is read from the address as the program prints it", () => {
  assert.equal(tokenOf("#token=0aF-_9"), "0aF-_9");
  assert.equal(tokenOf("#/s/token=1"), undefined);
});
