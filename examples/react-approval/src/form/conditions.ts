/**
 * Which branch of an if/then/else applies to what was typed, so that the form can mark what has become required.
 *
 * It judges nothing: complaints come from the server alone. Schemas are interpreted, not compiled to code: a page that
 * turns strings into code (`unsafe-eval`) gives up half of its protection. A condition that cannot be told here (Python
 * has patterns that JavaScript has not) changes nothing in the form; the server knows.
 */

import { Validator } from "@cfworker/json-schema";
import { type Schema, isObject, resolve, without } from "./schema";

/** Tell whether what a schema wants depends on what was typed. */
export function isConditional(schema: Schema, root: Schema): boolean {
  const found = resolve(schema, root);
  return typeof found !== "string" && found.if !== undefined;
}

/** The schema with the branch that applies to `value` put into it. */
export function withConditions(schema: Schema, value: unknown, root: Schema): Schema {
  const found = resolve(schema, root);
  if (typeof found === "string" || found.if === undefined) return schema;
  const holds = fits(found.if, value, root);
  const branch = holds === null ? null : holds ? found.then : found.else;
  const base = without(found, "if", "then", "else");
  if (!isObject(branch)) return base;
  return {
    ...base,
    properties: { ...propertiesOf(base), ...merged(propertiesOf(base), propertiesOf(branch)) },
    required: [...listOf(base.required), ...listOf(branch.required)],
  };
}

/** Tell whether a value fits, or null if that cannot be told in a browser. */
function fits(schema: unknown, value: unknown, root: Schema): boolean | null {
  if (typeof schema === "boolean") return schema;
  if (!isObject(schema)) return null;
  try {
    // The part is judged alone, so it takes along what its references point to.
    const defs = { ...(isObject(root.$defs) ? root.$defs : {}), ...(isObject(schema.$defs) ? schema.$defs : {}) };
    return new Validator({ ...schema, $defs: defs }, "2020-12").validate(value ?? null).valid;
  } catch {
    return null;
  }
}

function propertiesOf(schema: Schema): Schema {
  return isObject(schema.properties) ? schema.properties : {};
}

function merged(base: Schema, more: Schema): Schema {
  return Object.fromEntries(
    Object.entries(more).map(([name, member]) => {
      const before = Object.hasOwn(base, name) ? base[name] : {};
      return [name, isObject(member) && isObject(before) ? { ...before, ...member } : isObject(member) ? member : before];
    }),
  );
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
