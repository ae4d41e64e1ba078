/** @file Question to the person before an act that can't be undone. */

import { h } from "./dom.js";

/**
 * @typedef {object} Asked
 * @property {string} title what will happen
 * @property {string} text what can't be undone
 * @property {string} act words of the button
 * @property {Element} [body] further fields
 * @property {boolean} [isGrave] true for a button in the colour of a warning
 * @property {() => Promise<void>} carryOut carries the act out; the dialog shows its refusal, and stays
 */

/**
 * Asks once, and carries the act out if the person agrees.
 *
 * @param {Asked} asked
 */
export function confirm({ title, text, act, body, isGrave = true, carryOut }) {
  const error = h("p", { class: "refusal", role: "alert" });
  const go = h("button", { type: "submit", class: isGrave ? "grave" : "primary" }, act);
  const back = h("button", { type: "button", onclick: () => dialog.close() }, "Go back");
  const form = h("form", {
    onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      go.disabled = true;
      error.textContent = "";
      try {
        await carryOut();
        dialog.close();
      } catch (refusal) {
        error.textContent = refusal instanceof Error ? refusal.message : String(refusal);
        go.disabled = false;
        go.focus();
      }
    },
  }, h("h2", { id: "dialog-title" }, title), h("p", { id: "dialog-text" }, text), body, error, h("div", { class: "buttons" }, back, go));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text", onclose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
  const field = /** @type {HTMLElement | null} */ (dialog.querySelector("input, textarea, select"));
  // Without a field, the harmless button has the focus.
  (field ?? back).focus();
}

/**
 * Field for a reason.
 *
 * @param {string} label
 * @param {string} placeholder
 */
export function reasonField(label, placeholder) {
  const input = h("input", { type: "text", placeholder, maxLength: 500 });
  return { element: h("label", { class: "field" }, h("span", { class: "field-name" }, label), input), input };
}
