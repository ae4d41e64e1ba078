/** @file The page: signs in, follows the server's events, and shows the place that the address names. */

import { Acts } from "./acts.js";
import { RequestError, ask, post } from "./api.js";
import { ServerClock } from "./clock.js";
import { byId, say } from "./dom.js";
import { Feed } from "./feed.js";
import { showKeys } from "./help.js";
import { ManagerView } from "./manager.js";
import { QuestionsPanel } from "./questions.js";
import { hashOf, routeOf, tokenOf } from "./route.js";
import { Session } from "./session.js";
import { SessionView } from "./session_view.js";
import { SessionList } from "./sessions.js";
import { TaskPanel } from "./task.js";

/** @typedef {import("./route.js").Route} Route */

/** Time that a notice stays, in milliseconds. */
const NOTICE = 5_000;
/** Time after which a hidden page gives its stream up, in milliseconds. */
const HIDDEN = 60_000;

/** The page. */
class App {
  constructor() {
    this.clock = new ServerClock();
    /** @type {Session | undefined} */
    this.session = undefined;
    /** @type {Route} */
    this.route = { view: "home" };
    /** @type {import("./feed.js").ConnectionState} */
    this.state = "connecting";
    this.hasSessions = false;
    /** True once the only session was shown by itself. */
    this.wasHome = false;
    this.reason = "";
    /** @type {Set<string>} tasks whose questions were announced */
    this.announced = new Set();
    const now = () => this.clock.now();
    const acts = () => new Acts(this.route.session ?? "", (text) => this.notice(text));
    const go = (/** @type {Partial<Route>} */ change) => this.go({ ...this.route, ...change });
    this.sessions = new SessionList((session) => this.go({ view: this.route.view === "transcript" ? "transcript" : "timeline", session }));
    this.view = new SessionView({ now, go, acts });
    this.task = new TaskPanel({ now, acts, open: (task) => go({ task, questions: false }), openTurn: (turn) => go({ view: "transcript", turn }) });
    this.questions = new QuestionsPanel({ acts, open: (task) => go({ task, questions: false }), close: () => go({ questions: false }) });
    this.manager = new ManagerView({ now });
    byId("sessions").append(this.sessions.element);
    byId("main").append(this.view.element, this.manager.element);
    byId("panels").append(this.task.element, this.questions.element);
    this.feed = new Feed({
      snapshot: (data) => this.#snapshot(data),
      update: (data) => this.#update(data),
      ping: (at) => this.clock.heard(at),
      state: (state, reason) => this.#connection(state, reason),
    });
    addEventListener("hashchange", () => this.#arrived());
    addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("visibilitychange", () => this.#seen());
    byId("keys").addEventListener("click", showKeys);
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      byId("main").focus();
    });
    setInterval(() => this.task.tick(), 500);
  }

  /** Signs in with the token of the address, if it has one, and follows the events. */
  async start() {
    const token = tokenOf(location.hash);
    // The token must not stay in the address bar, or in the history.
    if (token) history.replaceState(null, "", `${location.pathname}${location.search}#/`);
    try {
      if (token) await post("login", { token });
    } catch (error) {
      // A token that was used here before is no error while its cookie is good.
      if (!(error instanceof RequestError) || error.status !== 401) this.notice(String(error instanceof Error ? error.message : error));
    }
    this.#arrived();
  }

  /** Lets the stream of a hidden page go after a while: a browser has six for all its tabs. */
  #seen() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => this.feed.close(), HIDDEN);
    } else if (this.feed.isClosed) {
      this.feed.follow(this.feed.session);
    } else this.#changed();
  }

  /**
   * Goes to a place.
   *
   * @param {Route} route
   */
  go(route) {
    const hash = hashOf(route);
    const opens = (route.task && route.task !== this.route.task) || (route.questions && !this.route.questions);
    if (hash !== location.hash) {
      history.pushState(null, "", hash);
      this.#arrived();
    }
    if (opens && document.activeElement?.closest(".timeline, .panel, .session-head")) {
      if (route.task) this.task.focus();
      else this.questions.focus();
    }
  }

  #arrived() {
    const before = this.route;
    this.route = routeOf(location.hash);
    const session = this.route.session;
    if (this.route.view === "manager") {
      if (this.state === "connecting" && !this.feed.source) this.feed.follow(before.session);
    } else if (session !== this.feed.session || !this.feed.source) {
      this.session = this.session?.name === session ? this.session : undefined;
      this.feed.follow(session);
    }
    this.#show();
    this.#refocus(before);
  }

  /**
   * Gives the focus back to where a panel was opened, when it is closed.
   *
   * @param {Route} before
   */
  #refocus(before) {
    const { route } = this;
    if (route.task || route.questions || route.session !== before.session || route.view !== before.view) return;
    if (before.task && route.view === "timeline") this.view.timeline.list.focus({ preventScroll: true });
    else if (before.questions) this.view.questions.focus();
  }

  #show() {
    const { route, session } = this;
    const isManager = route.view === "manager";
    const hasSession = Boolean(session && route.session === session.name);
    document.body.dataset.view = isManager ? "manager" : route.session ? "session" : "home";
    byId(isManager ? "nav-manager" : "nav-sessions").setAttribute("aria-current", "page");
    byId(isManager ? "nav-sessions" : "nav-manager").removeAttribute("aria-current");
    this.view.element.hidden = isManager || !hasSession;
    this.manager.element.hidden = !isManager;
    this.manager.setShown(isManager);
    byId("nothing").hidden = isManager || hasSession;
    say(byId("nothing"), this.#nothing());
    this.sessions.choose(route.session);
    const shown = hasSession && !isManager ? session : undefined;
    if (shown) this.view.show(shown, route);
    this.task.show(shown, shown ? route.task : undefined);
    this.questions.show(shown, Boolean(shown && route.questions && !route.task));
    byId("panels").hidden = !shown || (!route.task && !route.questions);
    document.title = [route.session, this.info?.title ?? "async-tool"].filter(Boolean).join(" · ");
  }

  #nothing() {
    if (this.state === "connecting" || (this.route.session && !this.hasSessions)) return "Connecting…";
    if (this.route.session) return this.session ? "" : `There is no session ${this.route.session} here.`;
    return this.sessions.rows.size > 0 ? "Choose a session." : "No session yet. Sessions appear here when they begin.";
  }

  /** @param {any} data */
  #snapshot(data) {
    this.clock.heard(data.now, true);
    this.sessions.replace(data.sessions ?? []);
    this.hasSessions = true;
    this.manager.show(data.manager);
    this.session = data.session ? new Session(data.session) : undefined;
    const { first } = this.sessions;
    // One session is shown at once, for it is what the reader came for.
    if (this.route.view === "home" && first && this.sessions.rows.size === 1 && !this.wasHome) {
      this.wasHome = true;
      history.replaceState(null, "", hashOf({ view: "timeline", session: first }));
      this.#arrived();
      return;
    }
    this.#show();
  }

  /** @param {any} data */
  #update(data) {
    this.clock.heard(data.now);
    this.sessions.update(data.sessions ?? [], data.removed ?? []);
    if (data.manager) this.manager.show(data.manager);
    if (data.session) this.session?.apply(data.session);
    const row = this.session && this.sessions.rows.get(this.session.name);
    if (row && this.session) this.session.row = row;
    this.#announce(data.session?.tasks ?? []);
    this.#changed();
  }

  /**
   * Tells a screen reader of new questions.
   *
   * @param {import("./session.js").TaskRow[]} rows
   */
  #announce(rows) {
    for (const { asks, number, tool } of rows) {
      if (!asks || this.announced.has(asks.asking)) continue;
      this.announced.add(asks.asking);
      const question = asks.kind === "approval" ? "needs consent" : `asks: ${asks.prompt ?? "a question"}`;
      say(byId("announcer"), `${[number, tool].filter(Boolean).join(" ")} ${question}`);
    }
  }

  #changed() {
    const { first } = this.sessions;
    if (this.route.view === "home" && first && this.sessions.rows.size === 1 && !this.wasHome) {
      this.wasHome = true;
      this.go({ view: "timeline", session: first });
    }
    if (this.route.view === "home") say(byId("nothing"), this.#nothing());
    if (!this.session || this.route.session !== this.session.name || this.route.view === "manager") return;
    this.view.changed();
    this.task.changed();
    this.questions.changed();
  }

  /**
   * @param {import("./feed.js").ConnectionState} state
   * @param {string} reason
   */
  #connection(state, reason) {
    if (state === this.state && reason === this.reason) return;
    const before = this.state;
    this.state = state;
    this.reason = reason;
    const words = { connecting: "connecting", live: "live", gone: "gone", locked: "locked" }[state];
    document.body.dataset.connection = state;
    say(byId("connection"), words);
    const banner = byId("banner");
    const text = {
      connecting: "", live: "",
      gone: `The process is gone${reason ? ` (${reason})` : ""}. This is what was last known; trying again.`,
      locked: "This page is not signed in. If the program has started anew, open the address that it prints.",
    }[state];
    banner.hidden = text === "";
    say(banner, text);
    if (state === "live" && before !== "live") {
      if (before !== "connecting") this.notice("The process is back.");
      this.#info();
    }
    if (state !== "live") this.#show();
  }

  async #info() {
    try {
      this.info = await ask("info");
      say(byId("title"), this.info.title || "async-tool");
      byId("read-only").hidden = !this.info.read_only;
      byId("nav-manager").hidden = this.info.has_manager === false;
      this.#show();
    } catch {
      // The stream says what is wrong with the connection.
    }
  }

  /**
   * Says something that was done, to be seen and heard for a while.
   *
   * @param {string} text
   */
  notice(text) {
    const notice = byId("notice");
    say(notice, text);
    notice.hidden = false;
    clearTimeout(this.noticed);
    this.noticed = setTimeout(() => {
      notice.hidden = true;
      say(notice, "");
    }, NOTICE);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      if (target.matches("input, textarea, select")) target.blur();
      else if (this.route.task || this.route.questions) this.go({ ...this.route, task: undefined, questions: false });
      return;
    }
    if (target.matches("input, textarea, select")) return;
    if (this.#shortcut(event)) event.preventDefault();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} true if the key means something
   */
  #shortcut(event) {
    const { route } = this;
    const session = route.session ?? this.session?.name ?? this.sessions.first;
    switch (event.key) {
      case "1":
        if (session) this.go({ ...route, view: "timeline", session, turn: undefined });
        return true;
      case "2":
        if (session) this.go({ ...route, view: "transcript", session });
        return true;
      case "3":
        this.go({ view: "manager" });
        return true;
      case "s":
        this.sessions.filter.focus();
        return true;
      case "q":
        if (route.session) this.go({ ...route, questions: true, task: undefined });
        return true;
      case "m":
        this.view.write();
        return true;
      case "?":
        showKeys();
        return true;
      default:
        return route.view === "timeline" && this.view.timeline.shortcut(event);
    }
  }
}

const app = new App();
// The tests of the page read the times of its drawings.
Reflect.set(globalThis, "inspector", app);
app.start();
