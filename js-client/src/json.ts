/** Writing JSON without losing anything on the way: what JSON has no words for is an error, not a null or an empty object. */
import { SignoffError, localProblem } from "./problem.js";

/**
 * Write a value as JSON; throws a SignoffError (`not_json`) where that would be another value.
 *
 * Members that are undefined are left out, as usual; whatever has a `toJSON` speaks for itself.
 */
export function writeJson(value: unknown): string {
  try {
    return value === undefined ? "null" : JSON.stringify(value, checked);
  } catch (error) {
    const why = error instanceof Error ? error.message : null;
    throw new SignoffError(localProblem("not_json", "The value cannot be written as JSON", why));
  }
}

/** Called by JSON.stringify for each member, with the object that holds it as `this`. */
function checked(this: unknown, name: string, value: unknown): unknown {
  const where = name === "" ? "the value" : JSON.stringify(name);
  if (typeof value === "bigint" || typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(`${where} is a ${typeof value}`);
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`${where} is ${value}, which no JSON number is`);
  }
  if (value === null && (this as Record<string, unknown>)[name] !== null) {
    throw new TypeError(`${where} is an invalid date, or nothing else that can be written`);
  }
  if (typeof value === "object" && value !== null && !isWritable(value)) {
    throw new TypeError(`${where} has nothing that JSON could show`);
  }
  return value;
}

/** False for a Map, a Set, a file and their like, whose contents JSON would silently leave out. */
function isWritable(value: object): boolean {
  if (Array.isArray(value) || Object.keys(value).length > 0) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Of whatever realm: a plain object's prototype has none itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
