/** @file Tasks, turns and deliveries in words. */

import { arrival, endOf } from "./drawing.js";
import { briefly, inWords } from "./phase.js";
import { clip, count, duration, hasTokens } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Task} Task */

/**
 * State of a task in a few characters: its wait, or how long it runs, or its end with the time that it took.
 *
 * @param {Task} task
 * @param {number} now
 */
export function stateOf(task, now) {
  const { row } = task;
  if (task.isEnded && row.settled !== undefined) return `${endOf(row.status)[0]} ${duration(row.settled - row.accepted)}`;
  const { phase } = task;
  if (!phase) return row.status.replace("_", " ");
  if (phase.kind === "running") {
    const fraction = row.progress?.fraction;
    const share = typeof fraction === "number" ? `${Math.round(fraction * 100)}% ` : "";
    return `${share}${duration(now - (row.started ?? phase.from))}`;
  }
  return briefly(phase, now);
}

/**
 * The task in words: `t3 hash_files, queued for a slot`.
 *
 * @param {Task} task
 * @param {number} now
 */
export function describe(task, now) {
  const { row } = task;
  const name = `${task.name} ${row.tool}`.trim();
  if (task.isEnded) return `${name}, ${row.status} after ${duration((row.settled ?? now) - row.accepted)}`;
  const words = row.words ?? (task.phase ? inWords(task.phase, now) : row.status.replace("_", " "));
  return `${name}, ${words}`;
}

/** @param {{fraction?: number | null, message: string}} progress */
export function progressWords({ fraction, message }) {
  const share = typeof fraction === "number" ? `${Math.round(fraction * 100)} %` : "";
  return [share, message].filter(Boolean).join(": ");
}

/**
 * @param {Session} session
 * @param {import("./session.js").Delivery} delivery
 */
export function deliveryWords(session, delivery) {
  if (delivery.how === "dropped") return `its result was dropped${delivery.reason ? `: ${delivery.reason}` : ""}`;
  const how = { answer: "answered the call", replaced: "replaced the acknowledgement", report: "shown by the task tool" }[delivery.how] ?? "delivered";
  return arrival(session, delivery) === undefined ? `${how}, and no turn has seen it yet` : `${how}, seen by turn ${delivery.turn}`;
}

/**
 * @param {import("./session.js").Turn} turn
 * @param {number} now
 */
export function turnWords(turn, now) {
  const { tokens } = turn;
  const cost = hasTokens(tokens) ? `, ${count(tokens.input)} tokens in (${count(tokens.cached)} cached), ${count(tokens.output)} out` : "";
  const state = turn.end ? (turn.end === "ended" ? "" : ` ${turn.end}${turn.by ? ` by ${turn.by}` : ""}`) : ", running";
  const lines = [`turn ${turn.turn}, for ${turn.cause}${state}: ${duration((turn.to ?? now) - turn.from)}${cost}`];
  if (turn.calls.length > 0) lines.push(`calls ${turn.calls.join(", ")}`);
  if (turn.error) lines.push(clip(turn.error, 300));
  if (turn.text) lines.push(clip(turn.text, 300));
  return lines.join("\n");
}
