/**
 * What is sent: exactly what stands in the fields. Pure.
 *
 * Nothing is rounded, completed or turned into another kind of value. What cannot be sent as it was typed is an error at
 * its field; everything else is the server's to judge. An empty field is left out, or null where the schema wants that.
 */

import { type Draft, below, isTooDeep } from "./begin";
import { isConditional, withConditions } from "./conditions";
import { readJson, tooExact, writeJson } from "./json-text";
import { exactNumber, readNumber } from "./number";
import { type Branch, type Part, type Schema, type Wanted, isObject, labelOf, own, wantedBy } from "./schema";

export interface PointedError {
  pointer: string;
  message: string;
}

export interface Written {
  /** Undefined: nothing, which the whole answer cannot be. */
  value: unknown;
  errors: PointedError[];
  /** The pointers that have a field. */
  places: Set<string>;
}

/** Write the answer that stands in the fields. */
export function write(schema: Schema, draft: Draft, hints: Schema = {}): Written {
  const writer = new Writer(schema);
  const value = writer.write(schema, draft, { ...ROOT, hints });
  return { value, errors: writer.errors, places: writer.places };
}

/** The schema of a group as it stands with what was typed: with the branches of its conditions that apply. */
export function conditioned(schema: Schema, draft: Draft, root: Schema): Schema {
  return new Writer(root).conditioned(schema, draft);
}

/** Tell whether a part that may be left out is there. */
export function isThere(draft: Draft): boolean {
  return draft !== undefined && draft !== null;
}

/** Tell whether one may do without a group: it is not wanted, and nothing else would take its place. */
export function isOptional({ nullable, default: proposed }: Wanted, required: boolean): boolean {
  return nullable || (!required && (proposed === undefined || proposed === null));
}

/** Read what stands in a number's field. */
export function typedNumber(draft: Draft): { text: string; exact: boolean } {
  const exact = own(draft, "exact");
  if (typeof exact === "string") return { text: exact, exact: true };
  return { text: typeof draft === "string" ? draft : "", exact: false };
}

/** Read which branch of a union was chosen. */
export function chosenBranch(branches: readonly Branch[], draft: Draft): { index: number; branch: Branch } | null {
  const index = own(draft, "branch");
  const branch = typeof index === "number" ? branches[index] : undefined;
  return branch && typeof index === "number" ? { index, branch } : null;
}

/** Read a map's pairs. */
export function pairsOf(draft: Draft): [string, Draft][] {
  if (!Array.isArray(draft)) return [];
  return draft.flatMap((pair: unknown) => (Array.isArray(pair) && typeof pair[0] === "string" ? [[pair[0], pair[1] as Draft]] : []));
}

interface Place {
  pointer: string;
  required: boolean;
  /** It stands in a list, where nothing can be left out. */
  item: boolean;
  hints: Schema;
  fixed?: Schema;
}

const ROOT: Place = { pointer: "", required: true, item: true, hints: {} };

class Writer {
  readonly errors: PointedError[] = [];
  readonly places = new Set<string>();
  readonly #root: Schema;

  constructor(root: Schema) {
    this.#root = root;
  }

  write(schema: Schema, draft: Draft, place: Place): unknown {
    this.places.add(place.pointer);
    if (isTooDeep(place.pointer)) return undefined;
    const wanted = wantedBy(schema, this.#root);
    const { part } = wanted;
    switch (part.kind) {
      case "text":
        return typeof draft === "string" && draft !== "" ? draft : this.#nothing(wanted, place);
      case "number":
        return this.#number(part, draft, wanted, place);
      case "boolean":
        return typeof draft === "boolean" ? draft : this.#nothing(wanted, place);
      case "choice": {
        const option = part.options.find(({ value }) => writeJson(value) === draft);
        return option ? option.value : this.#nothing(wanted, place);
      }
      case "null":
        return place.required || place.item ? null : undefined;
      case "group":
        if (!isThere(draft) && isOptional(wanted, place.required)) return this.#nothing(wanted, place);
        return this.#group(schema, draft, place);
      case "tuple":
        if (!isThere(draft) && isOptional(wanted, place.required)) return this.#nothing(wanted, place);
        return part.items.map((item, index) => this.#item(item, Array.isArray(draft) ? draft[index] : undefined, below(place.pointer, index)));
      case "list":
        if (!Array.isArray(draft)) return place.required && !wanted.nullable ? [] : this.#nothing(wanted, place);
        return draft.map((item: Draft, index) => this.#item(part.item, item, below(place.pointer, index)));
      case "map":
        if (!Array.isArray(draft)) return place.required && !wanted.nullable ? {} : this.#nothing(wanted, place);
        return this.#map(part, draft, place);
      case "union":
        return this.#union(part, draft, wanted, place);
      case "json":
        return this.#json(draft, wanted, place);
    }
  }

  /** The value of a field in which nothing stands; undefined leaves it out. */
  #nothing(wanted: Wanted, { required, item, pointer, hints }: Place): unknown {
    const { default: proposed, nullable, part } = wanted;
    const empty: unknown = hints["ui:emptyValue"];
    if (part.kind === "text" && typeof empty === "string") return empty;
    if (item && nullable) return null;
    if (item) return part.kind === "text" && pointer !== "" ? "" : this.#refuse(pointer, "Fill this in.");
    if (required) return nullable ? null : undefined;
    if (proposed === undefined || proposed === null || proposed === "") return undefined;
    if (nullable) return null;
    if (part.kind === "text") return "";
    return this.#refuse(pointer, `This cannot be empty: without a value it would be ${labelOf(proposed)}.`);
  }

  #number(part: Part & { kind: "number" }, draft: Draft, wanted: Wanted, place: Place): unknown {
    const { text: typed, exact } = typedNumber(draft);
    if (typed.trim() === "") return this.#nothing(wanted, place);
    const reading = exact ? { ok: true as const, text: typed } : readNumber(typed);
    if (!reading.ok) return this.#refuse(place.pointer, reading.problem);
    if (part.asText) return reading.text;
    return exactNumber(reading.text) ?? this.#refuse(place.pointer, tooExact(reading.text));
  }

  #group(schema: Schema, draft: Draft, place: Place): unknown {
    return this.#members(this.conditioned(schema, draft, place), draft, place);
  }

  /** Which branch of a condition applies follows from what stands in the fields, so they are written first. */
  conditioned(schema: Schema, draft: Draft, place: Place = ROOT): Schema {
    if (!isConditional(schema, this.#root)) return schema;
    return withConditions(schema, new Writer(this.#root).#members(schema, draft, place), this.#root);
  }

  #members(schema: Schema, draft: Draft, { pointer, fixed = {}, hints }: Place): unknown {
    const { part } = wantedBy(schema, this.#root);
    if (part.kind !== "group") return undefined;
    const members = part.members.map(({ name, schema: member, required }): [string, unknown] => {
      if (Object.hasOwn(fixed, name)) return [name, fixed[name]];
      const hint = own(hints, name);
      const place: Place = { pointer: below(pointer, name), required, item: false, hints: isObject(hint) ? hint : {} };
      return [name, this.write(member, own(draft, name), place)];
    });
    return Object.fromEntries(members.filter(([, value]) => value !== undefined));
  }

  #item(schema: Schema, draft: Draft, pointer: string): unknown {
    return this.write(schema, draft, { ...ROOT, pointer }) ?? null;
  }

  #map(part: Part & { kind: "map" }, draft: Draft, { pointer }: Place): unknown {
    const pairs = pairsOf(draft);
    const names = pairs.map(([name]) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) this.#refuse(pointer, `“${twice}” stands here twice.`);
    return Object.fromEntries(pairs.map(([name, item]) => [name, this.#item(part.value, item, below(pointer, name))]));
  }

  #union(part: Part & { kind: "union" }, draft: Draft, wanted: Wanted, place: Place): unknown {
    const chosen = chosenBranch(part.branches, draft);
    if (!chosen) return this.#nothing(wanted, place);
    const { branch } = chosen;
    return this.write(branch.schema, own(draft, "value"), { ...place, required: true, item: true, fixed: branch.fixed });
  }

  #json(draft: Draft, wanted: Wanted, place: Place): unknown {
    if (typeof draft !== "string" || draft.trim() === "") return this.#nothing(wanted, place);
    const reading = readJson(draft);
    return reading.ok ? reading.value : this.#refuse(place.pointer, reading.problem);
  }

  /** Note what is wrong; nothing is the value then. */
  #refuse(pointer: string, message: string): unknown {
    this.errors.push({ pointer, message });
    return undefined;
  }
}
