/** @file Panel of a task: its call, its phases, its result, and the acts on it. */

import { ask } from "./api.js";
import { fill, h, say } from "./dom.js";
import { endOf } from "./drawing.js";
import { LOOKS, inWords, kindOf } from "./phase.js";
import { questionView } from "./question.js";
import { deliveryWords, progressWords } from "./task_words.js";
import { valueView, textView } from "./value.js";
import { clip, duration, timeOfDay } from "./words.js";

/** @typedef {import("./session.js").Session} Session */

/** Pause between two requests for the details of a task that changes, in milliseconds. */
const PAUSE = 400;

/** Panel of a task. */
export class TaskPanel {
  /**
   * @param {object} host
   * @param {() => number} host.now
   * @param {(task: string | undefined) => void} host.open shows another task, or none
   * @param {(turn: number) => void} host.openTurn
   * @param {() => import("./acts.js").Acts} host.acts
   */
  constructor(host) {
    this.host = host;
    /** @type {string | undefined} */
    this.id = undefined;
    /** @type {Session | undefined} */
    this.session = undefined;
    /** @type {any} */
    this.detail = undefined;
    /** @type {Map<string, {key: string, element: HTMLElement}>} */
    this.sections = new Map();
    /** Labels of the values that are shown in full. @type {Set<string>} */
    this.opened = new Set();
    this.fetchedAt = 0;
    /** @type {import("./session.js").TaskRow | undefined} */
    this.row = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.title = h("h2", { id: "task-title", tabIndex: -1 });
    this.state = h("p", { class: "task-state" });
    this.body = h("div", { class: "panel-body" });
    const close = h("button", { type: "button", class: "tool", "aria-label": "Close the task", title: "Close (Escape)", onclick: () => host.open(undefined) }, "×");
    this.element = h("section", { class: "panel", "aria-labelledby": "task-title", hidden: true },
      h("header", { class: "panel-head" }, this.title, close), this.state, this.body);
  }

  /**
   * @param {Session | undefined} session
   * @param {string | undefined} id
   */
  show(session, id) {
    const isOther = id !== this.id || session?.name !== this.session?.name;
    this.session = session;
    this.id = id;
    this.element.hidden = id === undefined;
    if (isOther) {
      this.detail = undefined;
      this.sections.clear();
      this.opened.clear();
      fill(this.body);
      this.row = undefined;
    }
    if (id !== undefined) this.changed(isOther);
  }

  /** Focuses the panel, for a reader who opened it with the keyboard. */
  focus() {
    this.title.focus();
  }

  /**
   * Follows a change of the session.
   *
   * @param {boolean} [atOnce]
   */
  changed(atOnce = false) {
    const task = this.id ? this.session?.tasks.get(this.id) : undefined;
    if (!this.id || !this.session) return;
    if (task && (this.row !== task.row || atOnce)) {
      const isNews = atOnce || this.#isNews(task.row);
      this.row = task.row;
      if (isNews) this.#fetch();
    } else if (!task && atOnce) this.#fetch();
    this.tick();
  }

  /**
   * True if a change of a row changes its details: progress alone doesn't.
   *
   * @param {import("./session.js").TaskRow} row
   */
  #isNews(row) {
    const known = this.row;
    if (!known) return true;
    const key = (/** @type {import("./session.js").TaskRow} */ row) => {
      const { progress: _, words: __, phases, ...rest } = row;
      return JSON.stringify([rest, phases.length]);
    };
    return key(known) !== key(row);
  }

  #fetch() {
    clearTimeout(this.timer);
    const wait = Math.max(0, this.fetchedAt + PAUSE - Date.now());
    this.timer = setTimeout(async () => {
      this.fetchedAt = Date.now();
      const { id, session } = this;
      if (!id || !session) return;
      try {
        const detail = await ask("task", { session: session.name, task: id });
        if (this.id !== id || this.session?.name !== session.name) return;
        this.detail = detail;
        this.#render();
      } catch (error) {
        if (this.id !== id) return;
        if (!this.detail) this.#section("error", error, () => [h("p", { class: "refusal" }, error instanceof Error ? error.message : String(error))]);
      }
    }, wait);
  }

  /** Writes what the clock changes. */
  tick() {
    const task = this.id ? this.session?.tasks.get(this.id) : undefined;
    const row = task?.row ?? this.detail?.row;
    if (!row) return;
    const now = this.host.now();
    say(this.title, `${row.number ?? ""} ${row.tool}`.trim());
    say(this.state, stateWords(row, now));
    this.state.dataset.status = row.status;
    const open = this.body.querySelector("[data-open-phase]");
    const phase = row.phases[row.phases.length - 1];
    if (open && phase) say(open, inWords(phase, now));
    // The tasks above and below go on without news of this one.
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (this.body.querySelectorAll("[data-state-of]"))) {
      const other = this.session?.tasks.get(element.dataset.stateOf ?? "");
      if (other) say(element, relativeWords(other.row));
    }
  }

  #name() {
    const row = this.detail?.row;
    return `${row?.number ?? ""} ${row?.tool ?? ""}`.trim() || "the task";
  }

  /**
   * Renders a section, if its content has changed: a form that is half filled stays, and nothing jumps.
   *
   * @param {string} name
   * @param {unknown} key
   * @param {() => (import("./dom.js").Child)[]} make
   */
  #section(name, key, make) {
    const text = JSON.stringify(key) ?? "";
    const known = this.sections.get(name);
    if (known?.key === text) return;
    const element = known?.element ?? h("section", { class: `part part-${name}` });
    const content = make();
    fill(element, ...content);
    element.hidden = content.every((child) => !child);
    if (!known) this.body.append(element);
    this.sections.set(name, { key: text, element });
  }

  #render() {
    const { detail } = this;
    const session = /** @type {Session} */ (this.session);
    const { row, can = {}, question, outcome, definition, call } = detail;
    this.#section("acts", [can, row.number, row.delivery, definition?.output_schema], () => [this.#acts()]);
    this.#section("question", question ? [question.asking, question.schema, question.prompt, question.arguments, can.answer, can.approve] : null, () =>
      question ? [questionView(question, this.#name(), { acts: this.host.acts(), canAct: Boolean(can.answer || can.approve || can.refuse) })] : []);
    this.#section("phases", [row.phases, detail.attempts, row.settled], () => [h("h3", {}, "Phases and attempts"), this.#phases()]);
    this.#section("progress", [row.progress, row.settled], () => row.progress && !row.settled ? [h("h3", {}, "Progress"), h("p", {}, progressWords(row.progress))] : []);
    this.#section("outcome", [outcome, detail.shown], () => this.#outcome());
    this.#section("call", [call, detail.redacted], () => [
      h("h3", {}, "Call"), detail.redacted && h("p", { class: "hint" }, "A secret in the arguments is replaced."),
      valueView(call?.arguments, "Arguments", this.opened)]);
    this.#section("tree", [detail.children, detail.parent], () => this.#tree());
    this.tick();
    this.#section("delivery", [session.tasks.get(row.task)?.deliveries, row.told], () => this.#deliveries());
    this.#section("schema", [definition], () => definition ? [h("details", {}, h("summary", {}, "Definition and schema"),
      h("p", { class: "description" }, definition.description ?? ""),
      h("h4", {}, "Arguments"), valueView(definition.input_schema, "Schema of the arguments", this.opened),
      definition.output_schema && h("h4", {}, "Result"),
      definition.output_schema && valueView(definition.output_schema, "Schema of the result", this.opened))] : []);
    this.#section("facts", [row.accepted, row.started, row.settled, row.task, call?.id, detail.idempotency_key, detail.deadline, detail.policies, row.group, row.cancel], () => this.#facts());
    this.#section("checkpoint", [detail.checkpoint], () => detail.checkpoint === undefined || detail.checkpoint === null ? [] : [h("h3", {}, "Checkpoint"), valueView(detail.checkpoint, "Checkpoint", this.opened)]);
  }

  #acts() {
    const { detail, host } = this;
    const { can = {}, row, definition } = detail;
    const name = this.#name();
    const acts = host.acts();
    const failure = h("p", { class: "refusal", role: "alert" });
    const directly = (/** @type {() => Promise<void>} */ act) => async () => {
      failure.textContent = "";
      try {
        await act();
      } catch (error) {
        failure.textContent = error instanceof Error ? error.message : String(error);
      }
    };
    const button = (/** @type {boolean} */ isOffered, /** @type {string} */ text, /** @type {() => void} */ act, kind = "") =>
      isOffered && h("button", { type: "button", class: kind, onclick: act }, text);
    const delivery = can.set_delivery && h("label", { class: "check" }, "Deliver ", h("select", {
      "aria-label": "Delivery of the result",
      onchange: (/** @type {Event} */ event) => directly(() => acts.setDelivery(row.task, name, /** @type {HTMLSelectElement} */ (event.target).value))(),
    }, ...[["when_idle", "when idle"], ["interrupt", "at once"], ["silent", "silently"]].map(([value, text]) =>
      h("option", { value, selected: (row.delivery ?? "when_idle") === value }, text))));
    const offered = [
      button(can.resolve, "Resolve…", () => acts.resolve(row.task, name, definition?.output_schema), "primary"),
      button(can.resolve, "Fail…", () => acts.fail(row.task, name)),
      button(can.promote, "To the background", directly(() => acts.promote(row.task, name))),
      delivery,
      button(can.cancel, "Cancel…", () => acts.cancel(row.task, name), "grave"),
      button(can.abort, "Abort…", () => acts.abort(row.task, name), "grave"),
    ];
    if (!offered.some(Boolean)) return null;
    return h("div", { class: "acts", role: "group", "aria-label": `Acts on ${name}` }, ...offered, failure);
  }

  #phases() {
    const { row, attempts = [] } = this.detail;
    const now = this.host.now();
    const items = row.phases.map((/** @type {import("./phase.js").Phase} */ phase, /** @type {number} */ place) => {
      const isOpen = phase.to === undefined && place === row.phases.length - 1 && row.settled === undefined;
      return h("li", { "data-kind": kindOf(phase.kind) }, h("span", { class: "when" }, `+${duration(phase.from - row.accepted)}`),
        h("span", { "data-open-phase": isOpen }, inWords(phase, now)));
    });
    // A task that retries for hours has thousands.
    const shown = items.length > 60 ? [...items.slice(0, 20), h("li", { class: "hint" }, `… ${items.length - 50} more …`), ...items.slice(-30)] : items;
    const tried = attempts.length > 1 ? h("ol", { class: "attempts" }, ...attempts.slice(-30).map((/** @type {any} */ attempt) =>
      h("li", { value: attempt.attempt }, attemptWords(attempt), attempt.error && h("span", { class: "reason" }, clip(String(attempt.error.message), 1_000))))) : null;
    return h("div", {}, h("ul", { class: "phases" }, ...shown), tried && h("h4", {}, `Attempts: ${attempts.length}`), tried);
  }

  #outcome() {
    const { outcome, shown } = this.detail;
    if (!outcome) return [];
    const preview = shown && h("details", {}, h("summary", {}, `What the model saw of it (the whole has ${shown.bytes} bytes)`), textView(shown.text, "Preview", this.opened));
    if ("completed" in outcome) return [h("h3", {}, "Result"), valueView(outcome.completed, "Result", this.opened), preview];
    if ("failed" in outcome) {
      const { message, kind, ...rest } = outcome.failed ?? {};
      const more = Object.keys(rest).some((key) => rest[key] !== null && rest[key] !== false) && valueView(rest, "More of the error", this.opened);
      return [h("h3", {}, `Error: ${String(kind).replaceAll("_", " ")}`), textView(String(message ?? ""), "Error", this.opened), more, preview];
    }
    const [word] = Object.keys(outcome);
    return [h("h3", {}, word === "cancelled" ? "Cancelled" : "Unknown outcome"), textView(String(outcome[word] ?? ""), "Reason", this.opened), preview];
  }

  #tree() {
    const { children = [], parent } = this.detail;
    const { session } = this;
    const open = (/** @type {string} */ task) => () => this.host.open(task);
    const link = (/** @type {string} */ task, /** @type {string} */ text) =>
      session?.tasks.has(task) ? h("button", { type: "button", class: "link", onclick: open(task) }, text) : h("span", {}, text);
    /** @type {(tasks: any[]) => HTMLElement} */
    const branch = (tasks) => h("ul", { class: "tree" }, ...tasks.map((task) =>
      h("li", { "data-status": task.status }, link(task.task, task.tool), " ", h("span", { "data-state-of": task.task }, relativeWords(task)),
        task.children?.length > 0 && branch(task.children))));
    return [
      parent && h("h3", {}, "Parent"),
      parent && h("p", {}, link(parent.task, `${parent.number ?? ""} ${parent.tool}`.trim()),
        parent.session && parent.session !== session?.name && h("span", {}, " of ", h("a", { href: `#/s/${encodeURIComponent(parent.session)}` }, parent.session)),
        " ", h("span", { class: "hint", "data-state-of": parent.task })),
      children.length > 0 && h("h3", {}, "Children"),
      children.length > 0 && branch(children),
    ];
  }

  #deliveries() {
    const session = /** @type {Session} */ (this.session);
    const task = session.tasks.get(this.id ?? "");
    if (!task || task.deliveries.length === 0) return [];
    return [h("h3", {}, "Delivery"), h("ul", { class: "plain" }, ...task.deliveries.map((delivery) => h("li", {},
      `${timeOfDay(delivery.at, true)}: ${deliveryWords(session, delivery)} `,
      delivery.turn && h("button", { type: "button", class: "link", onclick: () => this.host.openTurn(/** @type {number} */ (delivery.turn)) }, "transcript"))))];
  }

  #facts() {
    const { row, call, idempotency_key, deadline, policies } = this.detail;
    const entries = [
      ["accepted", timeOfDay(row.accepted, true)],
      ["started", row.started && `${timeOfDay(row.started, true)}, after ${duration(row.started - row.accepted)}`],
      ["settled", row.settled && `${timeOfDay(row.settled, true)}, after ${duration(row.settled - row.accepted)}`],
      ["deadline", deadline && timeOfDay(deadline, true)],
      ["told to stop", row.cancel],
      ["group", row.group],
      ["repeats", row.repeats],
      ...Object.entries(policies ?? {}).map(([name, value]) => [name.replaceAll("_", " "), name === "timeout" && typeof value === "number" ? duration(value) : text(value)]),
      ["call", call?.id],
      ["task", row.task],
      ["idempotency key", idempotency_key],
    ];
    return [h("h3", {}, "Facts"), h("dl", { class: "facts" }, ...entries.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))]))];
  }
}

/**
 * State of a task above or below, in words.
 *
 * @param {{status: string, settled?: number, accepted: number, words?: string}} row
 */
function relativeWords({ status, settled, accepted, words }) {
  return settled ? `${endOf(status)[0]} ${status}, ${duration(settled - accepted)}` : words ?? status.replace("_", " ");
}

/** @param {{from: number, to?: number, end?: string, error?: {kind: string}}} attempt */
function attemptWords({ from, to, end = "running", error }) {
  const word = error ? error.kind.replaceAll("_", " ") : end;
  return `${word}${to ? ` after ${duration(to - from)}` : ""}${error ? ": " : ""}`;
}

/**
 * @param {import("./session.js").TaskRow} row
 * @param {number} now
 */
function stateWords(row, now) {
  if (row.settled) return `${endOf(row.status)[0]} ${row.status} after ${duration(row.settled - row.accepted)}`;
  const phase = row.phases[row.phases.length - 1];
  const words = row.words ?? (phase ? (phase.kind === "running" ? `running${phase.attempt && phase.attempt > 1 ? `, attempt ${phase.attempt}` : ""}` : LOOKS[kindOf(phase.kind)].text) : row.status);
  return `${words}, ${duration(now - row.accepted)} since its call`;
}

/** @param {unknown} value */
function text(value) {
  if (value === null || value === undefined || value === false) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
