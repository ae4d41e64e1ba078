/** @file Checks of the page for eyes, ears and hands: keyboard, names, colours, narrow windows. */

import assert from "node:assert/strict";

import { dialogCloses, newest, rowOf, settles, until } from "../browser.js";

/** Focused element in a few words. */
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  return element?.getAttribute("aria-label") ?? element?.textContent?.trim().slice(0, 40) ?? "";
});

export const looking = {
  async "the keyboard alone is enough: to a task, into it, to an act, and back"(browser) {
    const { page } = await browser.busySession();
    const research = await newest(page, "research");
    await newest(page, "compare");
    for (let step = 0; step < 40 && (await focused(page)) !== "Tasks"; step += 1) await page.keyboard.press("Tab");
    assert.equal(await focused(page), "Tasks");
    await page.keyboard.press("Home");
    await until("the first task is chosen", () => rowOf(page, research).getAttribute("aria-selected").then((is) => is === "true"));
    const active = await page.evaluate(() => document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))?.getAttribute("aria-label"));
    assert.match(active, new RegExp(`^${research} research`));
    await page.keyboard.press("ArrowDown");
    const compare = await newest(page, "compare");
    const rows = () => page.getByRole("treeitem").count();
    await until("the children have come", async () => (await page.getByRole("treeitem", { name: /^research/ }).count()) === 2);
    const before = await rows();
    await page.keyboard.press("ArrowLeft");
    await until("the children are folded", async () => (await rowOf(page, compare).getAttribute("aria-expanded")) === "false");
    assert.ok((await rows()) <= before);
    await page.keyboard.press("ArrowRight");
    // A task that goes on until someone ends it.
    const taxi = await newest(page, "order_taxi");
    await page.keyboard.press("End");
    await until("the taxi is chosen", async () => {
      if ((await rowOf(page, taxi).getAttribute("aria-selected")) === "true") return true;
      await page.keyboard.press("ArrowUp");
      return false;
    });
    await page.keyboard.press("Enter");
    const panel = page.getByRole("region", { name: new RegExp(`^${taxi} `) });
    await panel.waitFor();
    await until("the panel has the focus", async () => (await focused(page)).startsWith(taxi));
    await panel.getByRole("button", { name: "Cancel…" }).waitFor();
    for (let step = 0; step < 8 && (await focused(page)) !== "Cancel…"; step += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await dialogCloses(page);
    await page.keyboard.press("Escape");
    await until("the panel is closed", async () => !(await panel.isVisible()));
    assert.equal(await focused(page), "Tasks", "the focus went astray");
    const span = () => page.evaluate(() => globalThis.inspector.view.timeline.scale.span);
    const wide = await span();
    await page.keyboard.press("+");
    await until("it has zoomed in", async () => (await span()) < wide);
    await page.keyboard.press("f");
    await page.keyboard.press("2");
    await page.getByRole("region", { name: "Transcript" }).waitFor();
    await page.keyboard.press("3");
    await page.getByRole("region", { name: "Manager" }).waitFor();
    await page.keyboard.press("1");
    await page.getByRole("tree", { name: "Tasks" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("m");
    assert.equal(await focused(page), "Message to the agent");
    await page.keyboard.type("123");
    assert.equal(await page.getByRole("tree", { name: "Tasks" }).isVisible(), true, "keys in a field are text");
    await page.goBack();
    assert.deepEqual(page.faults, []);
  },

  async "each control has a name, each task its state, and news are said aloud"(browser) {
    const { page } = await browser.session();
    await newest(page, "send_letter");
    await page.keyboard.press("q");
    await page.getByRole("region", { name: "Questions" }).getByRole("button", { name: "Answer…" }).waitFor();
    const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, textarea, a, [role=treeitem], [role=tab], [role=tree], nav, canvas, summary")].filter((element) => {
      if (element.getAttribute("aria-hidden") === "true" || !element.checkVisibility()) return false;
      const label = element.getAttribute("aria-label") || element.textContent?.trim() || (element.id && document.querySelector(`label[for="${element.id}"]`)?.textContent) || element.closest("label")?.textContent?.trim();
      return !label;
    }).map((element) => element.outerHTML.slice(0, 200)));
    assert.deepEqual(nameless, []);
    const labels = await page.getByRole("treeitem").evaluateAll((rows) => rows.map((row) => row.getAttribute("aria-label")));
    assert.ok(labels.every((label) => /, /.test(label)), labels.join("\n"));
    await until("the question is announced", async () => /^t\d+ (book_table asks: Where shall 4 guests sit\?|send_letter needs consent)$/.test(await page.locator("#announcer").textContent()));
    assert.equal(await page.locator("#connection").getAttribute("role"), "status");
    assert.deepEqual(page.faults, []);
  },

  async "light and dark are legible: each colour of a text has a contrast of 4.5, and each of a bar 3"(browser) {
    const { page } = await browser.session(["--quiet"]);
    const figures = [];
    const backgrounds = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const contrasts = await page.evaluate(() => {
        const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const rgb = (name) => {
          probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
          probe.fillRect(0, 0, 1, 1);
          return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const light = (name) => {
          const [red, green, blue] = rgb(name).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
          return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const contrast = (one, other) => {
          const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
          return (high + 0.05) / (low + 0.05);
        };
        const texts = [["--ink", "--surface"], ["--muted", "--surface"], ["--muted", "--raised"], ["--accent", "--surface"], ["--bad", "--surface"], ["--people", "--surface"], ["--running", "--surface"], ["--running-ink", "--running"], ["--turn-ink", "--turn"], ["--good", "--surface"], ["--surface", "--accent"]];
        const bars = ["--running", "--waiting", "--rate", "--resource", "--task", "--people", "--world", "--turn"].map((name) => [name, "--surface"]);
        return { texts: texts.map((pair) => [pair.join(" on "), contrast(...pair)]), bars: bars.map((pair) => [pair.join(" on "), contrast(...pair)]) };
      });
      for (const [pair, value] of contrasts.texts) assert.ok(value >= 4.5, `${colorScheme}: ${pair} is ${value.toFixed(2)}`);
      for (const [pair, value] of contrasts.bars) assert.ok(value >= 3, `${colorScheme}: ${pair} is ${value.toFixed(2)}`);
      figures.push(`${colorScheme} ${Math.min(...contrasts.texts.map(([, value]) => value)).toFixed(1)}`);
      backgrounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    }
    assert.notEqual(backgrounds[0], backgrounds[1]);
    assert.deepEqual(page.faults, []);
    return `least contrast ${figures.join(", ")}`;
  },

  async "a narrow window shows one thing at a time, and never scrolls sideways"(browser) {
    const { page } = await browser.session([], { viewport: { width: 360, height: 640 }, hasTouch: true });
    const taxi = await newest(page, "order_taxi");
    const fits = async (where) => {
      const over = await page.evaluate(() => [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility() && !element.closest(".hidden, .skip, .table-box, .value, .tip") && element.getBoundingClientRect().right > innerWidth + 1).map((element) => `${element.tagName}.${element.className}`));
      assert.deepEqual(over, [], where);
    };
    await fits("timeline");
    await rowOf(page, taxi).click();
    await page.getByRole("heading", { name: "Facts" }).waitFor();
    await fits("task");
    await page.getByRole("button", { name: "Close the task" }).click();
    await page.getByRole("tab", { name: "Transcript" }).click();
    await page.locator(".message").first().waitFor();
    await fits("transcript");
    await page.getByRole("link", { name: "Manager" }).click();
    await page.getByRole("heading", { name: "Queue" }).waitFor();
    await fits("manager");
    await page.getByRole("link", { name: "Sessions" }).click();
    await page.getByRole("navigation", { name: "Sessions" }).getByRole("button", { name: /office/ }).click();
    await page.getByRole("heading", { name: "office" }).waitFor();
    assert.deepEqual(page.faults, []);
  },

  async "who wants less motion gets one drawing in a second"(browser) {
    const { page } = await browser.session(["--quiet"], { reducedMotion: "reduce" });
    await page.evaluate(() => globalThis.inspector.view.timeline.spent.splice(0));
    await page.waitForTimeout(2_500);
    const drawings = await page.evaluate(() => globalThis.inspector.view.timeline.spent.length);
    assert.ok(drawings <= 6, `${drawings} drawings`);
    return `${drawings} drawings in 2.5 s`;
  },
};
