/** What a form starts from: the value a workflow proposes, turned into what stands in the fields. Pure. */

import { writeJson } from "./json-text";
import { type Branch, type Part, type Schema, isObject, own, wantedBy } from "./schema";

/**
 * What stands in the fields, shaped like the schema; undefined where nothing does.
 *
 * A text is the text, a number what was typed (or `{exact}`, as proposed and not touched), a choice the JSON of what was
 * chosen, a map its pairs, a union `{branch, value}`, and what the form cannot show is JSON text. Whoever reads one checks
 * its shape: it may come from a storage that anybody can write to.
 */
export type Draft = unknown;

/** A proposal that the form has no place for. */
export interface Misfit {
  pointer: string;
  value: unknown;
}

/** Turn the proposed value into a draft. What does not fit is left out, and said. */
export function begin(schema: Schema, initial: unknown): { draft: Draft; misfits: Misfit[] } {
  const misfits: Misfit[] = [];
  return { draft: new Beginning(schema, misfits).draft(schema, initial, { pointer: "", required: true }), misfits };
}

/** What stands in a part that has just come into being: what the schema proposes. */
export function beginPart(schema: Schema, root: Schema, fixed: Schema = {}): Draft {
  return new Beginning(root, []).draft(schema, undefined, { pointer: "", required: true, fixed });
}

/** Add a member's name or an item's number to a JSON Pointer (RFC 6901). */
export function below(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** A group that requires a group of its own kind would never end; no answer could satisfy it. */
export function isTooDeep(pointer: string): boolean {
  return pointer.split("/").length > 40;
}

interface Place {
  pointer: string;
  required: boolean;
  fixed?: Schema;
}

class Beginning {
  readonly #root: Schema;
  readonly #misfits: Misfit[];

  constructor(root: Schema, misfits: Misfit[]) {
    this.#root = root;
    this.#misfits = misfits;
  }

  draft(schema: Schema, given: unknown, place: Place): Draft {
    const { part, nullable, default: proposed } = wantedBy(schema, this.#root);
    const value = given === undefined ? proposed : given;
    if (isTooDeep(place.pointer)) return undefined;
    if (value === undefined || value === null) {
      const needed = part.kind === "group" && place.required && !nullable;
      return needed ? this.#group(part, {}, place) : undefined;
    }
    const found = this.#read(part, value, place);
    if (found === undefined) this.#misfits.push({ pointer: place.pointer, value });
    return found;
  }

  #read(part: Part, value: unknown, place: Place): Draft {
    const { pointer } = place;
    const item = (schema: Schema, given: unknown, name: string | number): Draft =>
      this.draft(schema, given, { pointer: below(pointer, name), required: true });
    switch (part.kind) {
      case "text":
        return typeof value === "string" ? value : undefined;
      case "number":
        return isNumber(value, part) ? { exact: String(value) } : undefined;
      case "boolean":
        return typeof value === "boolean" ? value : undefined;
      case "choice": {
        const text = writeJson(value);
        return part.options.some((option) => writeJson(option.value) === text) ? text : undefined;
      }
      case "group":
        return isObject(value) ? this.#group(part, value, place) : undefined;
      case "tuple":
        if (!Array.isArray(value) || value.length > part.items.length) return undefined;
        return part.items.map((schema, index) => item(schema, value[index], index));
      case "list":
        return Array.isArray(value) ? value.map((each, index) => item(part.item, each, index)) : undefined;
      case "map":
        if (!isObject(value)) return undefined;
        return Object.entries(value).map(([name, each]) => [name, item(part.value, each, name)]);
      case "union":
        return this.#union(part.branches, value, pointer);
      case "json":
        return isRounded(value) ? undefined : writeJson(value);
      case "null":
        return undefined;
    }
  }

  #group(part: Part & { kind: "group" }, value: Schema, { pointer, fixed = {} }: Place): Draft {
    const known = new Set(part.members.map(({ name }) => name));
    for (const [name, extra] of Object.entries(value)) {
      if (!known.has(name)) this.#misfits.push({ pointer: below(pointer, name), value: extra });
    }
    return Object.fromEntries(
      part.members
        .filter(({ name }) => !Object.hasOwn(fixed, name))
        .map(({ name, schema, required }) => [name, this.draft(schema, own(value, name), { pointer: below(pointer, name), required })]),
    );
  }

  /** The first branch in which the value has its place. */
  #union(branches: readonly Branch[], value: unknown, pointer: string): Draft {
    for (const [index, { schema, fixed }] of branches.entries()) {
      if (!Object.entries(fixed).every(([name, tag]) => own(value, name) === tag)) continue;
      const misfits: Misfit[] = [];
      const found = new Beginning(this.#root, misfits).draft(schema, value, { pointer, required: true, fixed });
      if (misfits.length === 0) return { branch: index, value: found };
    }
    return undefined;
  }
}

/** Numbers of other programs have a point for the decimal sign. Those too large for a number come as text. */
function isNumber(value: unknown, { integer, asText }: { integer: boolean; asText: boolean }): boolean {
  if (typeof value === "number") return Number.isFinite(value) && !(integer && isRounded(value));
  if (typeof value !== "string" || !/^-?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$/.test(value)) return false;
  return asText || !Number.isSafeInteger(Number(value));
}

/** Tell whether there is a whole number in it that may have been another one before the browser read it. */
function isRounded(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === "object" && value !== null && Object.values(value).some(isRounded);
}
