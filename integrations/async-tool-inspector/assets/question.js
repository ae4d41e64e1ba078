/** @file Question of a task to people, with the means to answer it. */

import { h } from "./dom.js";
import { formOf } from "./form.js";
import { valueView } from "./value.js";

/** @typedef {import("./acts.js").Question} Question */

/**
 * Shows a question.
 *
 * @param {Question} question
 * @param {string} name of the task that asks
 * @param {object} host
 * @param {import("./acts.js").Acts} host.acts
 * @param {boolean} host.canAct
 * @param {() => void} [host.open] shows the task
 * @returns {HTMLElement}
 */
export function questionView(question, name, { acts, canAct, open }) {
  const title = open ? h("button", { type: "button", class: "link", onclick: open }, name) : h("span", {}, name);
  const refuse = canAct && h("button", { type: "button", class: "grave", onclick: () => acts.refuse(question, name) }, "Refuse…");
  if (question.kind === "approval") {
    const approve = canAct && h("button", { type: "button", class: "primary", onclick: () => acts.approve(question, name) }, "Approve…");
    return h("section", { class: "question", "data-asking": question.asking, "aria-label": `Consent to ${name}` },
      h("h3", {}, title, " needs consent"), valueView(question.arguments, `Arguments of ${name}`),
      h("div", { class: "buttons" }, refuse, approve));
  }
  const head = [h("h3", {}, title, " asks"), h("p", { class: "prompt" }, question.prompt ?? "")];
  if (!canAct) {
    return h("section", { class: "question", "data-asking": question.asking, "aria-label": `Question of ${name}` }, ...head,
      h("details", {}, h("summary", {}, "Schema of the answer"), valueView(question.schema, "Schema of the answer")));
  }
  const form = formOf(question.schema, "answer");
  const error = h("p", { class: "refusal", role: "alert" });
  return h("form", {
    class: "question", "data-asking": question.asking, "aria-label": `Question of ${name}`, noValidate: true,
    onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      error.textContent = "";
      try {
        acts.answer(question, name, form.read());
      } catch (wrong) {
        error.textContent = wrong instanceof Error ? wrong.message : String(wrong);
      }
    },
  }, ...head, form.element, error, h("div", { class: "buttons" }, refuse, h("button", { type: "submit", class: "primary" }, "Answer…")));
}

/**
 * Name of a question's task, for people: its number and its tool.
 *
 * @param {Question} question
 */
export function nameOf(question) {
  return [question.number, question.tool].filter(Boolean).join(" ") || "a task";
}
