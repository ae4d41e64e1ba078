/** @file Panel with the open questions of a session. */

import { ask } from "./api.js";
import { h, say } from "./dom.js";
import { nameOf, questionView } from "./question.js";

/** @typedef {import("./session.js").Session} Session */

/** Panel with the open questions of a session. */
export class QuestionsPanel {
  /**
   * @param {object} host
   * @param {(task: string) => void} host.open
   * @param {() => void} host.close
   * @param {() => import("./acts.js").Acts} host.acts
   */
  constructor(host) {
    this.host = host;
    /** @type {Session | undefined} */
    this.session = undefined;
    this.key = "";
    /** @type {Map<string, {key: string, element: HTMLElement}>} */
    this.items = new Map();
    this.title = h("h2", { id: "questions-title", tabIndex: -1 }, "Questions");
    this.note = h("p", { class: "hint", role: "status" });
    this.body = h("div", { class: "panel-body" });
    const close = h("button", { type: "button", class: "tool", "aria-label": "Close the questions", title: "Close (Escape)", onclick: () => host.close() }, "×");
    this.element = h("section", { class: "panel", "aria-labelledby": "questions-title", hidden: true },
      h("header", { class: "panel-head" }, this.title, close), this.note, this.body);
  }

  /**
   * @param {Session | undefined} session
   * @param {boolean} isShown
   */
  show(session, isShown) {
    if (session?.name !== this.session?.name) {
      this.items.clear();
      this.body.replaceChildren();
    }
    if (session !== this.session) this.key = "";
    this.session = session;
    this.element.hidden = !isShown;
    this.changed();
  }

  /** Focuses the panel. */
  focus() {
    this.title.focus();
  }

  /** Follows a change of the session. */
  changed() {
    const { session } = this;
    if (!session || this.element.hidden) return;
    const asks = [...session.tasks.values()].filter((task) => task.row.asks).map((task) => task.row.asks?.asking);
    const key = `${session.row.questions} ${session.row.can_act} ${asks.join()}`;
    if (key === this.key) return;
    this.key = key;
    this.#fetch(session);
  }

  /** @param {Session} session */
  async #fetch(session) {
    try {
      const { questions } = await ask("questions", { session: session.name });
      if (this.session === session) this.#render(session, questions);
    } catch (error) {
      this.key = "";
      say(this.note, error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * @param {Session} session
   * @param {import("./acts.js").Question[]} questions
   */
  #render(session, questions) {
    say(this.note, questions.length === 0 ? "No task asks." : "");
    const seen = new Set();
    for (const question of questions) {
      const { since: _, ...rest } = question;
      const key = JSON.stringify([rest, session.row.can_act]);
      seen.add(question.asking);
      const known = this.items.get(question.asking);
      // A form that is half filled stays as it is.
      if (known?.key === key) continue;
      const element = questionView(question, nameOf(question), {
        acts: this.host.acts(), canAct: session.row.can_act, open: () => this.host.open(question.asking),
      });
      if (known) known.element.replaceWith(element);
      else this.body.append(element);
      this.items.set(question.asking, { key, element });
    }
    for (const [asking, { element }] of this.items) {
      if (seen.has(asking)) continue;
      element.remove();
      this.items.delete(asking);
    }
  }
}
