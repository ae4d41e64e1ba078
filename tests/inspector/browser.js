/** @file Chromium, with the programs whose pages it shows. */

import { mkdirSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { Program } from "./program.js";

/** Flags for a machine without a screen or a network. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Time in which something has to appear, in milliseconds. Machines that test are busy. */
export const PATIENCE = 20_000;

/** Messages of a user, each with the last tool that it calls. */
const SCRIPT = [
  ["Find out about bees in 6 seconds; is tea better than coffee; look_up honey; look_up wax", "look_up"],
  ["weigh parcel; write diary one; write diary two; status", "write"],
  ['book_table guests=4; order_taxi "Main Street 1"; send_letter Bob; fax 555', "fax"],
];

/** Chromium, with the programs whose pages it shows. */
export class Browser {
  /**
   * @param {string} folder
   * @param {string} program
   */
  static async launch(folder, program) {
    const { chromium } = createRequire(resolve(folder, "package.json"))("playwright-core");
    const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
    return new Browser(browser, folder, program);
  }

  constructor(browser, folder, program) {
    this.browser = browser;
    this.folder = folder;
    this.program = program;
    this.pictures = join(folder, "pictures");
    mkdirSync(this.pictures, { recursive: true });
    /** @type {Program[]} */
    this.programs = [];
    this.contexts = [];
    this.shared = undefined;
  }

  /** A new folder for a journal. */
  place() {
    return mkdtempSync(join(tmpdir(), "inspector-"));
  }

  /**
   * Starts a program, which ends with the check.
   *
   * @param {string[]} options
   * @param {Record<string, string>} [environment]
   */
  async start(options, environment) {
    const program = await Program.start(this.program, options, environment);
    this.programs.push(program);
    return program;
  }

  /**
   * Opens a page with cookies of its own. Errors of the page, and refusals of its content security policy, are kept.
   *
   * @param {string} address
   * @param {object} [options]
   */
  async open(address, options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1180, height: 720 }, colorScheme: "light", reducedMotion: "no-preference", ...options });
    this.contexts.push(context);
    // For work on the page: its files as they are now, and not as the program has them.
    if (process.env.ASSETS) {
      await context.route("**/assets/*", (route) => route.fulfill({ path: join(process.env.ASSETS, new URL(route.request().url()).pathname.split("/").pop()) }));
    }
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(String(error)));
    page.on("console", (message) => {
      // A browser logs each answer that is no success, also those that are expected.
      if (message.type() === "error" && !/Failed to load resource|ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE/.test(message.text())) page.faults.push(message.text());
    });
    await page.goto(address);
    return page;
  }

  /**
   * Opens the page of a program that has no session but its own, and waits for the session.
   *
   * @param {string[]} options
   * @param {object} [view]
   */
  async session(options = [], view = {}) {
    const program = await this.start(options);
    const page = await this.open(program.link, view);
    await page.getByRole("heading", { name: "office" }).waitFor();
    return { program, page };
  }

  /**
   * As `session`, with a user who gives work of all kinds while the page looks on: of what went before, no journal knows each wait.
   *
   * @param {string[]} [options]
   * @param {object} [view]
   */
  async busySession(options = [], view = {}) {
    const { program, page } = await this.session(["--quiet", ...options], view);
    await this.give(page);
    return { program, page };
  }

  /**
   * Gives work of all kinds.
   *
   * @param {any} page
   */
  async give(page) {
    for (const [text, tool] of SCRIPT) {
      await say(page, text);
      await newest(page, tool);
    }
  }

  /** @param {string} name */
  async pictureOfFailure(name) {
    const page = this.contexts.at(-1)?.pages()[0];
    await page?.screenshot({ path: join(this.folder, `failed ${name.replaceAll("/", " ").slice(0, 80)}.png`) }).catch(() => {});
  }

  /** Ends what a check has started. */
  async tidy() {
    await Promise.all(this.contexts.splice(0).map((context) => context.close()));
    await Promise.all(this.programs.splice(0).map((program) => program.kill()));
  }

  async close() {
    await this.tidy();
    await this.browser.close();
  }
}

/**
 * Waits for a condition.
 *
 * @template Value
 * @param {string} what
 * @param {() => Promise<Value>} condition
 * @param {number} [patience]
 * @returns {Promise<Value>}
 */
export async function until(what, condition, patience = PATIENCE) {
  const end = performance.now() + patience;
  let last;
  while (performance.now() < end) {
    last = await condition();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${patience} ms; last seen: ${JSON.stringify(last)}`);
}

/**
 * The row of a task in the timeline.
 *
 * @param {any} page
 * @param {string} words beginning of its name, such as `t3` or `t3 hash`
 */
export function rowOf(page, words) {
  return page.getByRole("treeitem", { name: new RegExp(`^${words}\\b`) });
}

/**
 * Sends a message of the user.
 *
 * @param {any} page
 * @param {string} text
 */
export async function say(page, text) {
  const field = page.getByRole("textbox", { name: "Message to the agent" });
  await field.fill(text);
  await field.press("Enter");
  await until("the message is taken", async () => (await field.inputValue()) === "");
  // Out of the field: keys are no text from here on.
  await field.press("Escape");
}

/**
 * Number of the newest task of a tool.
 *
 * @param {any} page
 * @param {string} tool
 * @param {number} [least] number of tasks of the tool that there have to be
 * @returns {Promise<string>}
 */
export function newest(page, tool, least = 1) {
  return until(`a task of ${tool}`, async () => {
    const numbers = await page.evaluate((tool) => [...globalThis.inspector.session?.tasks.values() ?? []].filter((task) => task.tool === tool && task.name).map((task) => task.name), tool);
    return numbers.length >= least ? numbers.at(-1) : undefined;
  });
}

/**
 * Opens the panel of a task.
 *
 * @param {any} page
 * @param {string} number
 */
export async function openTask(page, number) {
  await rowOf(page, number).click();
  await page.getByRole("region", { name: new RegExp(`^${number} `) }).waitFor();
}

/**
 * Agrees to what a dialog asks, and waits until the dialog is closed: the events of an act can come before its answer does, and until then keys and
 * texts go to the dialog.
 *
 * @param {any} page
 * @param {string | RegExp} button
 */
export async function agree(page, button) {
  await page.getByRole("dialog").getByRole("button", { name: button }).click();
  await dialogCloses(page);
}

/** @param {any} page */
export function dialogCloses(page) {
  return until("the dialog is closed", async () => (await page.getByRole("dialog").count()) === 0);
}

/**
 * Waits for the status of a task.
 *
 * @param {any} page
 * @param {string} number
 * @param {string} status
 */
export function settles(page, number, status) {
  return until(`${number} is ${status}`, () => page.evaluate(([number, status]) => globalThis.inspector.session?.numbers.get(number)?.status === status, [number, status]));
}
