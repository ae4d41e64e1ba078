/** @file Checks of what the page shows of a session at work. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { newest, openTask, rowOf, say, settles, until } from "../browser.js";

export const watching = {
  async "the token of the address lets one browser in, and leaves the address bar"(browser) {
    const { program, page } = await browser.session();
    assert.ok(!(await page.evaluate(() => location.href)).includes("token"));
    assert.ok(!(await page.evaluate(() => document.cookie)).includes("inspector"), "a script can read the cookie");
    await page.reload();
    await page.getByRole("heading", { name: "office" }).waitFor();
    const other = await browser.open(program.link);
    await other.getByText("This page is not signed in").waitFor();
    assert.deepEqual(page.faults, []);
  },

  async "without a token nothing of a session is in the page"(browser) {
    const program = await browser.start([]);
    const page = await browser.open(program.page);
    await page.getByText("This page is not signed in").waitFor();
    assert.equal(await page.getByText("office").count(), 0);
    const statuses = await page.evaluate(() => Promise.all(["info", "events", "events?session=office", "transcript?session=office", "questions?session=office"].map(async (name) => (await fetch(`api/${name}`)).status)));
    assert.deepEqual(statuses, [401, 401, 401, 401, 401]);
  },

  async "a session is watched: phases, attempts, children and deliveries"(browser) {
    const { page } = await browser.session(["--quiet"]);
    // Each wait is seen in words while it lasts.
    await page.evaluate(() => {
      globalThis.labels = new Set();
      setInterval(() => {
        for (const row of document.querySelectorAll(".row")) globalThis.labels.add(row.getAttribute("aria-label"));
      }, 50);
    });
    await browser.give(page);
    for (const label of [/^t\d+ look_up, .*rate/, /^t\d+ write, .*t\d+/, /^t\d+ weigh, .*attempt/, /^t\d+ book_table, .*answer/, /^t\d+ order_taxi, .*(outside|world)/, /^t\d+ send_letter, .*consent/]) {
      await until(`a row says ${label}`, () => page.evaluate((source) => [...globalThis.labels].some((label) => new RegExp(source).test(label)), label.source));
    }
    const fax = await newest(page, "fax");
    await settles(page, fax, "failed");
    const weigh = await newest(page, "weigh");
    await settles(page, weigh, "completed");
    const seen = await page.evaluate((weigh) => {
      const { session } = globalThis.inspector;
      const kinds = new Set([...session.tasks.values()].flatMap((task) => task.row.phases.map((phase) => phase.kind)));
      const gaps = [...session.tasks.values()].flatMap((task) => task.row.phases.slice(1).map((phase, place) => phase.from - task.row.phases[place].to));
      const compare = [...session.tasks.values()].find((task) => task.tool === "compare");
      return {
        kinds: [...kinds], gaps: gaps.filter((gap) => gap !== 0), children: compare.children.map((task) => task.tool),
        retries: session.numbers.get(weigh).row.phases.filter((phase) => phase.kind === "retry").length,
        turns: session.turns.length, messages: session.messages.length, tokens: session.turns[0].tokens,
      };
    }, weigh);
    for (const kind of ["running", "rate", "resource", "retry", "consent", "input", "outside"]) assert.ok(seen.kinds.includes(kind), `no phase ${kind} in ${seen.kinds}`);
    assert.deepEqual(seen.gaps, [], "phases have gaps");
    assert.deepEqual(seen.children, ["research", "research"]);
    assert.equal(seen.retries, 2);
    assert.ok(seen.messages === 3 && seen.turns > 3 && seen.tokens.input > 0);
    await until("results are delivered to turns", () => page.evaluate(() => [...globalThis.inspector.session.tasks.values()].flatMap((task) => task.deliveries).filter((delivery) => delivery.how === "delivered" && delivery.turn).length > 1));
    assert.deepEqual(page.faults, []);
  },

  async "the timeline is drawn: bars, arrows, and words under the pointer"(browser) {
    const { page } = await browser.busySession();
    await settles(page, await newest(page, "weigh"), "completed");
    await settles(page, await newest(page, "fax"), "failed");
    await newest(page, "send_letter");
    await until("a delivery has its turn", () => page.evaluate(() => [...globalThis.inspector.session.tasks.values()].some((task) => task.deliveries.some((delivery) => delivery.turn))));
    await page.keyboard.press("0");
    // A colour counts where the drawing has it: many pixels of bars, and the arrow's head in the lane of the model.
    const colours = await until("the bars are drawn", () => page.evaluate(() => {
      const canvas = document.querySelector(".bars");
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const found = {};
      for (const name of ["--running", "--turn", "--ink", "--accent"]) {
        const probe = document.createElement("canvas").getContext("2d");
        probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
        probe.fillRect(0, 0, 1, 1);
        const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
        let pixels = 0;
        for (let at = 0; at < data.length; at += 4) if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) pixels += 1;
        found[name] = pixels;
      }
      return Object.values(found).every((pixels) => pixels > 0) && found["--running"] > 500 ? found : undefined;
    }));
    const bar = await page.evaluate(() => {
      const { timeline } = globalThis.inspector.view;
      const place = timeline.rows.all.findIndex(({ task }) => task.tool === "weigh");
      const retry = timeline.rows.all[place].task.row.phases.find((phase) => phase.kind === "retry");
      const box = timeline.canvas.getBoundingClientRect();
      return { x: box.left + timeline.scale.x((retry.from + retry.to) / 2), y: box.top + 70 + place * 24 + 12 - timeline.scroll.scrollTop };
    });
    await page.mouse.move(bar.x, bar.y);
    const tip = page.getByRole("tooltip");
    await tip.waitFor();
    assert.match(await tip.textContent(), /weigh[\s\S]*attempt/);
    await page.mouse.click(bar.x, bar.y);
    await page.getByRole("region", { name: /weigh/ }).waitFor();
    assert.deepEqual(page.faults, []);
    return `pixels of bars ${colours["--running"]}`;
  },

  async "a task's panel has its call, schema, result or error, attempts, tree and keys"(browser) {
    const { page } = await browser.busySession();
    const fax = await newest(page, "fax");
    await settles(page, fax, "failed");
    await openTask(page, fax);
    const panel = page.getByRole("region", { name: new RegExp(`^${fax} `) });
    await panel.getByText("the line to 555 is dead").waitFor();
    await panel.getByText("Definition and schema").click();
    const text = await panel.textContent();
    for (const words of ["Error:", "Sends a fax", '"number"', "idempotency key", "call", "effect"]) assert.ok(text.includes(words), `${words} is missing in ${text}`);
    const compare = await newest(page, "compare");
    await settles(page, compare, "completed");
    await openTask(page, compare);
    const parent = page.getByRole("region", { name: new RegExp(`^${compare} `) });
    await parent.getByRole("heading", { name: "Children" }).waitFor();
    assert.equal(await parent.locator(".tree li").count(), 2);
    await parent.locator(".tree").getByRole("button", { name: "research" }).first().click();
    const child = page.getByRole("region", { name: "research", exact: true });
    await child.getByRole("heading", { name: "Parent" }).waitFor();
    await child.getByRole("button", { name: new RegExp(`^${compare} compare`) }).click();
    await parent.getByRole("heading", { name: "Children" }).waitFor();
    const weigh = await newest(page, "weigh");
    await settles(page, weigh, "completed");
    await openTask(page, weigh);
    const phases = page.getByRole("region", { name: new RegExp(`^${weigh} `) }).locator(".phases");
    await phases.getByText(/next attempt/).nth(1).waitFor();
    const attempts = page.getByRole("region", { name: new RegExp(`^${weigh} `) }).locator(".attempts li");
    const tried = await attempts.allTextContents();
    assert.equal(tried.length, 3);
    for (const reason of tried.slice(0, 2)) assert.match(reason, /^unavailable after .+: the scales don't answer$/);
    assert.match(tried[2], /^completed after/);
    assert.deepEqual(page.faults, []);
  },

  async "the manager's slots, queue, rates, breakers and caches are shown"(browser) {
    const { page } = await browser.session(["--slots", "1"]);
    await page.getByRole("link", { name: "Manager" }).click();
    const view = page.getByRole("region", { name: "Manager" });
    await view.getByText("of 1", { exact: false }).first().waitFor();
    const tools = view.getByRole("table", { name: "Limits of the tools" });
    await tools.getByText("look_up").waitFor();
    const row = await tools.getByRole("row", { name: /look_up/ }).textContent();
    assert.match(row, /per 2\.0 s/);
    assert.match(row, /closed, 0 of 3 failures/);
    assert.match(row, /for 1 min/);
    await until("tasks wait for the slot", async () => /[1-9]\d* tasks? waits? for a slot/.test(await view.textContent()));
    await view.getByRole("table", { name: "Queue by session and priority" }).getByRole("link", { name: "office" }).click();
    await page.getByRole("heading", { name: "office" }).waitFor();
    assert.deepEqual(page.faults, []);
  },

  async "pictures of the timeline, the transcript and a question are made"(browser) {
    const { page } = await browser.busySession([], { viewport: { width: 1120, height: 600 } });
    const picture = async (name) => {
      await page.waitForTimeout(500);
      await page.screenshot({ path: join(browser.pictures, `${name}.png`), animations: "disabled" });
    };
    await settles(page, await newest(page, "fax"), "failed");
    await settles(page, await newest(page, "compare"), "completed");
    await until("the model has told the results", () => page.evaluate(() => globalThis.inspector.session.row.state === "waiting" || globalThis.inspector.session.row.state === "idle"));
    await page.keyboard.press("0");
    await picture("timeline");
    await page.setViewportSize({ width: 1280, height: 680 });
    const table = await newest(page, "book_table");
    await openTask(page, table);
    await page.getByRole("combobox", { name: "room" }).waitFor();
    await page.keyboard.press("0");
    await picture("question");
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 1120, height: 600 });
    await page.keyboard.press("2");
    await page.locator(".message[data-kind=delivery]").first().waitFor();
    await page.locator(".message[data-kind=delivery]").last().scrollIntoViewIfNeeded();
    await picture("transcript");
    assert.deepEqual(page.faults, []);
  },

  async "a session that begins while the page is open appears, and its first message with it"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await page.getByText("No task yet").waitFor();
    await say(page, "repeat hello");
    await rowOf(page, "t1").waitFor();
    await settles(page, "t1", "completed");
    assert.deepEqual(page.faults, []);
  },
};
