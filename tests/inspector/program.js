/** @file The example program that the page shows. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Time in which the program has to print its address, in milliseconds. */
const START = 30_000;

/** The example program, as a process. */
export class Program {
  /**
   * Starts the program, and waits for its address.
   *
   * @param {string} path
   * @param {string[]} options
   * @param {Record<string, string>} [environment]
   */
  static async start(path, options, environment = {}) {
    const process_ = spawn(path, options, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...environment } });
    const lines = [];
    let link;
    const found = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the program printed no address within ${START} ms:\n${lines.join("\n")}`)), START);
      const read = (line) => {
        lines.push(line);
        link ??= /^open (http\S+)$/.exec(line)?.[1];
        if (link) {
          clearTimeout(late);
          resolve(link);
        }
      };
      createInterface(process_.stdout).on("line", read);
      createInterface(process_.stderr).on("line", read);
      process_.once("exit", (code) => {
        clearTimeout(late);
        reject(new Error(`the program ended with ${code}:\n${lines.join("\n")}`));
      });
    });
    await found;
    return new Program(process_, link, lines);
  }

  constructor(process_, link, lines) {
    this.process = process_;
    this.link = link;
    this.lines = lines;
    this.port = Number(new URL(link).port);
  }

  /** The page's address without a token. */
  get page() {
    return this.link.split("#")[0];
  }

  /** @param {string} signal */
  signal(signal) {
    this.process.kill(signal);
  }

  /** Kills the program at once, as a crash does. */
  async kill() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const end = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await end;
  }
}
