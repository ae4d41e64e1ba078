/**
 * @file Elements of the page. Text of tools, users and models gets here only as text: no function takes HTML.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Creates an element.
 *
 * Properties that begin with `on` are listeners, `class` and names with a hyphen are attributes, and the others are
 * properties of the element. `undefined`, `null` and `false` attributes are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class" || key === "for" || key === "role" || key.includes("-")) {
      element.setAttribute(key, value === true ? "" : String(value));
    } else Reflect.set(element, key, value);
  }
  append(element, children);
  return element;
}

/**
 * Replaces the content of an element.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "number" ? String(child) : child);
  }
}

/**
 * Sets the text of an element, if it differs: an unchanged text causes no layout, and a screen reader says nothing.
 *
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Finds an element that the page has.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element #${id}`);
  return element;
}
