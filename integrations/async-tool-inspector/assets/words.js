/** @file Numbers and times as short words. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Returns a length of time with at most two units: `420 ms`, `2.4 s`, `3 min 5 s`, `2 h 10 min`.
 *
 * @param {number} ms milliseconds; a negative length counts as none
 * @returns {string}
 */
export function duration(ms) {
  const length = Math.max(0, ms);
  if (length < SECOND) return `${Math.round(length)} ms`;
  // 59,950 ms would be rounded to `60.0 s`.
  if (length < MINUTE - 50) return `${(length / SECOND).toFixed(1)} s`;
  if (length < HOUR - SECOND / 2) return pair(length, MINUTE, "min", SECOND, "s");
  if (length < DAY - MINUTE / 2) return pair(length, HOUR, "h", MINUTE, "min");
  return pair(length, DAY, "d", HOUR, "h");
}

/**
 * @param {number} length
 * @param {number} large
 * @param {string} largeName
 * @param {number} small
 * @param {string} smallName
 */
function pair(length, large, largeName, small, smallName) {
  const units = Math.round(length / small);
  const perLarge = large / small;
  const rest = units % perLarge;
  const whole = `${Math.floor(units / perLarge)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}

/**
 * Returns a count with thousands apart, as `12,345`.
 *
 * @param {number} value
 */
export function count(value) {
  return value.toLocaleString("en-US");
}

/**
 * Returns a count in at most four characters and a letter: `950`, `12.3k`, `4.1M`.
 *
 * @param {number} value
 */
export function shortCount(value) {
  if (value < 1000) return String(Math.round(value));
  if (value < 999_950) return `${trim(value / 1000)}k`;
  return `${trim(value / 1_000_000)}M`;
}

/** @param {number} value */
function trim(value) {
  return value.toFixed(value < 100 ? 1 : 0).replace(/\.0$/, "");
}

/**
 * Returns a size: `312 bytes`, `4.1 kB`, `2 MB`.
 *
 * @param {number} size
 */
export function bytes(size) {
  if (size < 1000) return `${size} bytes`;
  return size < 1_000_000 ? `${trim(size / 1000)} kB` : `${trim(size / 1_000_000)} MB`;
}

/**
 * Returns a number with its noun: `1 task`, `2 tasks`.
 *
 * @param {number} number
 * @param {string} noun
 */
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * Returns the time of day in this place, with milliseconds if asked: `14:03:09.250`.
 *
 * @param {number} at milliseconds since the Unix epoch
 * @param {boolean} [fine]
 */
export function timeOfDay(at, fine = false) {
  const date = new Date(at);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  const clock = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return fine ? `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}` : clock;
}

/**
 * Returns the text up to a length, with an ellipsis in place of the rest. Never splits a character.
 *
 * @param {string} text
 * @param {number} length characters, the ellipsis included
 */
export function clip(text, length) {
  const line = text.slice(0, length * 4).replace(/\s+/g, " ").trim();
  const characters = Array.from(line);
  return characters.length <= length ? line : `${characters.slice(0, length - 1).join("")}…`;
}

/**
 * True if there are tokens to show: a model that is a program counts none.
 *
 * @template {{input: number, output: number}} Tokens
 * @param {Tokens | null | undefined} tokens
 * @returns {tokens is Tokens}
 */
export function hasTokens(tokens) {
  return tokens !== undefined && tokens !== null && tokens.input + tokens.output > 0;
}
