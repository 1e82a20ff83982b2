/**
 * What a JSON Schema asks for, as far as a form can show it. Pure, one level at a time, so that recursive schemas end.
 *
 * Nothing is judged here but what kind of thing is wanted: whether an answer fits is for the server to say. What is not
 * understood becomes `json`: the form says so and takes JSON.
 */

import { words } from "../model/format";

export type Schema = Readonly<Record<string, unknown>>;

export interface Option {
  label: string;
  value: unknown;
}

export interface Member {
  name: string;
  schema: Schema;
  required: boolean;
}

export type Part =
  | { kind: "text"; format: string | null }
  /** `asText`: the schema takes text too, so no digit need be lost (a Python `Decimal`). */
  | { kind: "number"; integer: boolean; asText: boolean }
  | { kind: "boolean" }
  | { kind: "choice"; options: Option[] }
  | { kind: "null" }
  | { kind: "group"; members: Member[] }
  | { kind: "tuple"; items: Schema[] }
  | { kind: "list"; item: Schema }
  | { kind: "map"; value: Schema }
  | { kind: "union"; branches: Branch[] }
  | { kind: "json"; why: string };

export interface Branch {
  label: string;
  schema: Schema;
  /** The members that name the branch: choosing it says them. */
  fixed: Schema;
}

export interface Wanted {
  title: string | null;
  help: string | null;
  nullable: boolean;
  /** Undefined where the schema names none. */
  default: unknown;
  part: Part;
}

const MAX_REFERENCES = 32;
const ENDLESS = "something that is defined by itself";

export function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Read a member that is the object's own: `constructor` is no member of `{}`. */
export function own(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Leave members out. */
export function without(schema: Schema, ...names: string[]): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !names.includes(name)));
}

/** Say what a schema wants. `root` is the document that its references point into. */
export function wantedBy(schema: unknown, root: Schema, depth = 0): Wanted {
  const found = depth > MAX_REFERENCES ? ENDLESS : resolve(schema, root);
  if (typeof found === "string") return wanted({}, false, { kind: "json", why: found });
  const alternatives = alternativesOf(found);
  if (!alternatives) return wanted(found, Array.isArray(found.enum) && found.enum.includes(null), partOf(found));
  const some = alternatives.filter((each) => !isNull(each, root));
  const nullable = some.length < alternatives.length;
  const [only] = some;
  if (only === undefined) return wanted(found, false, { kind: "null" });
  if (some.length === 1) {
    const inner = wantedBy(only, root, depth + 1);
    const outer = wanted(found, true, inner.part);
    return { ...outer, title: outer.title ?? inner.title, help: outer.help ?? inner.help, nullable: nullable || inner.nullable };
  }
  return wanted(found, nullable, decimalOf(some, root) ?? choiceOf(some, root) ?? unionOf(some, root));
}

function wanted(schema: Schema, nullable: boolean, part: Part): Wanted {
  return {
    title: textOf(schema.title),
    help: textOf(schema.description),
    nullable,
    default: own(schema, "default"),
    part,
  };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** Follow references; what stands beside a `$ref` comes on top of what it points to. A text says why it cannot be done. */
export function resolve(schema: unknown, root: Schema): Schema | string {
  let found: unknown = schema;
  let beside: Schema = {};
  for (let n = 0; n < MAX_REFERENCES; n += 1) {
    if (found === true) return beside;
    if (!isObject(found)) return "something that no value fits";
    const [single] = Array.isArray(found.allOf) && found.allOf.length === 1 ? (found.allOf as unknown[]) : [];
    const reference: unknown = found.$ref;
    if (typeof reference !== "string" && single === undefined) return { ...found, ...beside };
    beside = { ...without(found, "$ref", ...(single === undefined ? [] : ["allOf"])), ...beside };
    found = typeof reference === "string" ? lookUp(reference, root) : single;
    if (found === undefined) return "a part of the schema that is not there";
  }
  return ENDLESS;
}

function lookUp(reference: string, root: Schema): unknown {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  let found: unknown = root;
  for (const part of reference.slice(2).split("/")) {
    found = own(found, decode(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `anyOf`, `oneOf` and a list of types all say: one of these. */
function alternativesOf(schema: Schema): unknown[] | null {
  if (Array.isArray(schema.anyOf)) return schema.anyOf as unknown[];
  if (Array.isArray(schema.oneOf)) return schema.oneOf as unknown[];
  if (!Array.isArray(schema.type)) return null;
  const rest = without(schema, "title", "description", "default");
  return (schema.type as unknown[]).map((type) => ({ ...rest, type }));
}

function isNull(schema: unknown, root: Schema): boolean {
  const found = resolve(schema, root);
  return typeof found !== "string" && (found.type === "null" || found.const === null);
}

/** A number, or the text of one: text, so that no digit is lost. */
function decimalOf(alternatives: unknown[], root: Schema): Part | null {
  const found = alternatives.map((each) => resolve(each, root));
  if (found.length !== 2 || !found.every(isObject)) return null;
  const isDecimal = found.some(({ type }) => type === "number") && found.some(({ type, format }) => type === "string" && format === "decimal");
  return isDecimal ? { kind: "number", integer: false, asText: true } : null;
}

function choiceOf(alternatives: unknown[], root: Schema): Part | null {
  const options: Option[] = [];
  for (const each of alternatives) {
    const found = resolve(each, root);
    if (typeof found === "string") return null;
    const some = optionsOf(found);
    if (!some) return null;
    options.push(...some);
  }
  return { kind: "choice", options };
}

function optionsOf(schema: Schema): Option[] | null {
  if ("const" in schema) return [{ label: textOf(schema.title) ?? labelOf(schema.const), value: schema.const }];
  if (!Array.isArray(schema.enum) || schema.enum.length === 0) return null;
  return (schema.enum as unknown[]).map((value) => ({ label: labelOf(value), value }));
}

/** Say a value in words. */
export function labelOf(value: unknown): string {
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return typeof value === "string" ? value || "(empty)" : JSON.stringify(value);
}

function unionOf(alternatives: unknown[], root: Schema): Part {
  const found = alternatives.map((each) => resolve(each, root));
  const tags = tagsOf(found);
  const branches = found.map((each, index): Branch => {
    const schema = typeof each === "string" ? {} : each;
    const fixed = Object.fromEntries(tags.map((name) => [name, own(own(own(schema, "properties"), name), "const")]));
    return { label: branchLabel(schema, fixed, index, root), schema: isObject(alternatives[index]) ? alternatives[index] : {}, fixed };
  });
  const labels = branches.map(({ label }) => label);
  for (const [index, branch] of branches.entries()) {
    if (labels.indexOf(branch.label) !== index) branch.label += ` (${index + 1})`;
  }
  return { kind: "union", branches };
}

/** The members that have a value of their own in every branch. */
function tagsOf(branches: (Schema | string)[]): string[] {
  const [first] = branches;
  const names = isObject(first) && isObject(first.properties) ? Object.keys(first.properties) : [];
  return names.filter((name) => branches.every((branch) => own(own(own(branch, "properties"), name), "const") !== undefined));
}

const KINDS: Record<Part["kind"], string> = {
  text: "Text",
  number: "Number",
  boolean: "Yes or no",
  choice: "One of several",
  null: "Nothing",
  group: "Several fields",
  tuple: "A fixed list",
  list: "A list",
  map: "Names and values",
  union: "One of several kinds",
  json: "Something else",
};

function branchLabel(schema: Schema, fixed: Schema, index: number, root: Schema): string {
  const said = Object.values(fixed).map(labelOf).join(", ");
  const title = textOf(schema.title);
  if (said !== "") return title === null || title.toLowerCase() === said.toLowerCase() ? (title ?? said) : `${title} (${said})`;
  const options = optionsOf(schema);
  if (options?.length === 1 && options[0]) return options[0].label;
  if (title !== null) return title;
  // Only the outermost kind: a branch may contain the union itself.
  const { part } = Array.isArray(schema.anyOf) || Array.isArray(schema.oneOf) ? { part: null } : wantedBy(schema, root);
  if (part?.kind === "number" && part.integer) return "Whole number";
  if (part?.kind === "text" && part.format !== null) return words(part.format);
  return part ? KINDS[part.kind] : `Kind ${index + 1}`;
}

function partOf(schema: Schema): Part {
  // The title of a single value is the field's; null is for what wants it to say.
  const options = optionsOf("const" in schema ? without(schema, "title") : schema)?.filter(({ value }) => value !== null);
  if (options && options.length > 0) return { kind: "choice", options };
  if (Array.isArray(schema.allOf)) return { kind: "json", why: "a combination of several schemas" };
  switch (schema.type ?? guessType(schema)) {
    case "string":
      return { kind: "text", format: textOf(schema.format) };
    case "integer":
    case "number":
      return { kind: "number", integer: schema.type === "integer", asText: false };
    case "boolean":
      return { kind: "boolean" };
    case "null":
      return { kind: "null" };
    case "array":
      return arrayOf(schema);
    case "object":
      return objectOf(schema);
    default:
      return { kind: "json", why: "a value of any kind" };
  }
}

function guessType(schema: Schema): string | undefined {
  if (isObject(schema.properties)) return "object";
  return "prefixItems" in schema || "items" in schema ? "array" : undefined;
}

function arrayOf(schema: Schema): Part {
  const { prefixItems, items } = schema;
  if (Array.isArray(prefixItems)) {
    const closed = items === undefined || items === false || schema.maxItems === prefixItems.length;
    const fixed = prefixItems.map((each) => (isObject(each) ? each : {}));
    return closed ? { kind: "tuple", items: fixed } : { kind: "json", why: "a list that begins in a fixed way" };
  }
  return isObject(items) && Object.keys(items).length > 0
    ? { kind: "list", item: items }
    : { kind: "json", why: "a list of values of any kind" };
}

function objectOf(schema: Schema): Part {
  const { properties, additionalProperties } = schema;
  if (isObject(properties) && Object.keys(properties).length > 0) {
    if (isObject(additionalProperties) || additionalProperties === true || "patternProperties" in schema) {
      return { kind: "json", why: "an object with members of any name" };
    }
    const required = Array.isArray(schema.required) ? (schema.required as unknown[]) : [];
    return {
      kind: "group",
      members: Object.entries(properties).map(([name, member]) => ({
        name,
        schema: isObject(member) ? member : {},
        required: required.includes(name),
      })),
    };
  }
  if (isObject(additionalProperties) && !("patternProperties" in schema)) return { kind: "map", value: additionalProperties };
  if (additionalProperties === false) return { kind: "group", members: [] };
  return { kind: "json", why: "an object with members of any name" };
}
