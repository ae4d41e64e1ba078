/** @file Stream of the server's events, and the state of the connection. */

import { ask, RequestError } from "./api.js";

/**
 * State of the connection: `gone` while the process doesn't answer, `locked` without a cookie that it knows.
 *
 * @typedef {"connecting" | "live" | "gone" | "locked"} ConnectionState
 */

/** Pause between two tries, in milliseconds. */
const PAUSE = 2_000;
/** Silence after which a connection counts as lost; the server says something every ten seconds. */
const SILENCE = 25_000;

/** Stream of the server's events. */
export class Feed {
  /**
   * @param {object} listener
   * @param {(snapshot: any) => void} listener.snapshot
   * @param {(update: any) => void} listener.update
   * @param {(now: number) => void} listener.ping
   * @param {(state: ConnectionState, reason: string) => void} listener.state
   */
  constructor(listener) {
    this.listener = listener;
    /** @type {string | undefined} */
    this.session = undefined;
    /** @type {EventSource | undefined} */
    this.source = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.silence = undefined;
    this.hasPings = false;
  }

  /**
   * Follows a session, or only the list of sessions.
   *
   * @param {string | undefined} session
   */
  follow(session) {
    this.session = session;
    this.#open();
  }

  /** True after the stream was ended from here. */
  get isClosed() {
    return this.source === undefined;
  }

  /** Ends the stream. */
  close() {
    this.source?.close();
    this.source = undefined;
    clearTimeout(this.retry);
    clearTimeout(this.silence);
  }

  #open() {
    this.close();
    const query = this.session === undefined ? "" : `?session=${encodeURIComponent(this.session)}`;
    const source = new EventSource(`api/events${query}`);
    this.source = source;
    const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ take) => {
      source.addEventListener(name, (event) => {
        if (this.source !== source) return;
        this.#heard();
        take(JSON.parse(/** @type {MessageEvent} */ (event).data));
      });
    };
    on("snapshot", (data) => {
      this.listener.state("live", "");
      this.listener.snapshot(data);
    });
    on("update", (data) => {
      this.listener.state("live", "");
      this.listener.update(data);
    });
    on("ping", (data) => {
      this.hasPings = true;
      this.#heard();
      this.listener.state("live", "");
      this.listener.ping(data.now);
    });
    on("bye", (data) => this.listener.state("gone", String(data.reason ?? "")));
    source.onopen = () => {
      if (this.source === source) this.#heard();
    };
    source.onerror = () => {
      if (this.source !== source) return;
      // A refusal ends the stream for good; after a broken connection, the browser tries again by itself.
      if (source.readyState === EventSource.CLOSED) this.#probe();
      else this.listener.state("gone", "");
    };
  }

  #heard() {
    clearTimeout(this.silence);
    if (this.hasPings) this.silence = setTimeout(() => this.#lost(), SILENCE);
  }

  /** Gives a silent connection up. */
  #lost() {
    this.listener.state("gone", "it has been silent for 25 s");
    this.source?.close();
    this.#probe();
  }

  /** Asks until the process answers, and then opens the stream again. */
  async #probe() {
    const { source } = this;
    source?.close();
    try {
      await ask("info");
      if (this.source === source) this.#open();
      return;
    } catch (error) {
      if (this.source !== source) return;
      const refusal = error instanceof RequestError ? error : new RequestError(0, "unreachable", String(error));
      if (refusal.status === 401) this.listener.state("locked", refusal.message);
      else this.listener.state("gone", refusal.status === 0 ? "" : refusal.message);
    }
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.#probe(), PAUSE);
  }
}
