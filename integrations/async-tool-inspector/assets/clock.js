/** @file Clock of the server, as far as its messages tell it. */

/** Clock of the server. Messages are late by an unknown time, so the largest difference counts. */
export class ServerClock {
  /** @param {() => number} here */
  constructor(here = Date.now) {
    this.here = here;
    this.ahead = 0;
    this.isKnown = false;
  }

  /**
   * Takes the time of a message.
   *
   * @param {number} now
   * @param {boolean} [anew] forgets earlier messages: another process may have another clock
   */
  heard(now, anew = false) {
    const ahead = now - this.here();
    if (anew || !this.isKnown || ahead > this.ahead) this.ahead = ahead;
    this.isKnown = true;
  }

  /** Time of the server, in milliseconds since the Unix epoch. */
  now() {
    return this.here() + this.ahead;
  }
}
