/** @file Keys of the page, in a dialog. */

import { h } from "./dom.js";

const KEYS = [
  ["1, 2, 3", "timeline, transcript, manager"],
  ["s", "filter the sessions"],
  ["q", "questions"],
  ["m", "write a message"],
  ["↑ ↓ Page Home End", "go through the tasks"],
  ["← →", "fold and unfold the children of a task"],
  ["Enter", "open the task"],
  ["+ − 0", "zoom in, zoom out, show all"],
  ["f", "follow now"],
  ["Shift ← →", "earlier and later"],
  ["/", "filter the tasks"],
  ["Escape", "close the panel"],
  ["?", "this list"],
];

/** Shows the keys. */
export function showKeys() {
  const close = h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close");
  const list = h("dl", { class: "facts keys" }, ...KEYS.flatMap(([keys, words]) => [h("dt", {}, h("kbd", {}, keys)), h("dd", {}, words)]));
  const wheel = h("p", { class: "hint" }, "With a mouse: drag moves the timeline, Ctrl with the wheel zooms, Shift with the wheel goes earlier and later.");
  const dialog = h("dialog", { "aria-labelledby": "keys-title", onclose: () => dialog.remove() }, h("h2", { id: "keys-title" }, "Keys"), list, wheel, h("div", { class: "buttons" }, close));
  document.body.append(dialog);
  dialog.showModal();
}
