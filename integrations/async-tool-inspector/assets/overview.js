/** @file Overview of a whole session: the number of open tasks over time, and the window that the timeline shows. */

import { follow } from "./drag.js";
import { h } from "./dom.js";

/** @typedef {import("./session.js").Session} Session */

const HEIGHT = 34;
/** Interval between two counts, in milliseconds: a count goes over all tasks. */
const COUNTED = 1_000;

/** Strip above a timeline, with which the window is moved. */
export class Overview {
  /** @param {(start: number, span: number) => void} show shows another window of time */
  constructor(show) {
    this.show = show;
    this.element = h("canvas", { class: "overview", "aria-hidden": "true" });
    this.countedAt = -Infinity;
    this.version = -1;
    /** @type {Float64Array} open tasks, by pixel */
    this.heights = new Float64Array(0);
    this.highest = 1;
    this.origin = 0;
    this.span = 1;
    this.windowSpan = 1;
    /** @type {CSSStyleDeclaration | undefined} */
    this.style = undefined;
    this.element.addEventListener("pointerdown", (event) => this.#grab(event));
  }

  /** Reads the colours anew. */
  repaint() {
    this.style = undefined;
    this.countedAt = -Infinity;
  }

  /**
   * @param {Session} session
   * @param {import("./scale.js").TimeScale} scale
   * @param {number} now
   */
  draw(session, scale, now) {
    const width = this.element.clientWidth;
    const brush = this.element.getContext("2d");
    if (!brush || width === 0 || !Number.isFinite(session.origin)) return;
    const ratio = devicePixelRatio || 1;
    if (this.element.width !== Math.round(width * ratio)) {
      this.element.width = Math.round(width * ratio);
      this.element.height = Math.round(HEIGHT * ratio);
      this.countedAt = -Infinity;
    }
    this.windowSpan = scale.span;
    const at = performance.now();
    if (at - this.countedAt > COUNTED && (this.version !== session.version || session.isOpen || this.countedAt < 0)) {
      this.countedAt = at;
      this.version = session.version;
      this.#count(session, now, width);
    }
    this.style ??= getComputedStyle(this.element);
    const colour = (/** @type {string} */ name) => this.style?.getPropertyValue(name).trim() ?? "";
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.clearRect(0, 0, width, HEIGHT);
    brush.fillStyle = colour("--running");
    brush.globalAlpha = 0.55;
    for (let x = 0; x < this.heights.length; x += 1) {
      const height = (this.heights[x] / this.highest) * (HEIGHT - 8);
      if (height > 0) brush.fillRect(x, HEIGHT - 2 - Math.max(1, height), 1, Math.max(1, height));
    }
    brush.globalAlpha = 1;
    brush.fillStyle = colour("--accent");
    let last = -Infinity;
    for (const message of session.messages) {
      const x = (message.at - this.origin) * (width / this.span);
      if (x - last < 1) continue;
      last = x;
      brush.fillRect(x, 2, 2, 5);
    }
    const from = Math.max(0, (scale.start - this.origin) * (width / this.span));
    const to = Math.min(width, (scale.end - this.origin) * (width / this.span));
    brush.globalAlpha = 0.12;
    brush.fillRect(from, 0, Math.max(2, to - from), HEIGHT);
    brush.globalAlpha = 1;
    brush.strokeStyle = colour("--accent");
    brush.strokeRect(from + 0.5, 0.5, Math.max(2, to - from - 1), HEIGHT - 1);
  }

  /**
   * @param {Session} session
   * @param {number} now
   * @param {number} width
   */
  #count(session, now, width) {
    this.origin = session.origin;
    this.span = Math.max(1_000, now - session.origin);
    const changes = new Float64Array(width + 1);
    for (const { row } of session.tasks.values()) {
      const from = Math.floor(((row.accepted - this.origin) / this.span) * width);
      const to = Math.ceil((((row.settled ?? now) - this.origin) / this.span) * width);
      changes[Math.min(width, Math.max(0, from))] += 1;
      changes[Math.min(width, Math.max(from + 1, to))] -= 1;
    }
    this.heights = new Float64Array(width);
    this.highest = 1;
    let open = 0;
    for (let x = 0; x < width; x += 1) {
      open += changes[x];
      this.heights[x] = open;
      this.highest = Math.max(this.highest, open);
    }
  }

  /** @param {PointerEvent} event */
  #grab(event) {
    const go = (/** @type {PointerEvent} */ { clientX }) => {
      const box = this.element.getBoundingClientRect();
      const at = this.origin + ((clientX - box.left) / box.width) * this.span;
      this.show(at - this.windowSpan / 2, this.windowSpan);
    };
    go(event);
    follow(event, (_across, _down, moved) => go(moved));
  }
}
