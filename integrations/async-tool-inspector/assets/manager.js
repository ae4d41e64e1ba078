/** @file The manager: slots, queue, rates, breakers, caches, quarantine. */

import { fill, h } from "./dom.js";
import { count, duration, plural } from "./words.js";

/** Priorities, in the order of the queue. */
const PRIORITIES = ["resumed", "high", "normal", "low"];

/** Words of the totals of a manager, in the order in which they are shown. */
const TOTALS = /** @type {[string, string][]} */ ([
  ["open", "open"], ["accepted", "accepted"], ["completed", "completed"], ["failed", "failed"], ["cancelled", "cancelled"],
  ["unknown", "unknown outcome"], ["rejected", "refused: full"], ["retries", "retries"], ["breaker_refusals", "refused by breakers"],
  ["cache_hits", "cache hits"], ["cache_misses", "cache misses"], ["shared", "shared runs"],
]);

/** View of the manager. */
export class ManagerView {
  /**
   * @param {object} host
   * @param {() => number} host.now
   */
  constructor(host) {
    this.host = host;
    this.isShown = false;
    /** @type {any} */
    this.manager = null;
    /** @type {Map<string, {key: string, element: HTMLElement}>} */
    this.sections = new Map();
    this.element = h("section", { class: "manager", "aria-label": "Manager", tabIndex: 0 });
  }

  /** @param {any} manager */
  show(manager) {
    this.manager = manager;
    this.changed();
  }

  /** @param {boolean} isShown */
  setShown(isShown) {
    this.isShown = isShown;
    this.changed();
  }

  /** Draws the view anew, where it has changed. */
  changed() {
    clearTimeout(this.timer);
    if (!this.isShown) return;
    const { manager } = this;
    if (!manager) {
      this.#section("none", "none", () => [h("p", { class: "empty-note" }, "No manager runs here: this is a journal.")]);
      return;
    }
    this.sections.get("none")?.element.remove();
    this.sections.delete("none");
    const now = this.host.now();
    this.#section("slots", [manager.slots, manager.quarantined, manager.managers], () => this.#slots());
    this.#section("queue", [manager.queue], () => this.#queue());
    const closing = (manager.tools ?? []).some((/** @type {any} */ tool) => tool.breaker?.until > now || tool.rate?.free_at > now);
    this.#section("tools", [manager.tools, closing ? Math.floor(now / 500) : 0], () => this.#tools(now));
    this.#section("totals", [manager.stats], () => this.#totals());
    // The time until a breaker lets a call through goes on without news.
    if (closing) this.timer = setTimeout(() => this.changed(), 500);
  }

  /**
   * @param {string} name
   * @param {unknown} key
   * @param {() => import("./dom.js").Child[]} make
   */
  #section(name, key, make) {
    const text = JSON.stringify(key);
    const known = this.sections.get(name);
    if (known?.key === text) return;
    const element = known?.element ?? h("section", { class: `card card-${name}` });
    fill(element, ...make());
    if (!known) this.element.append(element);
    this.sections.set(name, { key: text, element });
  }

  #slots() {
    const { slots = {}, quarantined = 0, managers = 1 } = this.manager;
    const blocking = slots.blocking;
    return [
      h("h2", {}, "Slots", managers > 1 && h("span", { class: "hint" }, ` of ${managers} managers`)),
      gauge("tasks", slots.running ?? 0, slots.limit),
      blocking && gauge("blocking calls", blocking.running ?? 0, blocking.limit),
      slots.session_limit && h("p", { class: "hint" }, `At most ${slots.session_limit} for each session.`),
      h("p", { class: quarantined > 0 ? "warning" : "hint" }, quarantined > 0
        ? `${plural(quarantined, "blocking call")} in quarantine: told to stop, and still running.`
        : "No blocking call in quarantine."),
    ];
  }

  #queue() {
    const { queue = {} } = this.manager;
    const sessions = queue.sessions ?? [];
    const head = h("tr", {}, h("th", { scope: "col" }, "session"), h("th", { scope: "col", class: "figure" }, "running"), h("th", { scope: "col", class: "figure" }, "weight"),
      ...PRIORITIES.map((name) => h("th", { scope: "col", class: "figure" }, name)));
    const row = (/** @type {any} */ session) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: `#/s/${encodeURIComponent(session.session)}` }, session.session)),
      figure(session.running), figure(session.weight), ...PRIORITIES.map((name) => figure(session.waiting?.[name])));
    const total = h("tr", { class: "total" }, h("th", { scope: "row" }, "all"), figure(this.manager.slots?.running), h("td", {}), ...PRIORITIES.map((name) => figure(queue.by_priority?.[name])));
    return [
      h("h2", {}, "Queue"),
      h("p", { class: "hint" }, `${plural(queue.waiting ?? 0, "task")} wait${(queue.waiting ?? 0) === 1 ? "s" : ""} for a slot${queue.capacity ? `; room for ${count(queue.capacity)}` : ""}.`),
      h("div", { class: "table-box" }, h("table", {}, h("caption", { class: "hidden" }, "Queue by session and priority"), h("thead", {}, head), h("tbody", {}, ...sessions.map(row), total))),
    ];
  }

  /** @param {number} now */
  #tools(now) {
    const { tools = [] } = this.manager;
    if (tools.length === 0) return [h("h2", {}, "Tools"), h("p", { class: "hint" }, "No tool has a limit, a rate, a breaker or a cache.")];
    const head = h("tr", {}, ...["tool", "at once", "rate", "breaker", "cache"].map((name) => h("th", { scope: "col" }, name)));
    const rows = tools.map((/** @type {any} */ tool) => h("tr", {}, h("th", { scope: "row" }, tool.tool),
      h("td", {}, tool.concurrency ? `${tool.concurrency.running} of ${tool.concurrency.limit ?? "∞"}` : ""),
      h("td", {}, tool.rate ? rateWords(tool.rate, now) : ""),
      h("td", { "data-breaker": tool.breaker?.state }, tool.breaker ? breakerWords(tool.breaker, now) : ""),
      h("td", {}, [cacheWords(tool.cache, ""), cacheWords(tool.semantic_cache, "similar: ")].filter(Boolean).join("; "))));
    return [h("h2", {}, "Tools"), h("div", { class: "table-box" }, h("table", {}, h("caption", { class: "hidden" }, "Limits of the tools"), h("thead", {}, head), h("tbody", {}, ...rows)))];
  }

  #totals() {
    const { stats = {} } = this.manager;
    return [h("h2", {}, "Since the start"), h("dl", { class: "facts" }, ...TOTALS.filter(([key]) => stats[key] !== undefined)
      .flatMap(([key, name]) => [h("dt", {}, name), h("dd", {}, count(stats[key]))]))];
  }
}

/**
 * @param {string} name
 * @param {number} used
 * @param {number | null | undefined} limit
 */
function gauge(name, used, limit) {
  const words = `${count(used)} of ${limit ? count(limit) : "no limit"}`;
  const meter = limit ? h("meter", { min: 0, max: limit, value: used, "aria-label": name }) : null;
  return h("p", { class: "gauge" }, h("span", { class: "gauge-name" }, name), meter, h("span", { class: "gauge-words" }, words));
}

/** @param {number | undefined} value */
function figure(value) {
  return h("td", { class: value ? "figure" : "figure none" }, count(value ?? 0));
}

/**
 * @param {any} rate
 * @param {number} now
 */
export function rateWords({ calls, per, used, waiting, free_at, key }, now) {
  const parts = [`${count(used ?? 0)} of ${count(calls)} per ${duration(per)}`];
  if (waiting) parts.push(`${count(waiting)} wait`);
  if (free_at > now) parts.push(`next in ${duration(free_at - now)}`);
  if (key) parts.push(`shared as ${key}`);
  return parts.join(", ");
}

/**
 * @param {any} breaker
 * @param {number} now
 */
export function breakerWords({ state, failures, threshold, until }, now) {
  if (state === "open") return until > now ? `open: calls fail; one is let through in ${duration(until - now)}` : "open: the next call is let through";
  if (state === "half_open") return "half open: one call is let through";
  return `closed, ${count(failures ?? 0)} of ${count(threshold ?? 0)} failures`;
}

/**
 * @param {any} cache
 * @param {string} prefix
 */
function cacheWords(cache, prefix) {
  if (!cache) return "";
  return `${prefix}${count(cache.values ?? 0)} of ${cache.capacity ? count(cache.capacity) : "∞"}${cache.ttl ? `, for ${duration(cache.ttl)}` : ""}`;
}
