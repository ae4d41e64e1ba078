/** @file Transcript of a session: what the model saw, turn by turn. */

import { ask } from "./api.js";
import { fill, h, say } from "./dom.js";
import { textView } from "./value.js";
import { count } from "./words.js";

/** @typedef {import("./session.js").Session} Session */

/** Pause between two requests while the session changes, in milliseconds. */
const PAUSE = 700;

/** Length of a text from which it is shown as a value: a part of it first. */
const LONG = 4_000;

/** Words of what pruning did to a message. */
const MARKS = /** @type {Record<string, string>} */ ({
  dropped: "pruned: the model does not see this",
  collapsed: "pruned: shown to the model as one line",
  cut: "cut: the model sees only a part",
  lead: "in place of pruned messages",
});

/** Words of the kinds of messages. */
const KINDS = /** @type {Record<string, string>} */ ({
  user: "user", assistant: "model", answers: "answers", delivery: "delivery", note: "note",
});

/** Parts of the tokens, in the order of the bar. */
const TOKENS = ["system", "tools", "user", "assistant", "answers", "deliveries", "notes"];

/** Transcript of a session. */
export class Transcript {
  /**
   * @param {object} host
   * @param {(task: string) => void} host.open
   * @param {(turn: number | undefined) => void} host.openTurn
   */
  constructor(host) {
    this.host = host;
    /** @type {Session | undefined} */
    this.session = undefined;
    /** @type {number | undefined} */
    this.turn = undefined;
    this.isShown = false;
    this.seq = -1;
    this.fetchedAt = 0;
    /** @type {number | undefined} start of the last page */
    this.page = undefined;
    /** @type {Map<string, {key: string, element: HTMLElement}>} */
    this.messages = new Map();
    /** @type {Set<string>} */
    this.opened = new Set();
    /** Places for the states of tasks that have not ended. @type {Map<string, HTMLElement[]>} */
    this.states = new Map();
    /** Turns that can be chosen. */
    this.choices = "";
    this.leadKey = "";
    this.hasScrolled = false;
    /** @type {number | undefined} start of the next page */
    this.next = undefined;
    this.choice = h("select", { "aria-label": "View of the transcript", onchange: () => host.openTurn(this.choice.value === "" ? undefined : Number(this.choice.value)) });
    this.cost = h("div", { class: "cost" });
    this.lead = h("div", { class: "lead" });
    this.list = h("ol", { class: "messages", "aria-label": "Messages" });
    this.live = h("div", { class: "message live", hidden: true, "aria-live": "off" });
    this.failure = h("p", { class: "refusal", role: "alert" });
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.#more() }, "Show more messages");
    this.scroll = h("div", { class: "transcript-scroll", tabIndex: 0, role: "region", "aria-label": "Transcript" },
      this.lead, this.list, this.live, this.more, this.failure);
    this.element = h("div", { class: "transcript" }, h("div", { class: "tools" }, h("label", { class: "check" }, "View ", this.choice), this.cost), this.scroll);
  }

  /**
   * @param {Session | undefined} session
   * @param {number | undefined} turn view that this turn was given; undefined for that of the next one
   */
  show(session, turn) {
    const isOther = session?.name !== this.session?.name || turn !== this.turn;
    const isNew = session !== this.session;
    this.session = session;
    this.turn = turn;
    if (isOther) this.#clear();
    if (isOther || isNew) this.seq = -1;
    this.changed();
  }

  /** @param {boolean} isShown */
  setShown(isShown) {
    this.isShown = isShown;
    if (isShown) this.changed();
  }

  #clear() {
    this.messages.clear();
    this.opened.clear();
    this.states.clear();
    this.page = undefined;
    this.next = undefined;
    fill(this.list);
    fill(this.lead);
    fill(this.cost);
    this.choices = "";
    this.hasScrolled = false;
  }

  /** Follows a change of the session. */
  changed() {
    const { session } = this;
    if (!session || !this.isShown) return;
    this.#choices(session);
    this.#stick(() => {
      this.#live(session);
      this.#states(session);
    });
    if (this.seq === session.seq && this.messages.size > 0) return;
    // The view of a turn doesn't change.
    if (this.turn !== undefined && this.messages.size > 0) return;
    this.seq = session.seq;
    this.#fetch();
  }

  /** @param {Session} session */
  #choices(session) {
    const turns = session.turns.slice(-200).map((turn) => turn.turn);
    if (this.turn !== undefined && !turns.includes(this.turn)) turns.unshift(this.turn);
    const key = `${turns.join()} ${this.turn}`;
    if (key === this.choices) return;
    this.choices = key;
    fill(this.choice, h("option", { value: "" }, "as the next turn would see it"),
      ...turns.reverse().map((turn) => h("option", { value: String(turn) }, `as turn ${turn} saw it`)));
    this.choice.value = this.turn === undefined ? "" : String(this.turn);
  }

  /**
   * Says beside each call that has not ended what its task waits for.
   *
   * @param {Session} session
   */
  #states(session) {
    for (const [id, places] of this.states) {
      const task = session.tasks.get(id);
      if (!task) continue;
      const words = task.isEnded ? "" : task.row.words ?? task.status.replace("_", " ");
      for (const place of places) say(place, words);
      // The end of a task is told once.
      if (task.isEnded) this.states.delete(id);
    }
  }

  /** @param {Session} session */
  #live(session) {
    const turn = this.turn === undefined ? session.running : undefined;
    this.live.hidden = turn === undefined;
    if (!turn) {
      delete this.live.dataset.turn;
      return;
    }
    const live = session.live?.turn === turn.turn ? session.live : undefined;
    const text = live?.text ?? turn.text;
    const reasoning = live?.reasoning ?? turn.reasoning ?? "";
    if (this.live.dataset.turn !== String(turn.turn)) {
      this.live.dataset.turn = String(turn.turn);
      this.liveText = h("div", { class: "text" });
      this.liveReasoning = h("div", { class: "reasoning" });
      fill(this.live, h("div", { class: "gutter" }, h("span", { class: "kind" }, "model"), h("span", { class: "count" }, `turn ${turn.turn}`)),
        h("div", { class: "parts" }, this.liveReasoning, this.liveText));
    }
    if (this.liveReasoning) say(this.liveReasoning, reasoning);
    if (this.liveText) say(this.liveText, text || (session.redacts ? "writes; its text is shown when the turn has ended" : "…"));
  }

  #fetch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      this.fetchedAt = Date.now();
      const { session, turn, page } = this;
      if (!session) return;
      try {
        const found = await ask("transcript", { session: session.name, turn, after: page });
        if (this.session !== session || this.turn !== turn) return;
        this.failure.textContent = "";
        this.#stick(() => this.#render(found, page));
      } catch (error) {
        if (this.session !== session || this.turn !== turn) return;
        this.failure.textContent = error instanceof Error ? error.message : String(error);
      }
    }, Math.max(0, this.fetchedAt + PAUSE - Date.now()));
  }

  async #more() {
    const { session, turn, next } = this;
    if (!session || next === undefined) return;
    this.page = next;
    this.more.disabled = true;
    try {
      const found = await ask("transcript", { session: session.name, turn, after: next });
      if (this.session === session && this.turn === turn) this.#render(found, next);
    } catch (error) {
      this.failure.textContent = error instanceof Error ? error.message : String(error);
    }
    this.more.disabled = false;
  }

  /**
   * Keeps the end in view, if it was in view.
   *
   * @param {() => void} change
   */
  #stick(change) {
    const { scroll } = this;
    const isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
    change();
    if (isAtEnd || (!this.hasScrolled && this.messages.size > 0)) scroll.scrollTop = scroll.scrollHeight;
    if (this.messages.size > 0) this.hasScrolled = true;
  }

  /**
   * Renders a page, and keeps the elements of messages that are as they were.
   *
   * @param {any} found
   * @param {number | undefined} page
   */
  #render(found, page) {
    if (found.tokens) this.#cost(found.tokens);
    if (page === undefined) this.#lead(found);
    const seen = new Set();
    found.messages.forEach((/** @type {any} */ message, /** @type {number} */ place) => {
      const name = message.index === undefined || message.index === null ? `lead ${place}` : String(message.index);
      seen.add(name);
      const key = JSON.stringify(message);
      const known = this.messages.get(name);
      if (known?.key === key) return;
      const element = this.#message(message, name);
      if (known) known.element.replaceWith(element);
      else this.#insert(element, message, place, found.messages);
      this.messages.set(name, { key, element });
    });
    for (const [name, { element }] of this.messages) {
      const index = Number(name);
      const isOfPage = name.startsWith("lead") ? page === undefined : index >= (found.messages.find((/** @type {any} */ message) => typeof message.index === "number")?.index ?? Infinity);
      if (seen.has(name) || !isOfPage) continue;
      element.remove();
      this.messages.delete(name);
    }
    this.next = found.next ?? undefined;
    this.more.hidden = this.next === undefined;
  }

  /**
   * @param {HTMLElement} element
   * @param {any} message
   * @param {number} place
   * @param {any[]} messages
   */
  #insert(element, message, place, messages) {
    const before = messages.slice(0, place).reverse().map((/** @type {any} */ other, /** @type {number} */ back) =>
      this.messages.get(other.index === undefined || other.index === null ? `lead ${place - 1 - back}` : String(other.index))).find(Boolean);
    if (before) before.element.after(element);
    else if (place === 0 && message.mark === "lead") this.list.prepend(element);
    else this.list.append(element);
  }

  /** @param {any} found */
  #lead({ system, tools, pruned }) {
    const parts = [];
    if (pruned && (pruned.dropped || pruned.collapsed || pruned.cuts?.length)) {
      const words = [pruned.dropped && `${pruned.dropped} messages left out`, pruned.collapsed && `results before message ${pruned.collapsed} as one line each`, pruned.cuts?.length && `${pruned.cuts.length} messages cut`];
      parts.push(h("p", { class: "hint" }, `Pruned: ${words.filter(Boolean).join(", ")}.`));
    }
    if (system) parts.push(h("details", {}, h("summary", {}, `System text, ${count(system.tokens)} tokens`), textView(system.text, "System text", this.opened)));
    if (tools?.length) {
      parts.push(h("details", {}, h("summary", {}, `${tools.length} tools, ${count(tools.reduce((/** @type {number} */ sum, /** @type {any} */ tool) => sum + (tool.tokens ?? 0), 0))} tokens`),
        h("ul", { class: "plain" }, ...tools.map((/** @type {any} */ tool) => h("li", {}, h("code", {}, tool.name), ` ${count(tool.tokens ?? 0)} tokens `, h("span", { class: "hint" }, tool.description ?? ""))))));
    }
    const key = JSON.stringify([system, tools, pruned]);
    if (key === this.leadKey && this.lead.childElementCount > 0) return;
    this.leadKey = key;
    fill(this.lead, ...parts);
  }

  /** @param {any} tokens */
  #cost(tokens) {
    const all = Math.max(1, tokens.all ?? 0);
    const parts = TOKENS.filter((name) => tokens[name] > 0);
    const bar = h("span", { class: "cost-bar", "aria-hidden": "true" });
    for (const name of parts) {
      const part = h("span", { class: "cost-part", "data-part": name, title: `${name}: ${count(tokens[name])}` });
      part.style.flexGrow = String(tokens[name] / all);
      bar.append(part);
    }
    const words = parts.map((name) => `${name} ${count(tokens[name])}`).join(", ");
    fill(this.cost, bar, h("span", { class: "cost-words", title: words }, `≈ ${count(tokens.all ?? 0)} tokens: ${words}`));
  }

  /**
   * @param {any} message
   * @param {string} name
   */
  #message(message, name) {
    const mark = MARKS[message.mark];
    const kind = KINDS[message.kind] ?? message.kind;
    const turn = message.turn ? `turn ${message.turn}` : "";
    const gutter = h("div", { class: "gutter" }, h("span", { class: "kind" }, kind), turn && h("span", { class: "count" }, turn),
      h("span", { class: "count" }, `${count(message.tokens ?? 0)} tokens`));
    const parts = (message.parts ?? []).map((/** @type {any} */ part, /** @type {number} */ place) => this.#part(part, `${name}.${place}`, message.kind));
    return h("li", { class: "message", "data-kind": message.kind, "data-mark": message.mark ?? "whole", "data-index": message.index },
      gutter, h("div", { class: "parts" }, mark && h("p", { class: "mark" }, mark), ...parts));
  }

  /**
   * @param {any} part
   * @param {string} name
   * @param {string} kind of its message
   */
  #part(part, name, kind) {
    const task = part.task ? this.session?.numbers.get(part.task) : undefined;
    const label = [part.task, part.tool].filter(Boolean).join(" ");
    const title = task ? h("button", { type: "button", class: "link", onclick: () => this.host.open(task.id) }, label) : label && h("span", {}, label);
    const words = { text: "", call: "calls", ack: "acknowledged", result: part.error ? "failed" : "result", report: "report", collapsed: "in one line", frame: "frame of the library", note: "note of the library", media: "media" }[/** @type {string} */ (part.kind)] ?? part.kind;
    const tokens = part.tokens !== undefined && part.tokens !== null ? h("span", { class: "count" }, `${count(part.tokens)}`) : null;
    const state = task && ["call", "ack"].includes(part.kind) && !task.isEnded ? h("span", { class: "state" }, task.row.words ?? "") : null;
    if (task && state) this.states.set(task.id, [...(this.states.get(task.id) ?? []), state]);
    const head = words || title ? h("div", { class: "part-head" }, h("span", { class: "what" }, words), title, state, part.cut && h("span", { class: "mark" }, "cut"), tokens) : null;
    const text = String(part.text ?? "");
    const isData = !["text", "frame", "note"].includes(part.kind);
    const body = part.kind === "frame" ? frame(text) : text.length > LONG || isData ? textView(text, `${words || kind} ${label || name}`, this.opened) : h("div", { class: "text" }, text);
    return h("div", { class: "part", "data-part": part.kind, "data-of": kind, "data-error": Boolean(part.error) }, head, body);
  }
}

/**
 * Frame of a delivery, in which the results stand out from the words of the library.
 *
 * @param {string} text
 */
function frame(text) {
  const lines = text.split("\n").map((line) => h("span", { class: line.startsWith("{") ? "data" : "around" }, line));
  return h("div", { class: "text" }, ...lines);
}
