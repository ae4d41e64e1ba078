/** @file View of a session: its state, its timeline and transcript, and the field for messages. */

import { h, say } from "./dom.js";
import { stateWords } from "./sessions.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";
import { count, hasTokens, plural, shortCount } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./route.js").Route} Route */

/** View of a session. */
export class SessionView {
  /**
   * @param {object} host
   * @param {() => number} host.now
   * @param {(change: Partial<Route>) => void} host.go
   * @param {() => import("./acts.js").Acts} host.acts
   */
  constructor(host) {
    this.host = host;
    /** @type {Session | undefined} */
    this.session = undefined;
    /** @type {Route["view"]} */
    this.view = "timeline";
    this.timeline = new Timeline({
      now: host.now,
      open: (task) => host.go({ task, questions: false }),
      openTurn: (turn) => host.go({ view: "transcript", turn }),
    });
    this.transcript = new Transcript({
      open: (task) => host.go({ task, questions: false }),
      openTurn: (turn) => host.go({ view: "transcript", turn }),
    });
    this.title = h("h1", { tabIndex: -1 });
    this.state = h("p", { class: "session-line" });
    this.problem = h("p", { class: "warning", role: "alert", hidden: true });
    const tab = (/** @type {Route["view"]} */ view, /** @type {string} */ text, /** @type {string} */ key) =>
      h("button", { type: "button", role: "tab", id: `tab-${view}`, "aria-controls": "session-body", "aria-keyshortcuts": key, title: `${text} (${key})`, onclick: () => this.host.go({ view, turn: undefined }) }, text);
    this.tabs = { timeline: tab("timeline", "Timeline", "1"), transcript: tab("transcript", "Transcript", "2") };
    const tablist = h("div", { class: "tabs", role: "tablist", "aria-label": "Views of the session", onkeydown: (/** @type {KeyboardEvent} */ event) => this.#tabKey(event) }, this.tabs.timeline, this.tabs.transcript);
    this.questions = h("button", { type: "button", class: "questions-button", title: "Questions (q)", "aria-keyshortcuts": "q", onclick: () => this.host.go({ questions: true, task: undefined }) }, "No questions");
    this.menu = h("details", { class: "menu" }, h("summary", {}, "Session"), h("div", { class: "menu-box" },
      h("button", { type: "button", onclick: () => this.#act(() => this.host.acts().interrupt(false)) }, "Interrupt the turn"),
      h("button", { type: "button", onclick: () => this.#act(() => this.host.acts().stopAll()) }, "Stop everything…"),
      h("button", { type: "button", onclick: () => this.#act(() => this.host.acts().leave()) }, "Leave…"),
      h("button", { type: "button", class: "grave", onclick: () => this.#act(() => this.host.acts().close()) }, "Close…")));
    this.body = h("div", { class: "session-body", id: "session-body", role: "tabpanel" }, this.timeline.element, this.transcript.element);
    this.text = h("textarea", { rows: 1, class: "message-text", placeholder: "Message to the agent", "aria-label": "Message to the agent",
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        this.#send();
      } });
    this.sendButton = h("button", { type: "submit", class: "primary" }, "Send");
    this.failure = h("p", { class: "refusal composer-refusal", role: "alert" });
    this.composer = h("form", { class: "composer", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#send();
    } }, this.text, this.sendButton, this.failure);
    this.element = h("section", { class: "session", "aria-label": "Session" },
      h("header", { class: "session-head" }, h("div", { class: "session-title" }, this.title, this.state), this.questions, this.menu),
      this.problem, tablist, this.body, this.composer);
  }

  /**
   * @param {Session | undefined} session
   * @param {Route} route
   */
  show(session, route) {
    this.session = session;
    this.view = route.view;
    const isTranscript = route.view === "transcript";
    for (const [view, tab] of Object.entries(this.tabs)) {
      tab.setAttribute("aria-selected", String(view === route.view));
      tab.tabIndex = view === route.view ? 0 : -1;
    }
    this.body.setAttribute("aria-labelledby", `tab-${route.view}`);
    this.timeline.element.hidden = isTranscript;
    this.transcript.element.hidden = !isTranscript;
    this.timeline.show(session);
    this.transcript.show(session, route.turn);
    this.timeline.setShown(!isTranscript);
    this.transcript.setShown(isTranscript);
    // A task whose panel was closed stays chosen, for the keyboard.
    if (route.task) this.timeline.select(route.task);
    this.changed();
  }

  /** Follows a change of the session. */
  changed() {
    const { session } = this;
    if (!session) return;
    const { row } = session;
    say(this.title, session.name);
    const waits = row.waits_for.length > 0 ? ` · ${row.waits_for.join(", ")}` : "";
    const tokens = hasTokens(row.tokens) ? ` · ${shortCount(row.tokens.input)} tokens in (${shortCount(row.tokens.cached)} cached), ${shortCount(row.tokens.output)} out` : "";
    say(this.state, `${stateWords({ ...row, questions: 0 })}${waits} · ${count(row.open_tasks)} of ${plural(row.tasks, "task")} open · ${plural(row.turns, "turn")}${tokens}`);
    this.state.title = this.state.textContent ?? "";
    const problem = session.error ?? row.reason ?? "";
    this.problem.hidden = problem === "";
    say(this.problem, problem);
    say(this.questions, row.questions > 0 ? plural(row.questions, "question") : "No questions");
    this.questions.classList.toggle("asks", row.questions > 0);
    // An act resumes a session of a registry whose agent has left.
    const canAct = row.can_act && row.source !== "tasks";
    this.composer.hidden = !canAct;
    this.menu.hidden = !canAct;
    this.timeline.changed();
    this.transcript.changed();
  }

  /** Focuses the field for messages. */
  write() {
    if (!this.composer.hidden) this.text.focus();
  }

  /** @param {KeyboardEvent} event */
  #tabKey(event) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const view = this.view === "timeline" ? "transcript" : "timeline";
    this.host.go({ view, turn: undefined });
    this.tabs[view].focus();
    event.preventDefault();
  }

  /** @param {() => void | Promise<void>} act */
  async #act(act) {
    this.menu.open = false;
    this.failure.textContent = "";
    try {
      await act();
    } catch (error) {
      this.failure.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  async #send() {
    const text = this.text.value;
    if (text.trim() === "" || this.sendButton.disabled) return;
    this.sendButton.disabled = true;
    this.failure.textContent = "";
    try {
      await this.host.acts().send(text);
      if (this.text.value === text) this.text.value = "";
    } catch (error) {
      // The text stays, so that nothing has to be written again.
      this.failure.textContent = error instanceof Error ? error.message : String(error);
    }
    this.sendButton.disabled = false;
  }
}
