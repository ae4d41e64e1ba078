/** @file Timeline of a session: rows of tasks beside a canvas with their bars. */

import { follow } from "./drag.js";
import { h, say } from "./dom.js";
import { AXIS, Drawing, HEAD, LANE, ROW } from "./drawing.js";
import { Labels } from "./labels.js";
import { Overview } from "./overview.js";
import { Palette } from "./palette.js";
import { Rows } from "./rows.js";
import { TimeScale } from "./scale.js";
import { tipAt, turnAt } from "./tip.js";
import { Toolbar } from "./toolbar.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Task} Task */

/** Span of a timeline that follows a session, in milliseconds: at its begin, and when it has grown with the session. */
const NEW_SPAN = 8_000;
const FIRST_SPAN = 30_000;
/** Longest span at first; an older session is shown in full on request. */
const LONG_SPAN = 10 * 60_000;
/** Part of the span that is left free before the beginning of a session. */
const MARGIN = 0.03;
/** Factor of a step of the keyboard or of a button. */
const STEP = 1.5;
/** Distance of a step to earlier or later moments, in pixels. */
const PAN = 80;
/** Number of drawings whose durations are kept. */
const KEPT = 600;

/** Timeline of a session. */
export class Timeline {
  /**
   * @param {object} host
   * @param {() => number} host.now
   * @param {(task: string) => void} host.open
   * @param {(turn: number) => void} host.openTurn
   */
  constructor(host) {
    this.host = host;
    /** @type {Session | undefined} */
    this.session = undefined;
    this.rows = new Rows();
    this.scale = new TimeScale(0, FIRST_SPAN, 100);
    this.follows = true;
    /** True until a reader chooses a span. */
    this.grows = true;
    this.hasFitted = false;
    /** @type {string | undefined} */
    this.selected = undefined;
    this.hovered = -1;
    this.structure = -1;
    this.version = -1;
    this.isDue = false;
    this.isShown = false;
    /** @type {Drawing | undefined} */
    this.drawing = undefined;
    /** Durations of the last drawings, in milliseconds; the tests read them. @type {number[]} */
    this.spent = [];
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.tools = new Toolbar({
      zoom: (isIn) => this.#zoom(isIn ? STEP : 1 / STEP),
      fit: () => this.#fit(),
      follow: () => this.#follow(!this.follows),
      filter: () => this.#filtered(),
    });
    this.overview = new Overview((start, span) => {
      this.follows = false;
      this.grows = false;
      this.scale = new TimeScale(start, span, this.scale.width);
      this.changed();
    });
    this.labels = new Labels();
    this.list = this.labels.element;
    this.space = h("div", { class: "space" }, this.list);
    this.scroll = h("div", { class: "scroll" }, this.space);
    this.canvas = h("canvas", { class: "bars", "aria-hidden": "true" });
    this.tip = h("div", { class: "tip", role: "tooltip", hidden: true });
    this.empty = h("p", { class: "empty", hidden: true });
    const lane = (/** @type {string} */ text) => h("div", { class: `lane ${text}` }, text);
    this.lanes = h("div", { class: "lanes" }, this.scroll, lane("time"), lane("user"), lane("model"), this.canvas, this.empty, this.tip);
    this.element = h("div", { class: "timeline" }, this.tools.element, this.overview.element, this.lanes);
    this.#listen();
  }

  #listen() {
    this.scroll.addEventListener("scroll", () => this.changed(), { passive: true });
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("click", (event) => this.#clickedRow(event));
    this.lanes.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.lanes.addEventListener("pointerdown", (event) => this.#grab(event));
    this.lanes.addEventListener("pointermove", (event) => this.#hover(event));
    this.lanes.addEventListener("pointerleave", () => this.#leave());
    new ResizeObserver(() => this.#resized()).observe(this.lanes);
    const repaint = () => {
      this.drawing = undefined;
      this.changed();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    matchMedia("(forced-colors: active)").addEventListener("change", repaint);
  }

  /**
   * Shows a session.
   *
   * @param {Session | undefined} session
   */
  show(session) {
    const isOther = session?.name !== this.session?.name;
    this.session = session;
    this.structure = -1;
    this.version = -1;
    if (isOther) {
      this.hasFitted = false;
      this.rows = new Rows();
      this.rows.words = this.tools.filter.value;
      this.rows.onlyOpen = this.tools.onlyOpen.checked;
      this.scroll.scrollTop = 0;
    }
    this.changed();
  }

  /** @param {boolean} isShown */
  setShown(isShown) {
    this.isShown = isShown;
    this.changed();
  }

  /**
   * Marks a task, and scrolls to it.
   *
   * @param {string | undefined} id
   */
  select(id) {
    if (this.selected === id) return;
    this.selected = id;
    if (id) this.#reveal(this.rows.placeOf(id));
    this.changed();
  }

  /** Draws before the next frame. */
  changed() {
    if (this.isDue || !this.isShown) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      const began = performance.now();
      this.#frame();
      this.spent.push(performance.now() - began);
      if (this.spent.length > KEPT) this.spent.shift();
    });
  }

  #frame() {
    const { session } = this;
    if (!session || !this.isShown || this.lanes.clientHeight === 0) return;
    const now = this.host.now();
    if (this.structure !== session.structure || ((this.rows.isFiltered) && this.version !== session.version)) {
      this.structure = session.structure;
      this.rows.update(session.roots);
      this.space.style.height = `${this.rows.all.length * ROW}px`;
      this.labels.refresh();
    }
    if (this.version !== session.version) this.labels.refresh();
    this.version = session.version;
    this.empty.hidden = this.rows.all.length > 0;
    say(this.empty, session.tasks.size === 0 ? "No task yet. Calls of the model appear here as they are made." : "The filter hides all tasks.");
    this.#place(session, now);
    const window = this.rows.window(this.scroll.scrollTop, this.scroll.clientHeight, ROW);
    this.labels.draw(this.rows, window, this.selected, now);
    this.tools.write(this.rows.all.length, session.tasks.size, this.follows, session.isOpen);
    this.#paint(session, window, now);
    this.overview.draw(session, this.scale, session.isOpen ? now : session.latest);
    this.#again(session);
  }

  /**
   * Moves the window of time: to all of the session at first, and then with the clock.
   *
   * @param {Session} session
   * @param {number} now
   */
  #place(session, now) {
    if (!Number.isFinite(session.origin)) return;
    const end = session.isOpen ? now : session.latest;
    if (!this.hasFitted) {
      this.hasFitted = true;
      this.follows = session.isOpen;
      const span = Math.max(end - session.origin, 1_000) * 1.1;
      this.grows = span < FIRST_SPAN;
      this.scale = this.follows
        ? new TimeScale(end, Math.min(LONG_SPAN, Math.max(span, NEW_SPAN)), this.scale.width)
        : this.scale.fitted(session.origin, end);
    }
    if (this.follows && session.isOpen) {
      // Until it moves, the window of a new session is filled.
      const grown = Math.min(FIRST_SPAN, (end - session.origin) * 1.1);
      if (this.grows && grown > this.scale.span) this.scale = new TimeScale(end, grown, this.scale.width);
      this.scale = this.scale.following(now);
      // A session that is younger than the window begins at the left.
      const first = session.origin - this.scale.span * MARGIN;
      if (this.scale.start < first) this.scale = new TimeScale(first, this.scale.span, this.scale.width);
    }
  }

  /**
   * @param {Session} session
   * @param {{first: number, end: number}} window
   * @param {number} now
   */
  #paint(session, window, now) {
    const width = this.#width();
    const height = this.lanes.clientHeight;
    const ratio = devicePixelRatio || 1;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== across || this.canvas.height !== down) {
      this.canvas.width = across;
      this.canvas.height = down;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
      this.drawing = undefined;
    }
    if (!this.drawing) {
      const brush = this.canvas.getContext("2d");
      if (!brush) return;
      this.drawing = new Drawing(brush, new Palette(this.element, brush, ratio));
      brush.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.overview.repaint();
      this.tools.paint();
    }
    if (this.scale.width !== width) this.scale = this.scale.resized(width);
    this.drawing.draw({
      session, scale: this.scale, rows: this.rows.all, window, top: this.scroll.scrollTop, width, height, now,
      isOpen: session.isOpen, selected: this.selected, hovered: this.hovered,
    });
  }

  /**
   * Draws again when the picture has moved by half a pixel; with less motion, once a second.
   *
   * @param {Session} session
   */
  #again(session) {
    clearTimeout(this.timer);
    if (!session.isOpen || document.hidden) return;
    const hasMotion = session.hasOpenTasks || session.running !== undefined || this.follows;
    if (!hasMotion) return;
    const pause = this.calm.matches ? 1_000 : Math.min(500, Math.max(33, 0.5 / this.scale.density));
    this.timer = setTimeout(() => this.changed(), pause);
  }

  #width() {
    return Math.max(40, this.scroll.clientWidth - this.list.offsetWidth);
  }

  #resized() {
    this.drawing = undefined;
    this.changed();
  }

  #filtered() {
    this.rows.words = this.tools.filter.value;
    this.rows.onlyOpen = this.tools.onlyOpen.checked;
    this.structure = -1;
    this.changed();
  }

  /** @param {boolean} follows */
  #follow(follows) {
    this.follows = follows;
    this.changed();
  }

  #fit() {
    if (!this.session || !Number.isFinite(this.session.origin)) return;
    this.follows = false;
    this.grows = false;
    this.scale = this.scale.fitted(this.session.origin, this.session.isOpen ? this.host.now() : this.session.latest);
    this.changed();
  }

  /**
   * @param {number} factor
   * @param {number} [x] place that keeps its moment
   */
  #zoom(factor, x) {
    const follows = this.follows && this.session?.isOpen;
    const around = x ?? (follows ? this.scale.x(this.host.now()) : this.scale.width / 2);
    this.grows = false;
    this.scale = this.scale.zoomed(factor, around);
    this.changed();
  }

  /** @param {number} pixels */
  #pan(pixels) {
    this.follows = false;
    this.scale = this.scale.panned(pixels);
    this.changed();
  }

  /**
   * Handles a key anywhere on the page of the session.
   *
   * @param {KeyboardEvent} event
   * @returns {boolean} true if the key means something here
   */
  shortcut(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    switch (event.key) {
      case "+":
      case "=":
        this.#zoom(STEP);
        return true;
      case "-":
        this.#zoom(1 / STEP);
        return true;
      case "0":
        this.#fit();
        return true;
      case "f":
        this.#follow(!this.follows);
        return true;
      case "/":
        this.tools.filter.focus();
        return true;
      default:
        return false;
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.rows.all.length - 1;
    const place = this.rows.placeOf(this.selected ?? "");
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 1);
    const go = (/** @type {number} */ to) => {
      const row = this.rows.all[Math.min(last, Math.max(0, to))];
      if (row) this.select(row.task.id);
    };
    const task = this.rows.all[place]?.task;
    if (event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      this.#pan(event.key === "ArrowLeft" ? -PAN : PAN);
    } else if (event.key === "ArrowDown") go(place + 1);
    else if (event.key === "ArrowUp") go(place < 0 ? last : place - 1);
    else if (event.key === "PageDown") go(place + page);
    else if (event.key === "PageUp") go(place - page);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(last);
    else if (event.key === "ArrowLeft" && task) this.#fold(task, place, true);
    else if (event.key === "ArrowRight" && task) this.#fold(task, place, false);
    else if ((event.key === "Enter" || event.key === " ") && task) this.host.open(task.id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Folds the row; a row that has nothing to fold leads to its parent, and one that has nothing to unfold to its first child.
   *
   * @param {Task} task
   * @param {number} place
   * @param {boolean} folded
   */
  #fold(task, place, folded) {
    const isFolded = this.rows.folded.has(task.id);
    if (task.children.length > 0 && isFolded !== folded) {
      this.rows.fold(task.id, folded);
      this.structure = -1;
      this.changed();
    } else if (folded && task.row.parent) this.select(task.row.parent);
    else if (!folded && task.children.length > 0) this.select(this.rows.all[place + 1]?.task.id);
  }

  /** @param {MouseEvent} event */
  #clickedRow(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest(".row"));
    const found = row ? this.rows.all[Number(row.dataset.place)] : undefined;
    if (!found) return;
    if (target.classList.contains("twisty") && found.task.children.length > 0) {
      this.#fold(found.task, Number(row?.dataset.place), !this.rows.folded.has(found.task.id));
      return;
    }
    this.select(found.task.id);
    this.host.open(found.task.id);
  }

  /** @param {number} place */
  #reveal(place) {
    if (place < 0) return;
    const top = place * ROW;
    const { scrollTop, clientHeight } = this.scroll;
    if (top < scrollTop) this.scroll.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.scroll.scrollTop = top + ROW - clientHeight;
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const { x } = this.#point(event);
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.#zoom(Math.exp(-event.deltaY * 0.004), this.follows && this.session?.isOpen ? undefined : Math.max(0, x));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.#pan(event.deltaX || event.deltaY);
    }
  }

  /**
   * Place of the pointer on the canvas.
   *
   * @param {MouseEvent} event
   */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /**
   * Follows a drag, or takes a click.
   *
   * @param {PointerEvent} event
   */
  #grab(event) {
    const { x, y } = this.#point(event);
    if (event.button !== 0 || x < 0 || x > this.scale.width) return;
    const { scale } = this;
    const top = this.scroll.scrollTop;
    const move = (/** @type {number} */ across, /** @type {number} */ down) => {
      this.follows = false;
      this.scale = scale.panned(-across);
      // A finger scrolls the rows by itself.
      if (event.pointerType === "mouse") this.scroll.scrollTop = top - down;
      this.changed();
    };
    follow(event, move, () => this.#click(x, y));
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #click(x, y) {
    const { session } = this;
    if (!session) return;
    if (y >= HEAD) {
      const task = this.rows.all[this.#placeAt(y)]?.task;
      if (!task) return;
      this.select(task.id);
      this.host.open(task.id);
    } else if (y >= AXIS + LANE) {
      const turn = turnAt(session, this.scale, x, this.host.now());
      if (turn) this.host.openTurn(turn.turn);
    }
  }

  /** @param {number} y */
  #placeAt(y) {
    return Math.floor((y - HEAD + this.scroll.scrollTop) / ROW);
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const { x, y } = this.#point(event);
    const place = y >= HEAD && y < this.lanes.clientHeight ? this.#placeAt(y) : -1;
    if (place !== this.hovered) {
      this.hovered = place;
      this.changed();
    }
    const task = this.rows.all[place]?.task;
    const text = this.session && x >= 0 && event.pointerType === "mouse" ? tipAt(this.session, this.scale, x, y, task, this.host.now()) : "";
    this.tip.hidden = text === "";
    if (text === "") return;
    say(this.tip, text);
    const left = Math.min(x + 14, this.scale.width - this.tip.offsetWidth - 8);
    const below = y + 18 + this.tip.offsetHeight > this.lanes.clientHeight;
    this.tip.style.left = `${this.list.offsetWidth + Math.max(4, left)}px`;
    this.tip.style.top = `${below ? y - this.tip.offsetHeight - 8 : y + 18}px`;
  }

  #leave() {
    this.tip.hidden = true;
    if (this.hovered < 0) return;
    this.hovered = -1;
    this.changed();
  }
}
