/** @file Words under the pointer on a timeline. */

import { AXIS, HEAD, LANE, firstAfter } from "./drawing.js";
import { inWords } from "./phase.js";
import { deliveryWords, describe, progressWords, turnWords } from "./task_words.js";
import { clip, timeOfDay } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./scale.js").TimeScale} TimeScale */

/** Pixels beside a turn or a message that count as it: its words stand there. */
const BESIDE = { turn: 40, message: 300 };
/** Span below which moments are told with milliseconds. */
const FINE = 120_000;

/**
 * Turn at a place.
 *
 * @param {Session} session
 * @param {TimeScale} scale
 * @param {number} x
 * @param {number} now
 */
export function turnAt({ turns }, scale, x, now) {
  const turn = turns[firstAfter(turns, scale.at(x + 2), (turn) => turn.from) - 1];
  return turn && scale.x(turn.to ?? now) + BESIDE.turn >= x ? turn : undefined;
}

/**
 * Words about a place; empty if there is nothing.
 *
 * @param {Session} session
 * @param {TimeScale} scale
 * @param {number} x
 * @param {number} y
 * @param {import("./session.js").Task | undefined} task of the row at the place
 * @param {number} now
 */
export function tipAt(session, scale, x, y, task, now) {
  const at = scale.at(x);
  if (y < AXIS) return timeOfDay(at, scale.span < FINE);
  if (y < AXIS + LANE) {
    const { messages } = session;
    const message = messages[firstAfter(messages, scale.at(x + 6), (message) => message.at) - 1];
    return message && scale.x(message.at) > x - BESIDE.message ? `${timeOfDay(message.at, true)}\n${clip(message.text, 300)}` : "";
  }
  if (y < HEAD) {
    const turn = turnAt(session, scale, x, now);
    return turn ? turnWords(turn, now) : "";
  }
  if (!task) return "";
  const phase = task.row.phases.find((phase) => phase.from <= at && at <= (phase.to ?? now));
  const lines = [describe(task, now)];
  if (phase) lines.push(inWords(phase, now));
  if (task.row.progress && !task.isEnded) lines.push(progressWords(task.row.progress));
  for (const delivery of task.deliveries) lines.push(deliveryWords(session, delivery));
  return lines.join("\n");
}
