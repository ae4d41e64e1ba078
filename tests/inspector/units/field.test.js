import assert from "node:assert/strict";
import { test } from "node:test";

import { fieldOf, read } from "../../../integrations/async-tool-inspector/assets/field.js";

const kinds = (schema) => fieldOf(schema).kind;

test("each simple schema has its field", () => {
  assert.equal(kinds({ type: "string" }), "text");
  assert.equal(kinds({ type: "integer" }), "number");
  assert.equal(kinds({ type: "boolean" }), "switch");
  assert.equal(kinds({ enum: ["a", 1, null] }), "choice");
  assert.equal(kinds({ oneOf: [{ const: "a" }, { const: "b", description: "the other" }] }), "choice");
  assert.equal(kinds({ const: 5 }), "constant");
  assert.equal(kinds({ type: "array", items: { type: "string" } }), "list");
  assert.equal(kinds({ type: "object", properties: { a: {} } }), "group");
  assert.equal(kinds({ oneOf: [{ type: "string" }, { type: "object", properties: { a: {} } }] }), "variants");
});

test("a schema that says nothing, or too much for fields, takes JSON", () => {
  for (const schema of [true, undefined, {}, { type: "object", additionalProperties: { type: "integer" } }, { type: ["string", "integer"] }, { type: "array" }]) {
    assert.equal(kinds(schema), "json", JSON.stringify(schema));
  }
});

test("references are followed, also those that lead to themselves", () => {
  const schema = { $ref: "#/$defs/Node", $defs: { Node: { type: "object", properties: { "a/b": { $ref: "#/$defs/x~1y" }, next: { $ref: "#/$defs/Node" } }, required: ["next"] }, "x/y": { type: "integer" } } };
  const field = fieldOf(schema);
  assert.equal(field.kind, "group");
  assert.deepEqual(field.fields.map((part) => part.kind), ["number", "group"]);
  assert.equal(kinds({ $ref: "#/$defs/Loop", $defs: { Loop: { $ref: "#/$defs/Loop" } } }), "json");
  assert.equal(kinds({ $ref: "https://example.com/elsewhere" }), "json");
});

test("an optional value may be absent, and a nullable one null", () => {
  const [note, wish] = fieldOf({ type: "object", required: ["wish"], properties: { note: { type: "string" }, wish: { anyOf: [{ type: "string" }, { type: "null" }] } } }).fields;
  assert.deepEqual(read(note, ""), { absent: true });
  assert.deepEqual(read(wish, ""), { value: null });
  assert.deepEqual(read({ ...note, required: true, nullable: false }, ""), { value: "" });
  assert.equal(fieldOf({ type: ["integer", "null"] }).nullable, true);
  assert.equal(fieldOf({ type: ["integer", "null"] }).kind, "number");
});

test("a wrong number is refused, with its bound", () => {
  const hour = fieldOf({ type: "integer", minimum: 17, maximum: 22 });
  for (const [typed, words] of [["", /needs a number/], ["noon", /isn't a number/], ["17.5", /whole/], ["30", /at most 22/], ["3", /at least 17/], ["1e400", /isn't a number/], ["9007199254740993", /too large|at most/]]) {
    assert.match(read(hour, typed).error ?? "", words, typed);
  }
  assert.deepEqual(read(hour, " 18 "), { value: 18 });
  assert.match(read(fieldOf({ type: "integer" }), "9007199254740993").error, /too large/);
});

test("bounds of a text count characters", () => {
  const field = fieldOf({ type: "string", minLength: 2, maxLength: 3, pattern: "^\\p{L}+$|🐝" });
  assert.match(read(field, "a").error, /at least 2/);
  assert.match(read(field, "abcd").error, /at most 3/);
  assert.match(read(field, "12").error, /pattern/);
  assert.deepEqual(read(field, "🐝🐝🐝"), { value: "🐝🐝🐝" });
  assert.deepEqual(read(fieldOf({ type: "string", pattern: "(" }), "x"), { value: "x" });
});

test("JSON is read as JSON", () => {
  assert.deepEqual(read(fieldOf({}), '{"a": [1]}'), { value: { a: [1] } });
  assert.match(read(fieldOf({}), "{a").error, /isn't JSON/);
});

test("variants have the name of their constant", () => {
  const schema = { oneOf: [{ type: "object", properties: { kind: { const: "mail" }, to: { type: "string" } }, required: ["kind", "to"] }, { title: "Phone", type: "object", properties: { number: { type: "string" } } }] };
  assert.deepEqual(fieldOf(schema).fields.map((variant) => variant.title), ["mail", "Phone"]);
});

test("names of JavaScript's own objects are only names", () => {
  const field = fieldOf(JSON.parse('{"type": "object", "properties": {"__proto__": {"type": "string"}, "constructor": {"type": "integer"}}}'));
  assert.deepEqual(field.fields.map((part) => part.name), ["__proto__", "constructor"]);
});
