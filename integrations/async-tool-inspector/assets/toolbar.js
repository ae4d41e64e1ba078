/** @file Tools above a timeline: zoom, follow, filter, legend. */

import { h, say } from "./dom.js";
import { LEGEND } from "./drawing.js";
import { Palette } from "./palette.js";
import { count, plural } from "./words.js";

/** Tools above a timeline. */
export class Toolbar {
  /**
   * @param {object} host
   * @param {(isIn: boolean) => void} host.zoom
   * @param {() => void} host.fit
   * @param {() => void} host.follow
   * @param {() => void} host.filter
   */
  constructor(host) {
    const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {string} */ key, /** @type {() => void} */ act) =>
      h("button", { type: "button", class: "tool", title: `${label} (${key})`, "aria-label": label, "aria-keyshortcuts": key, onclick: act }, text);
    this.follow = h("button", { type: "button", class: "tool wide", title: "Follow now (f)", "aria-keyshortcuts": "f", onclick: host.follow }, "Follow now");
    this.filter = h("input", { type: "search", class: "filter", placeholder: "Filter: t3, hash, failed…", "aria-label": "Filter the tasks", oninput: host.filter });
    this.onlyOpen = h("input", { type: "checkbox", onchange: host.filter });
    this.counted = h("span", { class: "counted" });
    this.swatches = LEGEND.map(({ kind, colour, text }) => ({
      kind, colour, text, canvas: h("canvas", { class: "swatch", width: 44, height: 28, "aria-hidden": "true" }),
    }));
    const legend = h("details", { class: "legend" }, h("summary", {}, "Legend"), h("div", { class: "legend-box" },
      h("ul", {}, ...this.swatches.map(({ canvas, text }) => h("li", {}, canvas, text))),
      h("p", {}, "✓ completed   ✗ failed   ■ cancelled   ? unknown outcome   ◆ user message"),
      h("p", {}, "An arrow leads from a result to the turn that was given it. A dashed line marks an event of the session.")));
    this.element = h("div", { class: "tools", role: "toolbar", "aria-label": "Timeline" },
      button("−", "Zoom out", "-", () => host.zoom(false)), button("+", "Zoom in", "+", () => host.zoom(true)), button("⤢", "Show all", "0", host.fit),
      this.follow, this.filter, h("label", { class: "check" }, this.onlyOpen, " open only"), this.counted, legend);
  }

  /**
   * @param {number} shown
   * @param {number} all
   * @param {boolean} follows
   * @param {boolean} canFollow
   */
  write(shown, all, follows, canFollow) {
    say(this.counted, shown === all ? plural(all, "task") : `${count(shown)} of ${plural(all, "task")}`);
    this.follow.setAttribute("aria-pressed", String(follows && canFollow));
    this.follow.disabled = !canFollow;
  }

  /** Draws the legend in the colours of now. */
  paint() {
    for (const { kind, colour, canvas } of this.swatches) {
      const brush = canvas.getContext("2d");
      if (!brush) continue;
      const palette = new Palette(this.element, brush, 2);
      brush.setTransform(2, 0, 0, 2, 0, 0);
      brush.clearRect(0, 0, 22, 14);
      brush.fillStyle = palette.fill(kind);
      brush.fillRect(0, 0, 22, 14);
      brush.strokeStyle = palette.colour(colour);
      brush.strokeRect(0.5, 0.5, 21, 13);
    }
  }
}
