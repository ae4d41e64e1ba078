/** @file Values of tools as text. Nothing here becomes HTML. */

import { h } from "./dom.js";
import { bytes } from "./words.js";

/** Characters that are shown at first: a result may have megabytes, and a browser lays all of them out. */
const SHOWN = 20_000;

/**
 * Shows a value: a text as it is, and other values as indented JSON. Large ones are shown in full on request.
 *
 * @param {unknown} value
 * @param {string} label for screen readers
 * @param {Set<string>} [opened] labels of the values that are shown in full
 */
export function valueView(value, label, opened = new Set()) {
  return textView(typeof value === "string" ? value : JSON.stringify(value, undefined, 2) ?? "", label, opened);
}

/**
 * Shows a text.
 *
 * @param {string} text
 * @param {string} label
 * @param {Set<string>} [opened]
 */
export function textView(text, label, opened = new Set()) {
  const isLong = text.length > SHOWN && !opened.has(label);
  const body = h("pre", { class: "value", tabIndex: 0, role: "region", "aria-label": label }, isLong ? text.slice(0, SHOWN) : text);
  const copy = h("button", {
    type: "button", class: "tool wide copy", "aria-label": `Copy: ${label}`,
    onclick: async () => {
      // Only pages of a secure origin, as loopback is, may write the clipboard.
      await navigator.clipboard?.writeText(text);
      copy.textContent = "copied";
    },
  }, "copy");
  const more = isLong && h("button", {
    type: "button", class: "more",
    onclick: () => {
      opened.add(label);
      body.textContent = text;
      /** @type {HTMLElement} */ (more).remove();
    },
  }, `Show all (${bytes(text.length)})`);
  return h("div", { class: "value-box" }, body, copy, more);
}
