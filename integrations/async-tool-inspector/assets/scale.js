/** @file Time scale: a window of time on a width of pixels. */

/** Shortest window, in milliseconds. */
export const SHORTEST = 20;
/** Longest window: thirty days. */
export const LONGEST = 30 * 24 * 3_600_000;

const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000,
];

/** Window of time on a width of pixels. Immutable: each change gives another scale. */
export class TimeScale {
  /**
   * @param {number} start first moment, in milliseconds since the Unix epoch
   * @param {number} span length of the window, in milliseconds
   * @param {number} width pixels
   */
  constructor(start, span, width) {
    this.start = start;
    this.span = Math.min(LONGEST, Math.max(SHORTEST, span));
    this.width = Math.max(1, width);
  }

  /** Last moment of the window. */
  get end() {
    return this.start + this.span;
  }

  /** Pixels of a millisecond. */
  get density() {
    return this.width / this.span;
  }

  /** @param {number} at */
  x(at) {
    return (at - this.start) * this.density;
  }

  /** @param {number} x */
  at(x) {
    return this.start + x / this.density;
  }

  /** @param {number} width */
  resized(width) {
    return new TimeScale(this.start, this.span, width);
  }

  /**
   * Zooms around a place, which keeps its moment.
   *
   * @param {number} factor above 1 shows more detail
   * @param {number} x
   */
  zoomed(factor, x) {
    const around = this.at(x);
    const span = Math.min(LONGEST, Math.max(SHORTEST, this.span / factor));
    return new TimeScale(around - (x / this.width) * span, span, this.width);
  }

  /** @param {number} pixels positive moves to later moments */
  panned(pixels) {
    return new TimeScale(this.start + pixels / this.density, this.span, this.width);
  }

  /**
   * Shows all of a range, with a margin at both ends.
   *
   * @param {number} from
   * @param {number} to
   */
  fitted(from, to) {
    const length = Math.max(SHORTEST, to - from);
    const margin = length * 0.03;
    return new TimeScale(from - margin, length + 2 * margin, this.width);
  }

  /**
   * Moves so that a moment is near the right edge; the span stays.
   *
   * @param {number} now
   */
  following(now) {
    return new TimeScale(now - this.span * 0.94, this.span, this.width);
  }

  /**
   * Marks of the axis: round moments, at least `apart` pixels from each other.
   *
   * Labels count from `origin`, the first thing of the session: people compare lengths more often than clocks.
   *
   * @param {number} origin
   * @param {number} [apart]
   * @returns {{at: number, x: number, label: string}[]}
   */
  ticks(origin, apart = 90) {
    const least = apart / this.density;
    const step = STEPS.find((step) => step >= least) ?? STEPS[STEPS.length - 1];
    const ticks = [];
    const first = Math.ceil((this.start - origin) / step);
    for (let number = first; origin + number * step <= this.end; number += 1) {
      const at = origin + number * step;
      ticks.push({ at, x: this.x(at), label: offset(number * step, step) });
    }
    return ticks;
  }
}

/**
 * Text of a mark: `0`, `250 ms`, `1.5 s`, `2:05`, `1:00:00`.
 *
 * @param {number} ms
 * @param {number} step distance between two marks, which decides the digits
 */
export function offset(ms, step) {
  if (ms === 0) return "0";
  const sign = ms < 0 ? "−" : "";
  const length = Math.abs(ms);
  if (length < 1000 && step < 1000) return `${sign}${length} ms`;
  if (length < 60_000) {
    const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
    return `${sign}${(length / 1000).toFixed(digits)} s`;
  }
  const seconds = Math.floor(length / 1000);
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const fraction = step < 1000 ? `.${String(length % 1000).padStart(3, "0")}` : "";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${sign}${minutes}:${two(seconds % 60)}${fraction}`;
  return `${sign}${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}${fraction}`;
}
