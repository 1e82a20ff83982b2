/** Passwords and their like in what a person fills in: neither kept on the device nor saved as a draft. Pure. */
import { isObject } from "./problem.js";
import type { InputRow } from "./protocol.js";

/** What a request calls secret: members by name, wherever they stand, and (the empty name) the whole of a value. */
const found = new WeakMap<InputRow, ReadonlySet<string>>();

/** The value without what the request's forms and schemas call secret; undefined if that is all of it. */
export function withoutSecrets(value: unknown, request: InputRow): unknown {
  let names = found.get(request);
  if (names === undefined) {
    const { form, schema, choices } = request;
    names = new Set([form, schema, ...Object.values(choices).flatMap((choice) => [choice.form, choice.schema])].flatMap(secretsOf));
    found.set(request, names);
  }
  return names.size === 0 ? value : without(value, names);
}

function without(value: unknown, names: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, names));
  if (!isObject(value)) return names.has("") ? undefined : value;
  const whole = names.has("") ? new Set([...names].filter((name) => name !== "")) : names;
  return Object.fromEntries(Object.entries(value).flatMap(([name, member]) => (names.has(name) ? [] : [[name, without(member, whole)]])));
}

/** The names of what is secret in a form (a list of fields) or in a JSON Schema. */
function secretsOf(root: unknown): string[] {
  const names = new Set<string>();
  const seen = new Set<string>();
  const walk = (node: unknown, above: string): void => {
    if (Array.isArray(node)) {
      for (const item of node) walk(item, above);
      return;
    }
    if (!isObject(node)) return;
    const { kind, name: own, properties, $ref: ref, format, writeOnly } = node;
    const name = typeof kind === "string" && typeof own === "string" && !/^(\*|\d+)$/.test(own) ? own : above;
    if (kind === "password" || format === "password" || writeOnly === true) names.add(name);
    if (isObject(properties)) for (const [member, schema] of Object.entries(properties)) walk(schema, member);
    if (typeof ref === "string" && !seen.has(`${name} ${ref}`)) {
      seen.add(`${name} ${ref}`);
      walk(referred(root, ref), name);
    }
    for (const [part, inner] of Object.entries(node)) if (part !== "properties" && part !== "$defs") walk(inner, name);
  };
  walk(root, "");
  return [...names];
}

/** What a reference within the same schema leads to. */
function referred(root: unknown, ref: string): unknown {
  let at = root;
  for (const part of ref.split("/").slice(1)) at = isObject(at) ? at[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  return at;
}
