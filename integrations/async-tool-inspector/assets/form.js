/** @file Form for a value, made of its JSON Schema. */

import { h } from "./dom.js";
import { fieldOf, read } from "./field.js";

/** @typedef {import("./field.js").Field} Field */

/**
 * Part of a form. `read` gives the value, or shows what is wrong with it and throws.
 *
 * @typedef {object} Part
 * @property {Element} element
 * @property {() => unknown} read the value; `ABSENT` for none
 */

const ABSENT = Symbol("no value");

/** Error of a form: some field shows why. */
export class FormError extends Error {}

let fields = 0;

/**
 * Makes a form for a schema.
 *
 * @param {import("./field.js").Schema} schema
 * @param {string} label name of the value as a whole
 * @returns {{element: Element, read: () => unknown}}
 */
export function formOf(schema, label) {
  const field = fieldOf(schema);
  const part = render({ ...field, title: field.title || label });
  return {
    element: part.element,
    read() {
      try {
        const value = part.read();
        if (value === ABSENT) throw new FormError("a value is needed");
        return value;
      } catch (error) {
        /** @type {HTMLElement | null} */ (part.element.querySelector('[aria-invalid="true"]'))?.focus();
        throw error;
      }
    },
  };
}

/**
 * Reads parts, so that each shows what is wrong with it; throws the first error.
 *
 * @param {Part[]} parts
 */
function readAll(parts) {
  /** @type {unknown} */
  let first;
  const values = parts.map((part) => {
    try {
      return part.read();
    } catch (error) {
      first ??= error;
      return ABSENT;
    }
  });
  if (first !== undefined) throw first;
  return values;
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function render(field) {
  switch (field.kind) {
    case "constant":
      return constant(field);
    case "switch":
      return toggle(field);
    case "choice":
      return choice(field);
    case "group":
      return optional(field, group);
    case "list":
      return list(field);
    case "variants":
      return optional(field, variants);
    default:
      return typed(field);
  }
}

/**
 * @param {Field} field
 * @param {Element} control
 * @param {string} id
 * @param {Element | null} [error]
 */
function labelled(field, control, id, error = null) {
  control.id = id;
  const hint = field.hint ? h("span", { class: "hint", id: `${id}-hint` }, field.hint) : null;
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  if (described) control.setAttribute("aria-describedby", described);
  if (error) error.id = `${id}-error`;
  const need = field.required ? null : h("span", { class: "optional" }, " optional");
  return h("div", { class: "field" }, h("label", { class: "field-name", for: id }, field.title, need), control, hint, error);
}

function nextId() {
  fields += 1;
  return `field-${fields}`;
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function typed(field) {
  const id = nextId();
  const given = field.value;
  const text = given === undefined || given === null ? "" : field.kind === "text" ? String(given) : JSON.stringify(given);
  const { schema } = field;
  const isLong = field.kind === "json" || (field.kind === "text" && ((schema.maxLength ?? 0) > 200 || schema.contentMediaType));
  const control = isLong
    ? h("textarea", { rows: field.kind === "json" ? 5 : 4, spellcheck: false, placeholder: field.kind === "json" ? "JSON" : "" })
    : h("input", { type: "text", autocomplete: "off", inputMode: field.kind === "number" ? "decimal" : "text" });
  control.value = text;
  const error = h("span", { class: "refusal", role: "alert" });
  if (field.required) control.setAttribute("aria-required", "true");
  return {
    element: labelled(field, control, id, error),
    read() {
      const found = read(field, control.value);
      error.textContent = found.error ?? "";
      control.setAttribute("aria-invalid", String(found.error !== undefined));
      if (found.error !== undefined) {
        throw new FormError(`${field.title}: ${found.error}`);
      }
      return found.absent ? ABSENT : found.value;
    },
  };
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function constant(field) {
  const text = typeof field.value === "string" ? field.value : JSON.stringify(field.value);
  const element = h("div", { class: "field" }, h("span", { class: "field-name" }, field.title), h("code", {}, text));
  return { element, read: () => field.value };
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function toggle(field) {
  // Three states: a person who has not chosen has not said no.
  const choices = [{ label: "yes", value: true }, { label: "no", value: false }];
  return choice({ ...field, choices });
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function choice(field) {
  const choices = field.choices ?? [];
  const id = nextId();
  const preset = choices.findIndex((choice) => JSON.stringify(choice.value) === JSON.stringify(field.value));
  const error = h("span", { class: "refusal", role: "alert" });
  const none = field.required && !field.nullable ? "choose…" : "none";
  const control = h("select", {}, h("option", { value: "" }, none),
    ...choices.map((choice, index) => h("option", { value: String(index), selected: index === preset }, choice.label)));
  return {
    element: labelled(field, control, id, error),
    read() {
      const isMissing = control.value === "" && field.required && !field.nullable;
      error.textContent = isMissing ? "needs a choice" : "";
      control.setAttribute("aria-invalid", String(isMissing));
      if (isMissing) {
        throw new FormError(`${field.title}: needs a choice`);
      }
      if (control.value === "") return field.required ? null : ABSENT;
      return choices[Number(control.value)].value;
    },
  };
}

/**
 * A group that may be absent has a switch.
 *
 * @param {Field} field
 * @param {(field: Field) => Part} make
 * @returns {Part}
 */
function optional(field, make) {
  if (field.required && !field.nullable) return make(field);
  const id = nextId();
  const part = make(field);
  const control = h("input", { type: "checkbox", id });
  const body = h("div", { hidden: true }, part.element);
  control.addEventListener("change", () => {
    body.hidden = !control.checked;
  });
  const element = h("div", { class: "field" }, h("label", { class: "check", for: id }, control, ` give ${field.title}`), body);
  return {
    element,
    read() {
      if (control.checked) return part.read();
      return field.required ? null : ABSENT;
    },
  };
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function group(field) {
  const parts = (field.fields ?? []).map((part) => ({ name: part.name, ...render(part) }));
  const hint = field.hint ? h("p", { class: "hint" }, field.hint) : null;
  const element = h("fieldset", {}, h("legend", {}, field.title), hint, ...parts.map((part) => part.element));
  return {
    element,
    read() {
      const values = readAll(parts);
      return Object.fromEntries(parts.map((part, place) => [part.name, values[place]]).filter(([, value]) => value !== ABSENT));
    },
  };
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function variants(field) {
  const id = nextId();
  const made = (field.fields ?? []).map((variant) => render({ ...variant, required: true, nullable: false }));
  const control = h("select", {}, ...(field.fields ?? []).map((variant, index) => h("option", { value: String(index) }, variant.title)));
  const bodies = made.map((part, index) => h("div", { hidden: index !== 0 }, part.element));
  control.addEventListener("change", () => {
    bodies.forEach((body, index) => {
      body.hidden = index !== Number(control.value);
    });
  });
  const element = h("div", { class: "variants" }, labelled(field, control, id), ...bodies);
  return { element, read: () => made[Number(control.value)].read() };
}

/**
 * @param {Field} field
 * @returns {Part}
 */
function list(field) {
  const item = /** @type {Field} */ (field.item);
  /** @type {Part[]} */
  const parts = [];
  const items = h("ol", { class: "items" });
  const error = h("span", { class: "refusal", role: "alert" });
  const add = (/** @type {unknown} */ value) => {
    const part = render({ ...item, title: `${field.title} ${parts.length + 1}`, value, required: true });
    const entry = h("li", {}, part.element, h("button", {
      type: "button", class: "tool", "aria-label": "Remove this item",
      onclick: () => {
        parts.splice(parts.indexOf(part), 1);
        entry.remove();
      },
    }, "×"));
    parts.push(part);
    items.append(entry);
  };
  const given = Array.isArray(field.value) ? field.value : [];
  given.forEach(add);
  for (let more = given.length; field.required && more < (field.schema.minItems ?? 0); more += 1) add(item.value);
  const button = h("button", { type: "button", onclick: () => add(item.value) }, "Add an item");
  const hint = field.hint ? h("p", { class: "hint" }, field.hint) : null;
  const need = field.required ? null : h("span", { class: "optional" }, " optional");
  const element = h("fieldset", {}, h("legend", {}, field.title, need), hint, items, button, error);
  return {
    element,
    read() {
      const values = readAll(parts);
      if (values.length === 0 && !field.required) return ABSENT;
      const { minItems = 0, maxItems = Infinity } = field.schema;
      const wrong = values.length < minItems ? `needs at least ${minItems} items` : values.length > maxItems ? `takes at most ${maxItems} items` : "";
      error.textContent = wrong;
      if (wrong) throw new FormError(`${field.title}: ${wrong}`);
      return values;
    },
  };
}
