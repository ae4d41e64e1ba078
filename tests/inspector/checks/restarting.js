/** @file Checks of the page when its process dies. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { agree, newest, openTask, say, settles, until } from "../browser.js";

const SECRET = { INSPECTOR_SECRET: "a secret of the tests that is long enough" };

export const restarting = {
  async "the process is killed: the page says so, comes back by itself, and goes on where it was"(browser) {
    const journal = join(browser.place(), "office.db");
    const program = await browser.start(["--quiet", "--journal", journal], SECRET);
    const page = await browser.open(program.link);
    await page.getByRole("heading", { name: "office" }).waitFor();
    await say(page, 'order_taxi "Main Street 1"; book_table guests=3; find out about bees in 60 seconds');
    const taxi = await newest(page, "order_taxi");
    await until("the taxi waits", () => page.evaluate((taxi) => globalThis.inspector.session.numbers.get(taxi).row.deferred, taxi));
    await newest(page, "research");
    const killed = performance.now();
    await program.kill();
    await page.getByText("The process is gone").waitFor();
    const told = performance.now() - killed;
    assert.equal(await page.locator("#connection").textContent(), "gone");
    // The last known state stays readable.
    assert.ok((await page.getByRole("treeitem").count()) >= 3);
    await page.getByRole("textbox", { name: "Message to the agent" }).fill("are you there?");
    await page.keyboard.press("Enter");
    await page.getByText("the process doesn't answer").first().waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Message to the agent" }).inputValue(), "are you there?", "the text was lost");
    await page.getByRole("textbox", { name: "Message to the agent" }).fill("");

    const again = await browser.start(["--quiet", "--journal", journal, "--listen", `127.0.0.1:${program.port}`], SECRET);
    assert.equal(again.port, program.port);
    await page.getByText("The process is back.").waitFor();
    await until("the page is live", async () => (await page.locator("#connection").textContent()) === "live");
    assert.equal(await page.locator("#banner").isVisible(), false);
    assert.ok(await until("the resumption is marked", () => page.evaluate(() => globalThis.inspector.session.marks.some((mark) => mark.kind === "resumed"))));
    // The task that waited for a result from outside still does, and is resolved in the new process.
    await openTask(page, taxi);
    await page.getByRole("button", { name: "Resolve…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox", { name: "plate" }).fill("CD 34");
    await dialog.getByRole("textbox", { name: "minutes" }).fill("3");
    await agree(page, /^Resolve t/);
    await settles(page, taxi, "completed");
    await say(page, "repeat back");
    await settles(page, await newest(page, "repeat"), "completed");
    assert.deepEqual(page.faults, []);
    return `told after ${Math.round(told)} ms`;
  },

  async "a new process without the old secret asks for its new address, and the old page goes on with it"(browser) {
    const journal = join(browser.place(), "office.db");
    const program = await browser.start(["--quiet", "--journal", journal]);
    const page = await browser.open(program.link);
    await page.getByRole("heading", { name: "office" }).waitFor();
    await program.kill();
    await page.getByText("The process is gone").waitFor();
    const again = await browser.start(["--quiet", "--journal", journal, "--listen", `127.0.0.1:${program.port}`]);
    await page.getByText("open the address that it prints").waitFor();
    // In another tab of the same browser: the first one sees the cookie, and comes back.
    const other = await page.context().newPage();
    await other.goto(again.link);
    await other.getByRole("heading", { name: "office" }).waitFor();
    await page.getByText("The process is back.").waitFor();
    assert.deepEqual(page.faults, []);
  },

  async "a process that is stopped is told from one that has nothing to say"(browser) {
    const { program, page } = await browser.session(["--quiet"]);
    await until("a sign of life", () => page.evaluate(() => globalThis.inspector.feed.hasPings), 15_000);
    program.signal("SIGSTOP");
    await until("the page says so", () => page.getByText("The process is gone").isVisible(), 45_000);
    program.signal("SIGCONT");
    await until("the page is live", async () => (await page.locator("#connection").textContent()) === "live", 45_000);
    assert.deepEqual(page.faults, []);
  },
};
