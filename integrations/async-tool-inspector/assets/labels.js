/** @file Labels of the rows of a timeline: a tree of the tasks for the keyboard and for screen readers. */

import { h, say } from "./dom.js";
import { ROW } from "./drawing.js";
import { describe, stateOf } from "./task_words.js";

/** @typedef {import("./rows.js").Rows} Rows */

/** Interval between two changes of the words, in milliseconds. */
const WORDS = 250;

/** Labels of the rows that the window shows. Only those are elements, so that ten thousand tasks cost no more than thirty. */
export class Labels {
  constructor() {
    this.element = h("div", { class: "rows", role: "tree", tabIndex: 0, "aria-label": "Tasks" });
    /** @type {Map<number, ReturnType<typeof label>>} */
    this.shown = new Map();
    this.wordsAt = 0;
  }

  /** Writes all words at the next drawing. */
  refresh() {
    this.wordsAt = 0;
  }

  /**
   * @param {Rows} rows
   * @param {{first: number, end: number}} window
   * @param {string | undefined} selected
   * @param {number} now
   */
  draw(rows, window, selected, now) {
    const writes = now - this.wordsAt >= WORDS || now < this.wordsAt;
    if (writes) this.wordsAt = now;
    /** Elements of rows that have left the window: they become those that have come. @type {ReturnType<typeof label>[]} */
    const free = [];
    for (const [place, parts] of this.shown) {
      if (place >= window.first && place < window.end) continue;
      free.push(parts);
      this.shown.delete(place);
    }
    for (let place = window.first; place < window.end; place += 1) {
      let parts = this.shown.get(place);
      const isNew = !parts;
      if (!parts) {
        parts = free.pop() ?? label();
        move(parts.row, place);
        this.#insert(parts.row, place);
        this.shown.set(place, parts);
      }
      if (isNew || writes || parts.selected !== (rows.all[place].task.id === selected)) write(parts, rows, place, selected, now);
    }
    for (const { row } of free) row.remove();
    const active = rows.placeOf(selected ?? "");
    if (this.shown.has(active)) this.element.setAttribute("aria-activedescendant", `row-${active}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /**
   * Inserts a row in the order of the places, which is that of a screen reader.
   *
   * @param {HTMLElement} row
   * @param {number} place
   */
  #insert(row, place) {
    const before = this.shown.get(place - 1)?.row;
    if (before) before.after(row);
    else this.element.prepend(row);
  }
}

function label() {
  const twisty = h("span", { class: "twisty", "aria-hidden": "true" });
  const name = h("span", { class: "number" });
  const tool = h("span", { class: "toolname" });
  const state = h("span", { class: "state" });
  const row = h("div", { class: "row", role: "treeitem" }, twisty, name, tool, state);
  return { row, twisty, name, tool, state, selected: false };
}

/**
 * @param {HTMLElement} row
 * @param {number} place
 */
function move(row, place) {
  row.id = `row-${place}`;
  row.dataset.place = String(place);
  row.style.top = `${place * ROW}px`;
}

/**
 * @param {ReturnType<typeof label>} parts
 * @param {Rows} rows
 * @param {number} place
 * @param {string | undefined} selected
 * @param {number} now
 */
function write(parts, rows, place, selected, now) {
  const { row, twisty, name, tool, state } = parts;
  const { task, depth, folded } = rows.all[place];
  const isParent = task.children.length > 0;
  parts.selected = task.id === selected;
  say(twisty, isParent ? (folded ? "▸" : "▾") : "");
  say(name, task.name);
  say(tool, task.tool);
  say(state, stateOf(task, now));
  row.style.paddingInlineStart = `${6 + Math.min(depth, 8) * 12}px`;
  const attributes = {
    "aria-level": depth + 1,
    "aria-setsize": rows.all.length,
    "aria-posinset": place + 1,
    "aria-selected": parts.selected,
    "aria-expanded": isParent ? !folded : null,
    "aria-label": describe(task, now),
    "data-status": task.status,
    "data-own": task.row.own || task.row.repeats ? "" : null,
    "data-asks": task.row.asks ? "" : null,
    "data-task": task.id,
  };
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null) row.removeAttribute(key);
    else if (row.getAttribute(key) !== String(value)) row.setAttribute(key, String(value));
  }
}
