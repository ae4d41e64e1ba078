/** @file Colours and patterns of a canvas, from the style sheet's custom properties. */

import { KINDS, LOOKS } from "./phase.js";

const NAMES = [
  "--surface", "--raised", "--ink", "--muted", "--line", "--faint", "--accent", "--arrow", "--turn", "--turn-ink",
  "--running", "--running-ink", "--waiting", "--rate", "--resource", "--task", "--people", "--world", "--good", "--bad",
];

/** Colours and patterns for one theme and one density of pixels. */
export class Palette {
  /**
   * @param {Element} element gives the custom properties
   * @param {CanvasRenderingContext2D} context
   * @param {number} ratio device pixels of a pixel
   */
  constructor(element, context, ratio) {
    const style = getComputedStyle(element);
    /** @type {Record<string, string>} */
    this.colours = {};
    for (const name of NAMES) this.colours[name] = style.getPropertyValue(name).trim();
    this.font = style.fontFamily;
    /** @type {Map<string, CanvasPattern | string>} */
    this.fills = new Map();
    for (const kind of KINDS) this.fills.set(kind, this.#fill(LOOKS[kind], context, ratio));
  }

  /** @param {string} name */
  colour(name) {
    return this.colours[name];
  }

  /** @param {import("./phase.js").PhaseKind} kind */
  fill(kind) {
    return this.fills.get(kind) ?? this.colours["--waiting"];
  }

  /**
   * @param {import("./phase.js").Look} look
   * @param {CanvasRenderingContext2D} context
   * @param {number} ratio
   * @returns {CanvasPattern | string}
   */
  #fill(look, context, ratio) {
    const colour = this.colours[look.colour];
    if (look.pattern === "solid") return colour;
    const size = 8;
    const tile = document.createElement("canvas");
    tile.width = tile.height = Math.round(size * ratio);
    const brush = tile.getContext("2d");
    if (!brush) return colour;
    brush.scale(tile.width / size, tile.height / size);
    brush.globalAlpha = 0.16;
    brush.fillStyle = colour;
    brush.fillRect(0, 0, size, size);
    brush.globalAlpha = 0.75;
    brush.strokeStyle = colour;
    brush.lineWidth = 1.2;
    draw(brush, look.pattern, size);
    const pattern = context.createPattern(tile, "repeat");
    if (!pattern) return colour;
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  }
}

/**
 * @param {CanvasRenderingContext2D} brush
 * @param {import("./phase.js").Look["pattern"]} pattern
 * @param {number} size
 */
function draw(brush, pattern, size) {
  const line = (/** @type {number[]} */ ...[x1, y1, x2, y2]) => {
    brush.beginPath();
    brush.moveTo(x1, y1);
    brush.lineTo(x2, y2);
    brush.stroke();
  };
  // Lines begin and end outside, so that tiles meet without gaps.
  const rising = () => {
    for (const shift of [-size, 0, size]) line(shift - 1, size + 1, shift + size + 1, -1);
  };
  const falling = () => {
    for (const shift of [-size, 0, size]) line(shift - 1, -1, shift + size + 1, size + 1);
  };
  switch (pattern) {
    case "rising":
      return rising();
    case "falling":
      return falling();
    case "dense":
      falling();
      brush.translate(size / 2, 0);
      return falling();
    case "cross":
      rising();
      return falling();
    case "grid":
      line(0, size / 2, size, size / 2);
      return line(size / 2, 0, size / 2, size);
    case "zigzag":
      line(-1, size - 1, size / 2, 1);
      return line(size / 2, 1, size + 1, size - 1);
    case "dashes":
      line(0, 2, 4, 2);
      return line(4, 6, 8, 6);
    case "marks":
      line(2, 2, 6, 6);
      return line(2, 6, 6, 2);
    case "checks":
      brush.fillStyle = brush.strokeStyle;
      brush.globalAlpha = 0.5;
      brush.fillRect(0, 0, size / 2, size / 2);
      return brush.fillRect(size / 2, size / 2, size / 2, size / 2);
    case "lines":
      return line(0, size / 2, size, size / 2);
    case "bars":
      return line(size / 2, 0, size / 2, size);
    case "dots":
      brush.fillStyle = brush.strokeStyle;
      for (const [x, y] of [[2, 2], [6, 6]]) {
        brush.beginPath();
        brush.arc(x, y, 1.1, 0, 2 * Math.PI);
        brush.fill();
      }
      return undefined;
    default:
      return undefined;
  }
}
