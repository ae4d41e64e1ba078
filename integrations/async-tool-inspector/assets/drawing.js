/** @file Drawing of a timeline on a canvas: the axis, the lanes, the bars of the tasks, and the arrows of their results. */

import { KINDS, LOOKS, briefly, kindOf } from "./phase.js";
import { clip, hasTokens, shortCount } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Task} Task */
/** @typedef {import("./scale.js").TimeScale} TimeScale */
/** @typedef {import("./palette.js").Palette} Palette */

/** Heights, in pixels. */
export const ROW = 24;
export const AXIS = 22;
export const LANE = 24;
/** Height of the axis, the lane of the user and the lane of the model. */
export const HEAD = AXIS + 2 * LANE;

const BAR = 14;
/** Width of the sign of an end. */
const SIGN = 14;
const MODEL = AXIS + LANE;

/**
 * What a drawing shows.
 *
 * @typedef {object} Scene
 * @property {Session} session
 * @property {TimeScale} scale
 * @property {import("./rows.js").Row[]} rows
 * @property {{first: number, end: number}} window
 * @property {number} top pixels of rows above the window
 * @property {number} width
 * @property {number} height
 * @property {number} now
 * @property {boolean} isOpen
 * @property {string | undefined} selected id of a task
 * @property {number} hovered place of a row; −1 for none
 */

/** Canvas of a timeline. */
export class Drawing {
  /**
   * @param {CanvasRenderingContext2D} brush
   * @param {Palette} palette
   */
  constructor(brush, palette) {
    this.brush = brush;
    this.palette = palette;
  }

  /** @param {Scene} scene */
  draw(scene) {
    const { brush, palette } = this;
    brush.clearRect(0, 0, scene.width, scene.height);
    brush.font = `11px ${palette.font}`;
    brush.textBaseline = "middle";
    this.#grid(scene);
    brush.save();
    brush.beginPath();
    brush.rect(0, HEAD, scene.width, scene.height - HEAD);
    brush.clip();
    this.#bands(scene);
    brush.restore();
    this.#arrows(scene);
    brush.save();
    brush.beginPath();
    brush.rect(0, HEAD, scene.width, scene.height - HEAD);
    brush.clip();
    this.#rows(scene);
    brush.restore();
    this.#messages(scene);
    this.#turns(scene);
    this.#now(scene);
  }

  /** @param {Scene} scene */
  #grid({ session, scale, width, height }) {
    const { brush, palette } = this;
    const origin = Number.isFinite(session.origin) ? session.origin : scale.start;
    brush.lineWidth = 1;
    for (const tick of scale.ticks(origin)) {
      const x = Math.round(tick.x) + 0.5;
      brush.strokeStyle = palette.colour("--faint");
      line(brush, x, AXIS - 5, x, height);
      brush.fillStyle = palette.colour("--muted");
      brush.textAlign = "left";
      brush.fillText(tick.label, x + 4, AXIS / 2 + 1);
    }
    brush.strokeStyle = palette.colour("--line");
    for (const y of [AXIS, MODEL, HEAD]) line(brush, 0, y - 0.5, width, y - 0.5);
    brush.setLineDash([3, 3]);
    let last = -Infinity;
    for (const mark of session.marks) {
      const x = Math.round(scale.x(mark.at)) + 0.5;
      // Marks that fall together are drawn once.
      if (x < 0 || x > width || x - last < 2) continue;
      last = x;
      brush.strokeStyle = palette.colour(mark.kind === "stopped" || mark.kind === "defect" ? "--bad" : "--muted");
      line(brush, x, AXIS, x, height);
    }
    brush.setLineDash([]);
  }

  /**
   * Bands behind the rows that are selected or under the pointer.
   *
   * @param {Scene} scene
   */
  #bands(scene) {
    const { brush, palette } = this;
    for (let index = scene.window.first; index < scene.window.end; index += 1) {
      const isSelected = scene.rows[index].task.id === scene.selected;
      if (!isSelected && index !== scene.hovered) continue;
      brush.fillStyle = palette.colour(isSelected ? "--accent" : "--muted");
      brush.globalAlpha = isSelected ? 0.12 : 0.07;
      brush.fillRect(0, HEAD + index * ROW - scene.top, scene.width, ROW);
      brush.globalAlpha = 1;
    }
  }

  /** @param {Scene} scene */
  #rows(scene) {
    for (let index = scene.window.first; index < scene.window.end; index += 1) {
      this.#task(scene, scene.rows[index].task, HEAD + index * ROW - scene.top + (ROW - BAR) / 2);
    }
  }

  /**
   * @param {Scene} scene
   * @param {Task} task
   * @param {number} y
   */
  #task(scene, task, y) {
    const { brush, palette } = this;
    const { scale, now, width } = scene;
    let drawn = -Infinity;
    for (const phase of task.row.phases) {
      const from = scale.x(phase.from);
      const to = Math.max(scale.x(phase.to ?? (scene.isOpen ? now : scene.session.latest)), from + 1.5);
      if (to < 0) continue;
      if (from > width) break;
      // Phases of less than half a pixel would be drawn over each other.
      if (to - drawn < 0.5) continue;
      drawn = to;
      this.#phase(phase, Math.max(from, -4), Math.min(to, width + 4), y, now);
    }
    this.#progress(scene, task, y);
    this.#end(scene, task, y);
  }

  /**
   * @param {import("./phase.js").Phase} phase
   * @param {number} from
   * @param {number} to
   * @param {number} y
   * @param {number} now
   */
  #phase(phase, from, to, y, now) {
    const { brush, palette } = this;
    const kind = kindOf(phase.kind);
    const look = LOOKS[kind];
    const width = Math.max(1.5, to - from - (to - from > 4 ? 1 : 0));
    brush.fillStyle = palette.fill(kind);
    if (kind === "running") {
      rounded(brush, from, y, width, BAR, 2);
      brush.fill();
    } else {
      brush.fillRect(from, y, width, BAR);
      if (width > 3) {
        brush.strokeStyle = palette.colour(look.colour);
        brush.lineWidth = 1;
        brush.strokeRect(from + 0.5, y + 0.5, width - 1, BAR - 1);
      }
    }
    if (width < 26) return;
    const words = briefly(phase, now);
    if (brush.measureText(words).width > width - 10) return;
    brush.textAlign = "left";
    const x = Math.max(from, 0) + 5;
    if (kind === "running") {
      brush.fillStyle = palette.colour("--running-ink");
    } else {
      // The words stand on the surface, not on the pattern.
      brush.fillStyle = palette.colour("--surface");
      brush.fillRect(x - 2, y + 1, brush.measureText(words).width + 4, BAR - 2);
      brush.fillStyle = palette.colour("--ink");
    }
    brush.fillText(words, x, y + BAR / 2 + 0.5);
  }

  /**
   * @param {Scene} scene
   * @param {Task} task
   * @param {number} y
   */
  #progress({ scale, now }, task, y) {
    const fraction = task.row.progress?.fraction;
    if (task.phase?.kind !== "running" || task.isEnded || typeof fraction !== "number" || task.row.started === undefined) return;
    const { brush, palette } = this;
    const from = scale.x(task.row.started);
    const length = (scale.x(now) - from) * Math.min(1, Math.max(0, fraction));
    brush.fillStyle = palette.colour("--running-ink");
    brush.globalAlpha = 0.85;
    brush.fillRect(from + 1, y + BAR - 3, Math.max(0, length - 2), 2);
    brush.globalAlpha = 1;
  }

  /**
   * @param {Scene} scene
   * @param {Task} task
   * @param {number} y
   */
  #end({ scale, width }, task, y) {
    if (!task.isEnded || task.row.settled === undefined) return;
    const x = scale.x(task.row.settled);
    if (x < -14 || x > width) return;
    const { brush, palette } = this;
    const [sign, colour] = endOf(task.status);
    brush.fillStyle = palette.colour(colour);
    brush.textAlign = "left";
    brush.font = `bold 11px ${palette.font}`;
    brush.fillText(sign, x + 3, y + BAR / 2 + 0.5);
    brush.font = `11px ${palette.font}`;
  }

  /**
   * Arrows from the results that the window shows to the turns that got them. Results that go to one turn share its trunk.
   *
   * @param {Scene} scene
   */
  #arrows(scene) {
    const { brush, palette } = this;
    const { session, scale, width, height } = scene;
    /** @type {Set<number>} */
    const heads = new Set();
    for (const strong of [false, true]) {
      brush.strokeStyle = palette.colour(strong ? "--accent" : "--arrow");
      brush.lineWidth = strong ? 1.75 : 1;
      /** @type {Map<number, number>} the lower end of each trunk, by its place */
      const trunks = new Map();
      brush.beginPath();
      for (let index = scene.window.first; index < scene.window.end; index += 1) {
        const { task } = scene.rows[index];
        if ((task.id === scene.selected || index === scene.hovered) !== strong) continue;
        const y = HEAD + index * ROW - scene.top + ROW / 2;
        if (y < HEAD || y > height + ROW) continue;
        for (const delivery of task.deliveries) {
          const target = arrival(session, delivery);
          if (target === undefined || delivery.how === "dropped") continue;
          const to = Math.round(scale.x(target)) + 0.5;
          const end = scale.x(task.row.settled ?? delivery.at);
          // Behind the sign of the end, where there is room for it.
          const from = to > end + SIGN ? end + SIGN : end;
          if (Math.max(from, to) < 0 || Math.min(from, to) > width) continue;
          const radius = Math.min(6, Math.abs(to - from));
          brush.moveTo(from, y);
          brush.arcTo(to, y, to, y - radius, radius);
          trunks.set(to, Math.max(trunks.get(to) ?? 0, y - radius));
        }
      }
      // A line that is drawn for each of its results would grow dark.
      for (const [x, y] of trunks) {
        brush.moveTo(x, y);
        brush.lineTo(x, MODEL + LANE - 3);
        heads.add(x);
      }
      brush.stroke();
    }
    brush.fillStyle = palette.colour("--ink");
    for (const x of heads) {
      brush.beginPath();
      brush.moveTo(x, MODEL + LANE - 5);
      brush.lineTo(x - 3.5, HEAD + 1);
      brush.lineTo(x + 3.5, HEAD + 1);
      brush.closePath();
      brush.fill();
    }
  }

  /** @param {Scene} scene */
  #messages({ session, scale, width }) {
    const { brush, palette } = this;
    const { messages } = session;
    let free = -Infinity;
    for (let index = firstAfter(messages, scale.at(-200), (message) => message.at); index < messages.length; index += 1) {
      const x = scale.x(messages[index].at);
      if (x > width) break;
      if (x < free) continue;
      const y = AXIS + LANE / 2;
      brush.fillStyle = palette.colour("--accent");
      brush.beginPath();
      brush.moveTo(x, y - 5);
      brush.lineTo(x + 5, y);
      brush.lineTo(x, y + 5);
      brush.lineTo(x - 5, y);
      brush.closePath();
      brush.fill();
      free = x + 4;
      const next = messages[index + 1];
      const room = (next ? scale.x(next.at) : width + 200) - x - 18;
      if (room < 30) continue;
      brush.fillStyle = palette.colour("--ink");
      brush.textAlign = "left";
      brush.fillText(clip(messages[index].text, Math.min(80, Math.floor(room / 5.6))), x + 9, y + 0.5);
      free = x + 12;
    }
  }

  /** @param {Scene} scene */
  #turns({ session, scale, width, now, isOpen }) {
    const { brush, palette } = this;
    const { turns } = session;
    const y = MODEL + 4;
    let drawn = -Infinity;
    let place = firstAfter(turns, scale.at(0), (turn) => turn.to ?? turn.from);
    for (; place < turns.length; place += 1) {
      const turn = turns[place];
      const from = scale.x(turn.from);
      if (from > width) break;
      const to = Math.max(scale.x(turn.to ?? (isOpen ? now : session.latest)), from + 2);
      if (to - drawn < 0.5) continue;
      drawn = to;
      const bad = turn.end === "failed";
      const broken = turn.end === "withdrawn" || turn.end === "interrupted";
      brush.fillStyle = palette.colour("--turn");
      brush.globalAlpha = broken || bad ? 0.35 : 1;
      rounded(brush, from, y, Math.max(2, to - from - 0.5), LANE - 8, 2);
      brush.fill();
      brush.globalAlpha = 1;
      if (bad || broken) {
        brush.fillStyle = palette.colour(bad ? "--bad" : "--people");
        brush.fillRect(to - 2, y - 2, 2, LANE - 4);
      }
      const next = turns[place + 1];
      this.#turnWords(turn, from, to, next ? scale.x(next.from) : Infinity, y, broken || bad);
    }
  }

  /**
   * Writes the tokens into the bar, or beside it where there is room.
   *
   * @param {import("./session.js").Turn} turn
   * @param {number} from
   * @param {number} to
   * @param {number} next
   * @param {number} y
   * @param {boolean} pale
   */
  #turnWords(turn, from, to, next, y, pale) {
    const { brush, palette } = this;
    const tokens = hasTokens(turn.tokens) ? ` ${shortCount(turn.tokens.input)} → ${shortCount(turn.tokens.output)}` : "";
    brush.textAlign = "left";
    for (const words of [`${turn.turn}${tokens}`, String(turn.turn)]) {
      const length = brush.measureText(words).width;
      const start = Math.max(from, 0);
      if (length + 8 <= to - start) {
        brush.fillStyle = palette.colour(pale ? "--ink" : "--turn-ink");
        brush.fillText(words, start + 4, y + (LANE - 8) / 2 + 0.5);
        return;
      }
      if (to + length + 8 <= next) {
        brush.fillStyle = palette.colour("--muted");
        brush.fillText(words, to + 4, y + (LANE - 8) / 2 + 0.5);
        return;
      }
    }
  }

  /** @param {Scene} scene */
  #now({ scale, now, width, height, isOpen }) {
    if (!isOpen) return;
    const x = Math.round(scale.x(now)) + 0.5;
    if (x < 0 || x > width) return;
    const { brush, palette } = this;
    brush.strokeStyle = palette.colour("--accent");
    brush.lineWidth = 1;
    line(brush, x, AXIS, x, height);
  }
}

/**
 * Sign and colour of an end.
 *
 * @param {string} status
 * @returns {[string, string]}
 */
export function endOf(status) {
  switch (status) {
    case "completed":
      return ["✓", "--good"];
    case "failed":
      return ["✗", "--bad"];
    case "cancelled":
      return ["■", "--muted"];
    default:
      return ["?", "--bad"];
  }
}

/**
 * Time at which a result reached the model: the start of the turn that was given it.
 *
 * @param {Session} session
 * @param {import("./session.js").Delivery} delivery
 * @returns {number | undefined} undefined if no turn was given it yet
 */
export function arrival(session, delivery) {
  if (delivery.turn === undefined || delivery.turn === null) return undefined;
  const { turns } = session;
  const place = firstAfter(turns, delivery.turn - 1, (turn) => turn.turn);
  return turns[place]?.turn === delivery.turn ? turns[place].from : undefined;
}

/**
 * Place of the first item whose key is above a limit. The keys must grow.
 *
 * @template Item
 * @param {Item[]} items
 * @param {number} limit
 * @param {(item: Item) => number} key
 */
export function firstAfter(items, limit, key) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(items[middle]) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * @param {CanvasRenderingContext2D} brush
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 */
function line(brush, x1, y1, x2, y2) {
  brush.beginPath();
  brush.moveTo(x1, y1);
  brush.lineTo(x2, y2);
  brush.stroke();
}

/**
 * @param {CanvasRenderingContext2D} brush
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {number} radius
 */
function rounded(brush, x, y, width, height, radius) {
  brush.beginPath();
  brush.roundRect(x, y, width, height, Math.min(radius, width / 2));
}

/** Kinds with their looks, for the legend. */
export const LEGEND = KINDS.map((kind) => ({ kind, ...LOOKS[kind] }));
