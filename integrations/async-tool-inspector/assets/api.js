/** @file Requests to the server. */

/** Refusal of the server, or its silence. */
export class RequestError extends Error {
  /**
   * @param {number} status 0 if the server was not reached
   * @param {string} kind
   * @param {string} message
   */
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

/**
 * Time after which a request counts as failed, in milliseconds: a process that is stopped answers nothing.
 */
const PATIENCE = 15_000;

/**
 * Asks for a value.
 *
 * @param {string} name
 * @param {Record<string, string | number | undefined>} [query]
 * @returns {Promise<any>}
 */
export function ask(name, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = given.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join("&");
  return request(text ? `api/${name}?${text}` : `api/${name}`, {});
}

/**
 * Sends a value.
 *
 * @param {string} name
 * @param {unknown} body
 * @returns {Promise<any>}
 */
export function post(name, body) {
  const head = { "content-type": "application/json" };
  return request(`api/${name}`, { method: "POST", headers: head, body: JSON.stringify(body) });
}

/**
 * @param {string} address
 * @param {RequestInit} init
 */
async function request(address, init) {
  let response;
  try {
    response = await fetch(address, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE), ...init });
  } catch {
    throw new RequestError(0, "unreachable", "the process doesn't answer");
  }
  /** @type {any} */
  let value;
  try {
    value = await response.json();
  } catch {
    value = undefined;
  }
  if (response.ok && value !== undefined) return value;
  const { kind = "internal", message = `the server answered ${response.status}` } = value?.error ?? {};
  throw new RequestError(response.status, kind, message);
}
