/** @file List of the sessions. */

import { h, say } from "./dom.js";
import { hasTokens, plural, shortCount } from "./words.js";

/** @typedef {import("./session.js").SessionRow} SessionRow */

/** Most sessions in the list at first; the filter finds the others. */
const SHOWN = 200;
/** Number of sessions from which the list is drawn less often. */
const LONG = 500;

/** States of a session in words. */
const STATES = /** @type {Record<string, string>} */ ({
  idle: "idle", waiting: "waits", thinking: "thinks", answering: "answers", closing: "closes", closed: "closed", stopped: "stopped", open: "open, not here",
});

/** List of the sessions. */
export class SessionList {
  /** @param {(session: string) => void} open */
  constructor(open) {
    this.open = open;
    /** @type {Map<string, SessionRow>} */
    this.rows = new Map();
    /** @type {Map<string, ReturnType<typeof item>>} */
    this.items = new Map();
    /** @type {string | undefined} */
    this.chosen = undefined;
    this.isDue = false;
    this.filter = h("input", { type: "search", class: "filter", placeholder: "Filter sessions", "aria-label": "Filter the sessions", oninput: () => this.#draw() });
    this.list = h("ul", { class: "session-list" });
    this.more = h("p", { class: "hint", role: "status" });
    this.element = h("nav", { class: "sessions", "aria-label": "Sessions" }, this.filter, this.list, this.more);
  }

  /** @param {SessionRow[]} rows */
  replace(rows) {
    this.rows = new Map(rows.map((row) => [row.session, row]));
    this.#draw();
  }

  /**
   * @param {SessionRow[]} rows
   * @param {string[]} removed
   */
  update(rows, removed) {
    for (const row of rows) this.rows.set(row.session, row);
    for (const name of removed) this.rows.delete(name);
    if (rows.length + removed.length > 0) this.#drawLater();
  }

  /** Draws at the next frame; a long list less often, because it is sorted each time. */
  #drawLater() {
    if (this.isDue) return;
    this.isDue = true;
    setTimeout(() => {
      this.isDue = false;
      this.#draw();
    }, this.rows.size > LONG ? 500 : 16);
  }

  /** @param {string | undefined} session */
  choose(session) {
    this.chosen = session;
    this.#draw();
  }

  /** The first session, to be shown when none is chosen: one that asks, or else the one that changed last. */
  get first() {
    return this.#sorted()[0]?.session;
  }

  #sorted() {
    // Sessions keep their places while they work, or the list would never be at rest: the order is that of their beginnings.
    return [...this.rows.values()].sort((one, other) => rank(one) - rank(other) || (other.began ?? 0) - (one.began ?? 0) || one.session.localeCompare(other.session));
  }

  #draw() {
    const words = this.filter.value.toLowerCase().trim();
    const all = this.#sorted().filter((row) => row.session.toLowerCase().includes(words) || STATES[row.state]?.includes(words));
    const shown = all.slice(0, SHOWN);
    const names = new Set(shown.map((row) => row.session));
    for (const [name, parts] of this.items) {
      if (names.has(name)) continue;
      parts.element.remove();
      this.items.delete(name);
    }
    shown.forEach((row, place) => {
      let parts = this.items.get(row.session);
      if (!parts) {
        parts = item(row, () => this.open(row.session));
        this.items.set(row.session, parts);
      }
      write(parts, row, row.session === this.chosen);
      if (this.list.children[place] !== parts.element) this.list.insertBefore(parts.element, this.list.children[place] ?? null);
    });
    const hidden = all.length - shown.length;
    say(this.more, this.rows.size === 0 ? "No session yet." : hidden > 0 ? `and ${plural(hidden, "more session")}; the filter finds them` : "");
  }
}

/**
 * Live sessions come first, and ended ones last.
 *
 * @param {SessionRow} row
 */
function rank(row) {
  if (row.state === "closed" || row.state === "stopped") return 2;
  return row.source === "journal" ? 1 : 0;
}

/**
 * @param {SessionRow} row
 * @param {() => void} open
 */
function item(row, open) {
  const name = h("span", { class: "session-name" }, row.session);
  const state = h("span", { class: "session-state" });
  const wait = h("span", { class: "session-wait" });
  const figures = h("span", { class: "session-figures" });
  const button = h("button", { type: "button", class: "session-item", onclick: open }, name, state, wait, figures);
  return { element: h("li", {}, button), button, state, wait, figures };
}

/**
 * @param {ReturnType<typeof item>} parts
 * @param {SessionRow} row
 * @param {boolean} isChosen
 */
function write({ button, state, wait, figures }, row, isChosen) {
  if (isChosen) button.setAttribute("aria-current", "page");
  else button.removeAttribute("aria-current");
  button.dataset.state = row.state;
  say(state, stateWords(row));
  const waits = row.reason ?? row.waits_for.join(", ");
  say(wait, waits || (row.source === "journal" && row.owner ? `of ${row.owner}` : ""));
  wait.title = wait.textContent ?? "";
  const tokens = hasTokens(row.tokens) ? `${shortCount(row.tokens.input)} → ${shortCount(row.tokens.output)} tokens` : "";
  say(figures, [`${row.open_tasks} of ${plural(row.tasks, "task")} open`, tokens].filter(Boolean).join(" · "));
}

/** @param {SessionRow} row */
export function stateWords(row) {
  const words = STATES[row.state] ?? row.state;
  return row.questions > 0 ? `${words} · ${plural(row.questions, "question")}` : words;
}
