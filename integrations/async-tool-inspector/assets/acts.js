/** @file Acts on a session and its tasks. Those that can't be undone ask once. */

import { post } from "./api.js";
import { confirm, reasonField } from "./dialog.js";
import { h } from "./dom.js";
import { FormError, formOf } from "./form.js";
import { valueView } from "./value.js";

/**
 * Question of a task.
 *
 * @typedef {object} Question
 * @property {string} asking
 * @property {"approval" | "input"} kind
 * @property {string} [tool]
 * @property {string} [number]
 * @property {string} [prompt]
 * @property {any} [schema]
 * @property {any} [arguments]
 * @property {number} [since]
 * @property {boolean} [is_gone]
 */

/** Acts on one session. */
export class Acts {
  /**
   * @param {string} session
   * @param {(text: string) => void} tell says that something was done
   */
  constructor(session, tell) {
    this.session = session;
    this.tell = tell;
  }

  /**
   * @param {string} act
   * @param {Record<string, unknown>} [more]
   */
  async #do(act, more = {}) {
    return post("act", { act, session: this.session, ...more });
  }

  /** @param {string} text */
  async send(text) {
    await this.#do("send", { text });
  }

  /**
   * Stops the running turn.
   *
   * @param {boolean} cancelsTasks
   */
  async interrupt(cancelsTasks) {
    const done = await this.#do("interrupt", { cancel_tasks: cancelsTasks });
    const turn = done.turn ? `Turn ${done.turn} is interrupted.` : "No turn was running.";
    this.tell(turn + (done.cancelled?.length ? ` Told to stop: ${done.cancelled.join(", ")}.` : ""));
  }

  /** Stops the running turn and all tasks. */
  stopAll() {
    confirm({
      title: "Stop everything",
      text: "Interrupts the turn and tells all tasks of the session to stop. What they have done by then is not undone.",
      act: "Stop everything",
      carryOut: () => this.interrupt(true),
    });
  }

  /**
   * @param {string} task
   * @param {string} name
   */
  cancel(task, name) {
    const reason = reasonField("Reason, which the model is told", "cancelled in the inspector");
    confirm({
      title: `Cancel ${name}`,
      text: "Tells the tool to stop. What it has done by then is not undone.",
      act: `Cancel ${name}`,
      body: reason.element,
      carryOut: async () => {
        await this.#do("cancel", { task, reason: reason.input.value.trim() || undefined });
        this.tell(`${name} was told to stop.`);
      },
    });
  }

  /**
   * @param {string} task
   * @param {string} name
   */
  abort(task, name) {
    const reason = reasonField("Reason, which the model is told", "aborted in the inspector");
    confirm({
      title: `Abort ${name}`,
      text: "Drops the tool's function where it is, without a chance to clean up. Use it where Cancel is not obeyed.",
      act: `Abort ${name}`,
      body: reason.element,
      carryOut: async () => {
        await this.#do("abort", { task, reason: reason.input.value.trim() || undefined });
        this.tell(`${name} is aborted.`);
      },
    });
  }

  /**
   * @param {string} task
   * @param {string} name
   */
  async promote(task, name) {
    await this.#do("promote", { task });
    this.tell(`${name} goes on in the background.`);
  }

  /**
   * @param {string} task
   * @param {string} name
   * @param {string} delivery
   */
  async setDelivery(task, name, delivery) {
    await this.#do("set_delivery", { task, delivery });
    this.tell(`The result of ${name} is delivered ${delivery.replace("_", " ")}.`);
  }

  /**
   * @param {Question} question
   * @param {string} name
   */
  approve(question, name) {
    confirm({
      title: `Approve ${name}`,
      text: "The call runs with the arguments as they are.",
      act: `Approve ${name}`,
      isGrave: false,
      body: valueView(question.arguments, "Arguments"),
      carryOut: async () => {
        await this.#do("approve", { asking: question.asking });
        this.tell(`${name} is approved.`);
      },
    });
  }

  /**
   * @param {Question} question
   * @param {string} name
   */
  refuse(question, name) {
    const reason = reasonField("Reason, which the model is told", "refused in the inspector");
    confirm({
      title: `Refuse ${name}`,
      text: question.kind === "approval" ? "The call doesn't run, and the model is told so." : "The tool gets no answer, and usually fails.",
      act: `Refuse ${name}`,
      body: reason.element,
      carryOut: async () => {
        await this.#do("refuse", { asking: question.asking, reason: reason.input.value.trim() || undefined });
        this.tell(`${name} is refused.`);
      },
    });
  }

  /**
   * @param {Question} question
   * @param {string} name
   * @param {unknown} value
   */
  answer(question, name, value) {
    confirm({
      title: `Answer ${name}`,
      text: "The tool goes on with this answer.",
      act: "Send the answer",
      isGrave: false,
      body: valueView(value, "Answer"),
      carryOut: async () => {
        await this.#do("answer", { asking: question.asking, value });
        this.tell(`${name} has its answer.`);
      },
    });
  }

  /**
   * Completes a deferred task; the form is of its output schema.
   *
   * @param {string} task
   * @param {string} name
   * @param {any} schema
   */
  resolve(task, name, schema) {
    const form = formOf(schema ?? {}, "result");
    confirm({
      title: `Resolve ${name}`,
      text: "Completes the task with this result, which the model is told.",
      act: `Resolve ${name}`,
      isGrave: false,
      body: form.element,
      carryOut: async () => {
        await this.#do("resolve", { task, value: form.read() });
        this.tell(`${name} is resolved.`);
      },
    });
  }

  /**
   * @param {string} task
   * @param {string} name
   */
  fail(task, name) {
    const message = reasonField("Error, which the model is told", "could not be done");
    confirm({
      title: `Fail ${name}`,
      text: "Ends the task with an error.",
      act: `Fail ${name}`,
      body: message.element,
      carryOut: async () => {
        const text = message.input.value.trim();
        if (text === "") throw new FormError("an error needs a text");
        await this.#do("resolve_error", { task, message: text });
        this.tell(`${name} is failed.`);
      },
    });
  }

  close() {
    const mode = h("select", {}, ...[["drain", "finish the open tasks first"], ["cancel", "cancel the open tasks"], ["detach", "let the open tasks go on without the session"]]
      .map(([value, text]) => h("option", { value }, text)));
    confirm({
      title: `Close ${this.session}`,
      text: "Ends the session for good. It can't be resumed.",
      act: "Close the session",
      body: h("label", { class: "field" }, h("span", { class: "field-name" }, "Open tasks"), mode),
      carryOut: async () => {
        await this.#do("close", mode.value === "drain" ? { mode: "drain", limit: 30_000 } : { mode: mode.value });
        this.tell("The session is closed.");
      },
    });
  }

  leave() {
    confirm({
      title: `Leave ${this.session}`,
      text: "This process gives the session up. It stays open in its journal, and another process can resume it.",
      act: "Leave the session",
      carryOut: async () => {
        await this.#do("leave");
        this.tell("The session is left.");
      },
    });
  }
}
