/** @file Phases of a task: names, words, colours, patterns. */

import { duration } from "./words.js";

/**
 * Kind of a phase: what the task waits for, or what it does.
 *
 * @typedef {"slot" | "rate" | "retry" | "resource" | "result" | "depends" | "agent" | "consent" | "input" | "outside" | "worker"
 *   | "running" | "stopping" | "lost"} PhaseKind
 */

/**
 * Part of a task's time. `to` is absent while it lasts.
 *
 * @typedef {object} Phase
 * @property {string} kind
 * @property {number} from milliseconds since the Unix epoch
 * @property {number} [to]
 * @property {number} [attempt] number of the attempt, of a phase that runs
 * @property {string} [words]
 * @property {number} [until] time at which the wait ends by itself
 * @property {string[]} [tasks] tasks that it waits for
 */

/**
 * Look of a phase. Its pattern is its own, so that it is told from others without colour.
 *
 * @typedef {object} Look
 * @property {string} word
 * @property {string} text
 * @property {string} colour name of a custom property
 * @property {"solid" | "outline" | "rising" | "falling" | "dense" | "dots" | "lines" | "cross" | "bars" | "checks" | "grid" | "zigzag"
 *   | "dashes" | "marks"} pattern
 */

/** @type {Record<PhaseKind, Look>} */
export const LOOKS = {
  running: { word: "running", text: "running", colour: "--running", pattern: "solid" },
  slot: { word: "slot", text: "queued for a slot", colour: "--waiting", pattern: "outline" },
  rate: { word: "rate", text: "queued for its rate", colour: "--rate", pattern: "bars" },
  resource: { word: "resource", text: "queued for a resource", colour: "--resource", pattern: "cross" },
  result: { word: "task", text: "waits for another task", colour: "--task", pattern: "falling" },
  depends: { word: "arguments", text: "its arguments need a result", colour: "--task", pattern: "dense" },
  agent: { word: "agent", text: "waits for an agent", colour: "--task", pattern: "zigzag" },
  retry: { word: "retry", text: "waits for its next attempt", colour: "--rate", pattern: "rising" },
  consent: { word: "consent", text: "waits for consent", colour: "--people", pattern: "dots" },
  input: { word: "input", text: "waits for an answer", colour: "--people", pattern: "checks" },
  outside: { word: "outside", text: "waits for a result from outside", colour: "--world", pattern: "lines" },
  worker: { word: "worker", text: "a worker has it", colour: "--world", pattern: "grid" },
  stopping: { word: "stopping", text: "told to stop", colour: "--bad", pattern: "dashes" },
  lost: { word: "lost", text: "its process has ended", colour: "--bad", pattern: "marks" },
};

/** Kinds in the order of the legend. */
export const KINDS = /** @type {PhaseKind[]} */ (Object.keys(LOOKS));

/**
 * Kind of a phase. One that this page doesn't know is shown as a wait for a result from outside.
 *
 * @param {string} kind
 * @returns {PhaseKind}
 */
export function kindOf(kind) {
  return Object.hasOwn(LOOKS, kind) ? /** @type {PhaseKind} */ (kind) : "outside";
}

/**
 * Words of a phase for a narrow place: `for t3`, `rate, 1.2 s`, `attempt 2`.
 *
 * @param {Phase} phase
 * @param {number} now
 */
export function briefly(phase, now) {
  const kind = kindOf(phase.kind);
  if (kind === "running") return (phase.attempt ?? 1) > 1 ? `attempt ${phase.attempt}` : "running";
  if (phase.tasks && phase.tasks.length > 0) {
    const more = phase.tasks.length > 2 ? ` +${phase.tasks.length - 2}` : "";
    return `for ${phase.tasks.slice(0, 2).join(", ")}${more}`;
  }
  const left = phase.to === undefined && phase.until !== undefined ? phase.until - now : 0;
  return left > 0 ? `${LOOKS[kind].word}, ${duration(left)}` : LOOKS[kind].word;
}

/**
 * Whole words of a phase, with its length.
 *
 * @param {Phase} phase
 * @param {number} now
 */
export function inWords(phase, now) {
  const kind = kindOf(phase.kind);
  const words = phase.words ?? LOOKS[kind].text;
  const attempt = kind === "running" && phase.attempt !== undefined && !/attempt/.test(words) ? `, attempt ${phase.attempt}` : "";
  const left = phase.to === undefined && phase.until !== undefined ? phase.until - now : 0;
  const rest = left > 0 ? `, ${duration(left)} left` : "";
  return `${words}${attempt}, for ${duration((phase.to ?? now) - phase.from)}${rest}`;
}
