/** @file Rows of a timeline: the tasks as a tree, in the order in which they were accepted. */

/** @typedef {import("./session.js").Task} Task */

/**
 * Row of a timeline.
 *
 * @typedef {object} Row
 * @property {Task} task
 * @property {number} depth 0 for a task of the model's
 * @property {boolean} folded true if its children are hidden
 */

/** Rows of a timeline: folds subtrees, and filters. */
export class Rows {
  constructor() {
    /** @type {Row[]} */
    this.all = [];
    /** @type {Set<string>} */
    this.folded = new Set();
    this.words = "";
    this.onlyOpen = false;
    /** @type {Map<string, number>} */
    this.places = new Map();
  }

  /** True if some tasks may be hidden by the filter. */
  get isFiltered() {
    return this.onlyOpen || this.words.trim() !== "";
  }

  /**
   * Makes the rows anew.
   *
   * @param {Iterable<Task>} roots
   */
  update(roots) {
    this.all = [];
    this.places.clear();
    // A filter shows each match where it is, under whatever was folded.
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    /** @type {{task: Task, depth: number}[]} */
    const stack = [...roots].reverse().map((task) => ({ task, depth: 0 }));
    const seen = new Set();
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { task, depth } = next;
      if (seen.has(task.id)) continue;
      seen.add(task.id);
      const folded = this.folded.has(task.id) && !this.isFiltered;
      if (this.#shows(task, words)) {
        this.places.set(task.id, this.all.length);
        this.all.push({ task, depth, folded });
      }
      if (folded) continue;
      for (let index = task.children.length - 1; index >= 0; index -= 1) {
        stack.push({ task: task.children[index], depth: depth + 1 });
      }
    }
  }

  /**
   * @param {Task} task
   * @param {string[]} words
   */
  #shows(task, words) {
    if (this.onlyOpen && task.isEnded) return false;
    if (words.length === 0) return true;
    const text = `${task.name} ${task.tool} ${task.status} ${task.waits_for?.kind ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  /**
   * Place of a task's row; −1 if it is hidden.
   *
   * @param {string} id
   */
  placeOf(id) {
    return this.places.get(id) ?? -1;
  }

  /**
   * Folds or unfolds the children of a task.
   *
   * @param {string} id
   * @param {boolean} folded
   */
  fold(id, folded) {
    if (folded) this.folded.add(id);
    else this.folded.delete(id);
  }

  /**
   * Rows that a window shows, and those around it.
   *
   * @param {number} top pixels above the window
   * @param {number} height pixels of the window
   * @param {number} row pixels of a row
   * @returns {{first: number, end: number}} the end is not shown
   */
  window(top, height, row) {
    const first = Math.max(0, Math.floor(top / row) - 2);
    return { first, end: Math.min(this.all.length, Math.ceil((top + height) / row) + 2) };
  }
}
