/** @file Session as the page knows it: the server's snapshot, with the changes since. */


/** @typedef {import("./phase.js").Phase} Phase */
/** @typedef {{input: number, cached: number, output: number, reasoning: number}} Tokens */

/**
 * Row of the list of sessions.
 *
 * @typedef {object} SessionRow
 * @property {string} session
 * @property {"agent" | "journal" | "tasks"} source
 * @property {string} state
 * @property {string[]} waits_for
 * @property {number} open_tasks
 * @property {number} tasks
 * @property {number} turns
 * @property {number} questions
 * @property {Tokens} [tokens]
 * @property {number} [began]
 * @property {number} [changed]
 * @property {string | null} [owner]
 * @property {string} [works_for]
 * @property {boolean} can_act
 * @property {string} [reason]
 */

/**
 * Task as the server sends it.
 *
 * @typedef {object} TaskRow
 * @property {string} task
 * @property {string} [number]
 * @property {string} tool
 * @property {number} [turn]
 * @property {string} [parent]
 * @property {string} status
 * @property {boolean} [own]
 * @property {string} [repeats]
 * @property {number} accepted
 * @property {number} [started]
 * @property {number} [settled]
 * @property {number} attempts
 * @property {Phase[]} phases
 * @property {{kind: string}} [waits_for]
 * @property {string} [words]
 * @property {{fraction?: number | null, message: string}} [progress]
 * @property {string} [arguments]
 * @property {string} [result]
 * @property {string} [error_kind]
 * @property {string} [delivery]
 * @property {string} [cancel]
 * @property {string} [group]
 * @property {{asking: string, kind: "approval" | "input", prompt?: string}} [asks]
 * @property {boolean} [deferred]
 * @property {string} [told]
 */

/**
 * @typedef {object} Turn
 * @property {number} turn
 * @property {string} cause
 * @property {number} from
 * @property {number} [to]
 * @property {"ended" | "interrupted" | "withdrawn" | "failed"} [end]
 * @property {string} text
 * @property {boolean} [cut]
 * @property {string} [reasoning]
 * @property {Tokens} [tokens]
 * @property {string[]} calls
 * @property {string} [by]
 * @property {string} [error]
 * @property {string[]} [ungrounded]
 * @property {number} [cuts]
 * @property {number} [retry_at]
 */

/** @typedef {{id: string, at: number, text: string, cut?: boolean, media?: number}} UserMessage */
/**
 * Way of a result to the model. `task` is an id or a number.
 *
 * @typedef {{at: number, task: string, turn?: number, how: string, reason?: string}} Delivery
 */
/** @typedef {{at: number, kind: string, text?: string}} Mark */
/** @typedef {{name: string, tasks: string[]}} Group */

/** Task, with its place in the tree. */
export class Task {
  /** @param {TaskRow} row */
  constructor(row) {
    this.row = row;
    /** @type {Task[]} */
    this.children = [];
    /** @type {Delivery[]} */
    this.deliveries = [];
  }

  get id() {
    return this.row.task;
  }

  /** Number of the task; empty for a child task. */
  get name() {
    return this.row.number ?? "";
  }

  get tool() {
    return this.row.tool;
  }

  get status() {
    return this.row.status;
  }

  get waits_for() {
    return this.row.waits_for;
  }

  get isEnded() {
    return this.row.settled !== undefined && this.row.settled !== null;
  }

  /** The phase that lasts; the last one of a task that has ended. */
  get phase() {
    const { phases } = this.row;
    return phases.length > 0 ? phases[phases.length - 1] : undefined;
  }
}

/** Session as the page knows it. */
export class Session {
  /** @param {any} view snapshot */
  constructor(view) {
    /** @type {string} */
    this.name = view.session;
    /** @type {SessionRow} */
    this.row = view.row;
    this.seq = 0;
    this.redacts = false;
    /** @type {string | null} */
    this.error = null;
    /** @type {UserMessage[]} */
    this.messages = [];
    /** @type {Turn[]} in order */
    this.turns = [];
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {Group[]} */
    this.groups = [];
    /** @type {Map<string, Task>} by id */
    this.tasks = new Map();
    /** @type {Map<string, Task>} by number */
    this.numbers = new Map();
    /** @type {Task[]} tasks without a parent here, in order */
    this.roots = [];
    /** @type {Map<string, Task[]>} children that came before their parent */
    this.orphans = new Map();
    /** @type {Map<string, Delivery>} */
    this.deliveries = new Map();
    /** @type {{turn: number, text: string, reasoning: string} | null} */
    this.live = null;
    /** Grows with each change. */
    this.version = 0;
    /** Grows when rows come, or go from one place to another. */
    this.structure = 0;
    /** Time of the first message, turn or task. */
    this.origin = Infinity;
    /** Latest time known. */
    this.latest = -Infinity;
    this.apply(view);
  }

  /**
   * Applies changes; a snapshot is one that has everything.
   *
   * @param {any} delta
   */
  apply(delta) {
    this.version += 1;
    for (const key of /** @type {const} */ (["row", "seq", "redacts", "error", "groups"])) {
      if (delta[key] !== undefined) Reflect.set(this, key, delta[key]);
    }
    for (const message of delta.user ?? []) {
      this.messages.push(message);
      this.#saw(message.at);
    }
    for (const mark of delta.marks ?? []) {
      this.marks.push(mark);
      // A session that waits for its first message has no beginning yet.
      this.latest = Math.max(this.latest, mark.at);
    }
    for (const turn of delta.turns ?? []) this.#turn(turn);
    for (const row of delta.tasks ?? []) this.#task(row);
    for (const delivery of delta.deliveries ?? []) this.#delivery(delivery);
    if (delta.live) this.#live(delta.live);
  }

  /** True while something may still happen: the axis then goes on with the clock. */
  get isOpen() {
    return !["closed", "stopped", "open"].includes(this.row.state) || this.hasOpenTasks;
  }

  /** True while a task of a live session has not ended. */
  get hasOpenTasks() {
    return this.row.source !== "journal" && this.row.open_tasks > 0;
  }

  /**
   * The turn that runs, if one does.
   *
   * @returns {Turn | undefined}
   */
  get running() {
    const last = this.turns[this.turns.length - 1];
    return last && !last.end ? last : undefined;
  }

  /** @param {Turn} turn */
  #turn(turn) {
    this.#saw(turn.from);
    this.#saw(turn.to);
    if (turn.end && this.live?.turn === turn.turn) this.live = null;
    const last = this.turns[this.turns.length - 1];
    if (!last || last.turn < turn.turn) {
      this.turns.push(turn);
      return;
    }
    const place = this.turns.findIndex((known) => known.turn >= turn.turn);
    this.turns.splice(place, this.turns[place].turn === turn.turn ? 1 : 0, turn);
  }

  /** @param {TaskRow} row */
  #task(row) {
    this.#saw(row.accepted);
    this.#saw(row.settled);
    const known = this.tasks.get(row.task);
    if (known) {
      known.row = row;
      return;
    }
    const task = new Task(row);
    this.tasks.set(task.id, task);
    if (row.number) this.numbers.set(row.number, task);
    this.structure += 1;
    const waiting = this.orphans.get(task.id);
    if (waiting) {
      task.children = waiting;
      this.orphans.delete(task.id);
      const moved = new Set(waiting);
      this.roots = this.roots.filter((root) => !moved.has(root));
    }
    const parent = row.parent && row.parent !== row.task ? this.tasks.get(row.parent) : undefined;
    if (parent) {
      insert(parent.children, task);
      return;
    }
    insert(this.roots, task);
    if (row.parent && row.parent !== row.task) {
      const others = this.orphans.get(row.parent) ?? [];
      insert(others, task);
      this.orphans.set(row.parent, others);
    }
  }

  /** @param {Delivery} delivery */
  #delivery(delivery) {
    const key = `${delivery.task} ${delivery.how}`;
    const task = this.tasks.get(delivery.task) ?? this.numbers.get(delivery.task);
    if (task) {
      const place = task.deliveries.findIndex((known) => known.how === delivery.how);
      if (place < 0) task.deliveries.push(delivery);
      else task.deliveries[place] = delivery;
    }
    this.deliveries.set(key, delivery);
    this.#saw(delivery.at);
  }

  /** @param {{turn: number, text?: string, reasoning?: string, more?: string, more_reasoning?: string}} live */
  #live(live) {
    const known = this.live?.turn === live.turn ? this.live : { turn: live.turn, text: "", reasoning: "" };
    if (live.text !== undefined) known.text = live.text;
    if (live.more !== undefined) known.text += live.more;
    if (live.reasoning !== undefined) known.reasoning = live.reasoning;
    if (live.more_reasoning !== undefined) known.reasoning += live.more_reasoning;
    this.live = known;
  }

  /** @param {number | null | undefined} at */
  #saw(at) {
    if (typeof at !== "number") return;
    this.origin = Math.min(this.origin, at);
    this.latest = Math.max(this.latest, at);
  }
}

/**
 * Inserts a task in the order of acceptance. Tasks come nearly in order, so the search begins at the end.
 *
 * @param {Task[]} tasks
 * @param {Task} task
 */
function insert(tasks, task) {
  let place = tasks.length;
  while (place > 0 && tasks[place - 1].row.accepted > task.row.accepted) place -= 1;
  tasks.splice(place, 0, task);
}
