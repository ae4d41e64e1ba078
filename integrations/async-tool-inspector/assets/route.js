/** @file Places of the page, as the part of the address behind `#`. */

/**
 * Place of the page.
 *
 * @typedef {object} Route
 * @property {"home" | "timeline" | "transcript" | "manager"} view
 * @property {string} [session]
 * @property {string} [task] id of the task whose panel is open
 * @property {number} [turn] turn of a transcript
 * @property {boolean} [questions] true if the questions are open
 */

/**
 * @param {string} hash with its `#`
 * @returns {Route}
 */
export function routeOf(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decoded);
  const given = new URLSearchParams(query);
  const [place, session, view] = parts;
  if (place === "manager") return { view: "manager" };
  if (place !== "s" || !session) return { view: "home" };
  const turn = Number(given.get("turn"));
  return {
    view: view === "transcript" ? "transcript" : "timeline",
    session,
    task: given.get("task") ?? undefined,
    turn: Number.isInteger(turn) && turn > 0 ? turn : undefined,
    questions: given.has("questions"),
  };
}

/**
 * @param {Route} route
 * @returns {string} with its `#`
 */
export function hashOf({ view, session, task, turn, questions }) {
  if (view === "manager") return "#/manager";
  if (view === "home" || !session) return "#/";
  const query = [task && `task=${encodeURIComponent(task)}`, turn && view === "transcript" && `turn=${turn}`, questions && "questions"].filter(Boolean).join("&");
  const path = `#/s/${encodeURIComponent(session)}${view === "transcript" ? "/transcript" : ""}`;
  return query ? `${path}?${query}` : path;
}

/**
 * Token of an address as the program prints it.
 *
 * @param {string} hash
 */
export function tokenOf(hash) {
  return /^#token=([\w-]+)/.exec(hash)?.[1];
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
