/** @file Checks of what a person can do with the page. */

import assert from "node:assert/strict";

import { agree, newest, openTask, say, settles, until } from "../browser.js";

/** Result of a task as text, as the page has it. */
const resultOf = (page, number) => page.evaluate((number) => globalThis.inspector.session.numbers.get(number).row.result ?? "", number);

export const acting = {
  async "a task is cancelled, after one question, with a reason for the model"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, "find out about bees in 60 seconds");
    const task = await newest(page, "research");
    await openTask(page, task);
    await page.getByRole("button", { name: "Cancel…" }).click();
    const dialog = page.getByRole("dialog");
    assert.match(await dialog.textContent(), /is not undone/);
    await dialog.getByRole("button", { name: "Go back" }).click();
    assert.equal(await page.evaluate((task) => globalThis.inspector.session.numbers.get(task).isEnded, task), false, "going back cancelled the task");
    await page.getByRole("button", { name: "Cancel…" }).click();
    await dialog.getByRole("textbox").fill("no more bees");
    await agree(page, `Cancel ${task} research`);
    await settles(page, task, "cancelled");
    await page.getByRole("region", { name: new RegExp(`^${task} `) }).getByText("no more bees").first().waitFor();
    assert.equal(await page.getByRole("button", { name: "Cancel…" }).count(), 0, "an ended task can't be cancelled");
    assert.deepEqual(page.faults, []);
  },

  async "a call for whose result the model waits is moved to the background"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, "proofread hello");
    const task = await newest(page, "proofread");
    await openTask(page, task);
    await page.getByRole("button", { name: "To the background" }).click();
    await page.getByText(`${task} proofread goes on in the background.`).waitFor();
    await until("the call is acknowledged", () => page.evaluate((task) => globalThis.inspector.session.numbers.get(task).row.told === "acknowledged", task));
    await until("it can't be moved again", async () => (await page.getByRole("button", { name: "To the background" }).count()) === 0);
    assert.deepEqual(page.faults, []);
  },

  async "a task is aborted, and its delivery set"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, "find out about wasps in 60 seconds");
    const task = await newest(page, "research");
    await openTask(page, task);
    await page.getByRole("combobox", { name: "Delivery of the result" }).selectOption("silent");
    await until("the delivery is silent", () => page.evaluate((task) => globalThis.inspector.session.numbers.get(task).row.delivery === "silent", task));
    await page.getByRole("button", { name: "Abort…" }).click();
    await agree(page, `Abort ${task} research`);
    await settles(page, task, "cancelled");
    assert.deepEqual(page.faults, []);
  },

  async "a question is answered with a form of its schema, and a wrong answer is not sent"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, "book_table guests=4");
    await page.getByTitle("Questions (q)").click();
    const panel = page.getByRole("region", { name: "Questions" });
    await panel.getByText("Where shall 4 guests sit?").waitFor();
    const answer = panel.getByRole("button", { name: "Answer…" });
    await answer.click();
    await panel.getByText("needs a choice").first().waitFor();
    await panel.getByRole("combobox", { name: "room" }).selectOption("garden");
    await panel.getByRole("textbox", { name: "hour" }).fill("30");
    await panel.getByRole("combobox", { name: "window" }).selectOption("yes");
    await answer.click();
    await panel.getByText("must be at most 22").first().waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0);
    await panel.getByRole("textbox", { name: "hour" }).fill("19");
    // The form survives what goes on in the session meanwhile.
    await say(page, "repeat hello");
    await settles(page, await newest(page, "repeat"), "completed");
    assert.equal(await panel.getByRole("textbox", { name: "hour" }).inputValue(), "19");
    await answer.click();
    await agree(page, "Send the answer");
    const table = await newest(page, "book_table");
    await settles(page, table, "completed");
    assert.match(await resultOf(page, table), /4 guests at 19 in the Garden, at a window/);
    await panel.getByText("No task asks.").waitFor();
    assert.deepEqual(page.faults, []);
  },

  async "a call is approved, and another one refused"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, "send_letter Bob");
    const first = await newest(page, "send_letter");
    await openTask(page, first);
    await page.getByRole("button", { name: "Approve…" }).click();
    await agree(page, `Approve ${first} send_letter`);
    await settles(page, first, "completed");
    await say(page, "send_letter Eve");
    const second = await newest(page, "send_letter", 2);
    await openTask(page, second);
    await page.getByRole("button", { name: "Refuse…" }).click();
    await page.getByRole("dialog").getByRole("textbox").fill("not to Eve");
    await agree(page, `Refuse ${second} send_letter`);
    await settles(page, second, "failed");
    await page.getByRole("region", { name: new RegExp(`^${second} `) }).getByText("not to Eve").first().waitFor();
    assert.deepEqual(page.faults, []);
  },

  async "a deferred task is resolved with a value of its output schema, and another one failed"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, 'order_taxi "Main Street 1"');
    const taxi = await newest(page, "order_taxi");
    await openTask(page, taxi);
    await page.getByRole("button", { name: "Resolve…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox", { name: "plate" }).fill("AB 12");
    await dialog.getByRole("textbox", { name: "minutes" }).fill("200");
    await dialog.getByRole("button", { name: `Resolve ${taxi} order_taxi` }).click();
    await dialog.getByText("must be at most 90").first().waitFor();
    await dialog.getByRole("textbox", { name: "minutes" }).fill("7");
    await agree(page, `Resolve ${taxi} order_taxi`);
    await settles(page, taxi, "completed");
    assert.match(await resultOf(page, taxi), /AB 12/);
    await say(page, 'order_taxi "Side Street 2"');
    const other = await newest(page, "order_taxi", 2);
    await openTask(page, other);
    await page.getByRole("button", { name: "Fail…" }).click();
    await dialog.getByRole("textbox").fill("no driver is free");
    await agree(page, `Fail ${other} order_taxi`);
    await settles(page, other, "failed");
    assert.deepEqual(page.faults, []);
  },

  async "the server checks a value again: a page that is wrong is told where"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, 'order_taxi "Main Street 1"');
    const taxi = await newest(page, "order_taxi");
    await until("the taxi is deferred", () => page.evaluate((taxi) => globalThis.inspector.session.numbers.get(taxi).row.deferred, taxi));
    const refused = await page.evaluate(async (taxi) => {
      const task = globalThis.inspector.session.numbers.get(taxi).id;
      const body = JSON.stringify({ act: "resolve", session: "office", task, value: { plate: "AB 12", minutes: "soon" } });
      const response = await fetch("api/act", { method: "POST", headers: { "content-type": "application/json" }, body });
      return { status: response.status, ...(await response.json()) };
    }, taxi);
    assert.equal(refused.status, 422);
    assert.match(refused.error.message, /minutes/);
  },

  async "the session is closed after one question, and the page shows its end"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, "repeat hello");
    await settles(page, await newest(page, "repeat"), "completed");
    await page.getByText("Session", { exact: true }).click();
    await page.getByRole("button", { name: "Close…" }).click();
    await page.getByRole("dialog").getByRole("combobox").selectOption("cancel");
    await agree(page, "Close the session");
    await until("the session is closed", () => page.evaluate(() => globalThis.inspector.session.row.state === "closed"));
    await until("no message can be written", async () => !(await page.getByRole("textbox", { name: "Message to the agent" }).isVisible()));
    assert.deepEqual(page.faults, []);
  },

  async "a read-only page has no acts, and the server refuses them"(browser) {
    const { page } = await browser.session(["--read-only"]);
    await page.getByText("read only").waitFor();
    const taxi = await newest(page, "order_taxi");
    await openTask(page, taxi);
    await page.getByRole("heading", { name: "Facts" }).waitFor();
    for (const name of ["Cancel…", "Abort…", "Resolve…", "Fail…", "Send"]) assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, name);
    await page.keyboard.press("Escape");
    await page.keyboard.press("q");
    const questions = page.getByRole("region", { name: "Questions" });
    await questions.getByText("Where shall 4 guests sit?").waitFor();
    assert.equal(await questions.getByRole("button", { name: /Answer|Approve|Refuse/ }).count(), 0);
    const status = await page.evaluate(async () => (await fetch("api/act", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ act: "send", session: "office", text: "hello" }) })).status);
    assert.equal(status, 403);
    assert.deepEqual(page.faults, []);
  },
};
