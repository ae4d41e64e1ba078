/** @file Fields of a form, made of a JSON Schema. Without a document, so that Node can test it. */

/** @typedef {Record<string, any> | boolean | undefined} Schema */

/**
 * Field of a form.
 *
 * @typedef {object} Field
 * @property {"text" | "number" | "switch" | "choice" | "group" | "list" | "variants" | "constant" | "json"} kind
 * @property {string} name empty for the answer as a whole
 * @property {string} title
 * @property {string} hint description, and the bounds of the value in words
 * @property {boolean} required
 * @property {boolean} nullable
 * @property {unknown} [value] default
 * @property {Record<string, any>} schema
 * @property {{label: string, value: unknown}[]} [choices]
 * @property {Field[]} [fields] of a group, or one for each variant
 * @property {Field} [item] of a list
 * @property {boolean} [open] true if a group takes further names
 */

/** Deepest nesting that is shown as fields; below it, a field takes JSON. Also ends schemas that contain themselves. */
const DEEPEST = 6;

/**
 * Makes the field of a schema.
 *
 * @param {Schema} schema
 * @returns {Field}
 */
export function fieldOf(schema) {
  return make(schema, { root: schema, name: "", required: true, depth: 0 });
}

/**
 * @param {Schema} raw
 * @param {{root: Schema, name: string, required: boolean, depth: number}} place
 * @returns {Field}
 */
function make(raw, place) {
  const { schema, nullable } = plain(resolve(raw, place.root), place.root);
  /** @type {Field} */
  const field = {
    kind: "json",
    name: place.name,
    title: typeof schema.title === "string" && place.name === "" ? schema.title : place.name,
    hint: hintOf(schema),
    required: place.required,
    nullable,
    value: schema.default,
    schema,
  };
  if (place.depth > DEEPEST) return field;
  const below = (/** @type {Schema} */ part, /** @type {string} */ name, /** @type {boolean} */ required) =>
    make(part, { root: place.root, name, required, depth: place.depth + 1 });

  if (Object.hasOwn(schema, "const")) return { ...field, kind: "constant", value: schema.const };
  const choices = choicesOf(schema, place.root);
  if (choices) return { ...field, kind: "choice", choices };
  const variants = schema.oneOf ?? schema.anyOf;
  if (Array.isArray(variants) && variants.length > 0) {
    const common = Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "oneOf" && key !== "anyOf"));
    const fields = variants.map((variant, index) => {
      const whole = merged(common, resolve(variant, place.root));
      const made = below(whole, place.name, place.required);
      return { ...made, title: nameOf(whole, index) };
    });
    return { ...field, kind: "variants", fields };
  }
  switch (typeOf(schema)) {
    case "string":
      return { ...field, kind: "text" };
    case "integer":
    case "number":
      return { ...field, kind: "number" };
    case "boolean":
      return { ...field, kind: "switch" };
    case "null":
      return { ...field, kind: "constant", value: null };
    case "object": {
      const required = new Set(Array.isArray(schema.required) ? schema.required : []);
      const properties = Object.entries(schema.properties ?? {});
      // A map has no names of its own.
      if (properties.length === 0 && schema.additionalProperties) return field;
      const fields = properties.map(([name, part]) => below(/** @type {Schema} */ (part), name, required.has(name)));
      return { ...field, kind: "group", fields };
    }
    case "array": {
      if (Array.isArray(schema.prefixItems) || schema.items === undefined || schema.items === true) return field;
      return { ...field, kind: "list", item: below(schema.items, "", true) };
    }
    default:
      return field;
  }
}

/**
 * Follows `$ref` inside the schema, and joins `allOf`.
 *
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {Record<string, any>}
 */
function resolve(schema, root) {
  let current = /** @type {Record<string, any>} */ (schema && typeof schema === "object" ? schema : {});
  // A reference may lead to itself.
  for (let step = 0; step < 16 && typeof current.$ref === "string"; step += 1) {
    const { $ref: reference, ...rest } = current;
    current = { ...at(root, reference), ...rest };
  }
  if (Array.isArray(current.allOf)) {
    const { allOf, ...rest } = current;
    current = allOf.reduce((whole, part) => merged(whole, resolve(part, root)), rest);
  }
  return current;
}

/**
 * @param {Record<string, any>} one
 * @param {Record<string, any>} other
 */
function merged(one, other) {
  const both = { ...one, ...other };
  if (one.properties && other.properties) both.properties = { ...one.properties, ...other.properties };
  if (one.required && other.required) both.required = [...one.required, ...other.required];
  return both;
}

/**
 * @param {Schema} root
 * @param {string} reference
 * @returns {Record<string, any>}
 */
function at(root, reference) {
  if (!reference.startsWith("#")) return {};
  /** @type {any} */
  let found = root;
  for (const part of reference.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    found = found && typeof found === "object" && Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return found && typeof found === "object" ? found : {};
}

/**
 * Takes `null` out of a schema: a field is left empty instead.
 *
 * @param {Record<string, any>} schema
 * @param {Schema} root
 */
function plain(schema, root) {
  if (Array.isArray(schema.type) && schema.type.includes("null")) {
    const types = schema.type.filter((/** @type {string} */ type) => type !== "null");
    return { schema: { ...schema, type: types.length === 1 ? types[0] : types }, nullable: true };
  }
  for (const word of ["anyOf", "oneOf"]) {
    const parts = schema[word];
    if (!Array.isArray(parts)) continue;
    const rest = parts.filter((part) => resolve(part, root).type !== "null");
    if (rest.length === parts.length || rest.length === 0) continue;
    const { [word]: _, ...others } = schema;
    const whole = rest.length === 1 ? { ...resolve(rest[0], root), ...others } : { ...others, [word]: rest };
    return { schema: whole, nullable: true };
  }
  return { schema, nullable: false };
}

/** @param {Record<string, any>} schema */
function typeOf(schema) {
  if (typeof schema.type === "string") return schema.type;
  if (schema.properties) return "object";
  if (schema.items) return "array";
  return undefined;
}

/**
 * Choices of an enumeration, which may be written as variants with one constant each.
 *
 * @param {Record<string, any>} schema
 * @param {Schema} root
 */
function choicesOf(schema, root) {
  if (Array.isArray(schema.enum)) {
    return schema.enum.map((value) => ({ label: labelOf(value), value }));
  }
  const variants = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(variants) || variants.length === 0) return undefined;
  const choices = [];
  for (const variant of variants) {
    const part = resolve(variant, root);
    if (Object.hasOwn(part, "const")) {
      choices.push({ label: part.title ?? described(labelOf(part.const), part.description), value: part.const });
    } else if (Array.isArray(part.enum) && !part.properties) {
      choices.push(...part.enum.map((value) => ({ label: labelOf(value), value })));
    } else return undefined;
  }
  return choices;
}

/** @param {unknown} value */
function labelOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * @param {string} label
 * @param {unknown} description
 */
function described(label, description) {
  return typeof description === "string" ? `${label}: ${description}` : label;
}

/**
 * Name of a variant: its title, the constant or the only name in it, or its type.
 *
 * @param {Record<string, any>} schema
 * @param {number} index
 */
function nameOf(schema, index) {
  if (typeof schema.title === "string") return schema.title;
  const properties = Object.entries(schema.properties ?? {});
  const constant = properties.find(([, part]) => part && typeof part === "object" && Object.hasOwn(part, "const"));
  if (constant) return labelOf(constant[1].const);
  if (properties.length === 1) return properties[0][0];
  return typeOf(schema) ?? `variant ${index + 1}`;
}

/** @param {Record<string, any>} schema */
function hintOf(schema) {
  /** @type {string[]} */
  const bounds = [];
  const { minimum, maximum, minLength, maxLength, minItems, maxItems } = schema;
  range(bounds, "from", minimum, "to", maximum, "");
  range(bounds, "at least", minLength, "at most", maxLength, " characters");
  range(bounds, "at least", minItems, "at most", maxItems, " items");
  if (schema.exclusiveMinimum !== undefined) bounds.push(`above ${schema.exclusiveMinimum}`);
  if (schema.exclusiveMaximum !== undefined) bounds.push(`below ${schema.exclusiveMaximum}`);
  if (schema.pattern !== undefined) bounds.push(`pattern ${schema.pattern}`);
  const description = typeof schema.description === "string" ? schema.description.trim() : "";
  return [description, bounds.join(", ")].filter(Boolean).join(" · ");
}

/**
 * @param {string[]} bounds
 * @param {string} low
 * @param {unknown} least
 * @param {string} high
 * @param {unknown} most
 * @param {string} unit
 */
function range(bounds, low, least, high, most, unit) {
  const parts = [];
  if (typeof least === "number") parts.push(`${low} ${least}`);
  // Formats of integers are written as bounds that tell people nothing.
  if (typeof most === "number" && most < 2 ** 31 - 1) parts.push(`${high} ${most}`);
  if (parts.length > 0 && !(parts.length === 1 && least === 0 && unit === "")) bounds.push(parts.join(" ") + unit);
}

/**
 * Reads what a person has typed into a text, number or JSON field.
 *
 * @param {Field} field
 * @param {string} typed
 * @returns {{value?: unknown, absent?: true, error?: string}}
 */
export function read(field, typed) {
  const { schema } = field;
  if (field.kind === "text") {
    // An empty text is a value where no value may be absent.
    if (typed === "" && field.nullable) return field.required ? { value: null } : { absent: true };
    if (typed === "" && !field.required) return { absent: true };
    const length = Array.from(typed).length;
    if (typeof schema.minLength === "number" && length < schema.minLength) {
      return { error: typed === "" ? "needs a text" : `needs at least ${schema.minLength} characters` };
    }
    if (typeof schema.maxLength === "number" && length > schema.maxLength) {
      return { error: `takes at most ${schema.maxLength} characters, not ${length}` };
    }
    if (typeof schema.pattern === "string" && !matches(schema.pattern, typed)) {
      return { error: `doesn't match the pattern ${schema.pattern}` };
    }
    return { value: typed };
  }
  const text = typed.trim();
  if (text === "") {
    if (!field.required) return { absent: true };
    return field.nullable ? { value: null } : { error: field.kind === "number" ? "needs a number" : "needs a value" };
  }
  if (field.kind === "number") return number(schema, text);
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { error: `isn't JSON: ${error instanceof Error ? error.message : error}` };
  }
}

/**
 * @param {Record<string, any>} schema
 * @param {string} text
 */
function number(schema, text) {
  const value = Number(text);
  if (!Number.isFinite(value)) return { error: "isn't a number" };
  if (typeOf(schema) === "integer") {
    if (!Number.isInteger(value)) return { error: "takes whole numbers" };
    // JSON.stringify would send another number than was typed.
    if (!Number.isSafeInteger(value)) return { error: "is too large for this page" };
  }
  if (typeof schema.minimum === "number" && value < schema.minimum) return { error: `must be at least ${schema.minimum}` };
  if (typeof schema.maximum === "number" && value > schema.maximum) return { error: `must be at most ${schema.maximum}` };
  if (typeof schema.exclusiveMinimum === "number" && value <= schema.exclusiveMinimum) {
    return { error: `must be above ${schema.exclusiveMinimum}` };
  }
  if (typeof schema.exclusiveMaximum === "number" && value >= schema.exclusiveMaximum) {
    return { error: `must be below ${schema.exclusiveMaximum}` };
  }
  return { value };
}

/**
 * @param {string} pattern
 * @param {string} text
 */
function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    // Patterns of other dialects are the server's to check.
    return true;
  }
}
