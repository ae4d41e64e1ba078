/** @file Checks of texts: the transcript, and texts that would be HTML elsewhere. */

import assert from "node:assert/strict";

import { agree, newest, openTask, say, settles, until } from "../browser.js";

/** Text that would run a script, load a picture, or leave its element, if it became HTML. */
const HOSTILE = "<img src=x onerror=\"globalThis.struck=1\"><script>globalThis.struck=2</script></pre></textarea><b id=struck>bold</b> &lt;i&gt; ${1} javascript:alert(1)";

/** Fails if a text has become HTML. */
async function isOnlyText(page, where) {
  const found = await page.evaluate(() => ({ struck: globalThis.struck, bold: document.querySelectorAll("#struck, main img, main script, aside img, aside script").length }));
  assert.deepEqual(found, { struck: undefined, bold: 0 }, where);
}

export const reading = {
  async "text of users, models and tools stays text, everywhere"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, `repeat ${JSON.stringify({ text: HOSTILE })}`);
    const task = await newest(page, "repeat");
    await settles(page, task, "completed");
    await isOnlyText(page, "timeline");
    await openTask(page, task);
    const panel = page.getByRole("region", { name: new RegExp(`^${task} `) });
    await panel.getByLabel("Result", { exact: true }).waitFor();
    assert.equal(await panel.getByLabel("Result", { exact: true }).textContent(), HOSTILE);
    assert.ok((await panel.getByLabel("Arguments", { exact: true }).textContent()).includes(JSON.stringify(HOSTILE)));
    await isOnlyText(page, "panel");
    await page.keyboard.press("Escape");
    await page.keyboard.press("2");
    await until("the transcript has the text", async () => (await page.locator(".messages").textContent()).includes("<img src=x"));
    await isOnlyText(page, "transcript");
    await say(page, `send_letter ${JSON.stringify({ to: HOSTILE })}`);
    await page.keyboard.press("Escape");
    await page.getByTitle("Questions (q)").click();
    await page.getByRole("region", { name: "Questions" }).getByText("<img src=x").first().waitFor();
    await isOnlyText(page, "questions");
    await page.getByRole("button", { name: "Refuse…" }).click();
    await page.getByRole("dialog").getByRole("textbox").fill(HOSTILE);
    await agree(page, /Refuse t/);
    const letter = await newest(page, "send_letter");
    await settles(page, letter, "failed");
    await page.keyboard.press("1");
    await openTask(page, letter);
    await page.getByRole("region", { name: new RegExp(`^${letter} `) }).getByText("<img src=x").first().waitFor();
    await isOnlyText(page, "error");
    await page.evaluate((task) => globalThis.inspector.view.timeline.select(globalThis.inspector.session.numbers.get(task).id), task);
    await isOnlyText(page, "title");
    assert.deepEqual(page.faults, []);
  },

  async "the content security policy refuses HTML and inline scripts even if the page made some"(browser) {
    const { page } = await browser.session(["--quiet"]);
    const outcome = await page.evaluate(async () => {
      const refused = [];
      document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
      try {
        document.body.insertAdjacentHTML("beforeend", "<b>bold</b>");
        refused.push("HTML was taken");
      } catch (error) {
        refused.push(error.name);
      }
      try {
        const script = document.createElement("script");
        script.append("globalThis.struck = 3");
        document.body.append(script);
      } catch (error) {
        refused.push(error.name);
      }
      await fetch("https://example.com/").catch(() => refused.push("fetch"));
      return { refused, struck: globalThis.struck };
    });
    assert.equal(outcome.struck, undefined);
    assert.ok(outcome.refused.includes("TypeError") && outcome.refused.includes("fetch"), outcome.refused.join());
    assert.ok(!outcome.refused.includes("HTML was taken"));
  },

  async "the transcript tells frames, calls, results and the user's text apart, with tokens for each"(browser) {
    const { page } = await browser.busySession();
    await settles(page, await newest(page, "compare"), "completed");
    await page.keyboard.press("2");
    await page.locator(".message[data-kind=delivery] .part[data-part=frame]").first().waitFor();
    const seen = await page.evaluate(() => {
      const parts = [...document.querySelectorAll(".messages .part")];
      const style = (part) => getComputedStyle(part).borderTopStyle;
      const [data] = document.querySelectorAll(".messages .part[data-part=frame] .data");
      return {
        data: data?.textContent,
        kinds: [...new Set(parts.map((part) => part.dataset.part))],
        framed: parts.filter((part) => part.dataset.part === "frame").every((part) => style(part) === "dashed"),
        others: parts.filter((part) => !["frame", "note"].includes(part.dataset.part)).every((part) => style(part) !== "dashed"),
        user: parts.filter((part) => part.dataset.of === "user").map((part) => part.textContent),
        tokens: [...document.querySelectorAll(".messages .message .gutter")].every((gutter) => /\d+ tokens/.test(gutter.textContent ?? "")),
        cost: document.querySelector(".cost-words")?.textContent ?? "",
      };
    });
    for (const kind of ["text", "call", "ack", "frame"]) assert.ok(seen.kinds.includes(kind), `${kind} is missing in ${seen.kinds}`);
    assert.ok(seen.framed && seen.others && seen.tokens);
    // Within a frame, the results stand out from the words around them.
    assert.match(seen.data ?? "", /^\{"task":"t\d+"/);
    assert.match(seen.user[0], /^Find out about bees in 6 seconds/);
    assert.match(seen.cost, /tokens: .*(tools|system) [\d,]+, user \d+/);
    await page.getByRole("combobox", { name: "View of the transcript" }).selectOption("1");
    await until("turn 1 saw one message", () => page.evaluate(() => document.querySelectorAll(".messages .message").length === 1));
    assert.deepEqual(page.faults, []);
  },

  async "pruned parts of a conversation are marked"(browser) {
    const { page } = await browser.session(["--quiet", "--budget", "2000"]);
    for (let number = 1; number <= 8; number += 1) {
      await say(page, `repeat ${JSON.stringify({ text: `${number} ${"words and words ".repeat(60)}` })}`);
      await settles(page, await newest(page, "repeat", number), "completed");
    }
    await page.keyboard.press("2");
    await page.locator(".message[data-mark=dropped]").first().waitFor();
    await page.getByText("pruned: the model does not see this").first().waitFor();
    assert.ok((await page.locator(".message[data-mark=lead], .message[data-mark=whole]").count()) > 0);
    assert.deepEqual(page.faults, []);
  },

  async "text streams in, and nothing on the page moves"(browser) {
    const { page } = await browser.session(["--quiet"]);
    // Shifts within half a second of an input don't count for a browser: none is made while the page is watched.
    await page.evaluate(() => {
      globalThis.shifts = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifts.push({ value: entry.value, nodes: entry.sources.map((source) => source.node?.className ?? source.node?.nodeName) });
      }).observe({ type: "layout-shift", buffered: false });
    });
    let pieces = 0;
    for (const view of ["timeline", "transcript"]) {
      await page.keyboard.press(view === "timeline" ? "1" : "2");
      await say(page, "help; find out about bees in 3 seconds; is tea better than milk; book_table guests=2; fax 1; weigh x");
      await page.locator("body").focus().catch(() => {});
      if (view === "transcript") {
        const lengths = new Set();
        await until("text has grown", async () => {
          lengths.add(await page.evaluate(() => document.querySelector(".message.live .text")?.textContent?.length ?? 0));
          return lengths.size > 5;
        });
        pieces = lengths.size;
      }
      await settles(page, await newest(page, "weigh", view === "timeline" ? 1 : 2), "completed");
    }
    const isAtEnd = () => page.evaluate(() => {
      const scroll = document.querySelector(".transcript-scroll");
      return scroll.scrollHeight > 2 * scroll.clientHeight && scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
    });
    await until("the transcript has followed its end", isAtEnd);
    const shifts = await page.evaluate(() => globalThis.shifts);
    const sum = shifts.reduce((sum, shift) => sum + shift.value, 0);
    assert.ok(sum < 0.002, `layout shifts of ${sum}: ${JSON.stringify(shifts.slice(0, 8))}`);
    assert.deepEqual(page.faults, []);
    return `shift ${sum.toFixed(4)}, ${pieces} lengths of text seen`;
  },

  async "a result of a megabyte is shown in full, on request"(browser) {
    const { page } = await browser.session(["--quiet"]);
    await say(page, "write_page bytes=1000000");
    const task = await newest(page, "write_page");
    await settles(page, task, "completed");
    await openTask(page, task);
    const result = page.getByLabel("Result", { exact: true });
    await result.waitFor();
    assert.ok((await result.textContent()).length <= 20_000);
    await page.getByRole("button", { name: /Show all \(/ }).click();
    assert.equal((await result.textContent()).length, 1_000_000);
    assert.deepEqual(page.faults, []);
  },
};
