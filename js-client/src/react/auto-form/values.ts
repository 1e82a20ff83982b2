/** Values in words, and what is other in them than before. Pure. */
import type { InputRow } from "../../index.js";
import type { AutoFormWords } from "./words.js";

/** Something that a revision changed. */
export interface Change {
  readonly what: string;
  /** Null: it was not there. */
  readonly before: string | null;
  /** Null: it is gone. */
  readonly after: string | null;
}

/** In place of a value: there was none. */
export const NONE = Symbol("none");

/** A name as people read it: `zip_code` is "Zip code". */
export function readable(name: string): string {
  const text = name.replace(/[_-]+/g, " ").replace(/\s+/g, " ").trim();
  return text === "" ? name : text.charAt(0).toUpperCase() + text.slice(1);
}

/** What two revisions of a request differ in, of all that a person sees of it. */
export function changesOf(before: InputRow, after: InputRow, words: AutoFormWords, when: (time: string) => string): readonly Change[] {
  const changes: Change[] = [];
  const compare = (what: string, one: string | null, other: string | null): void => {
    if (one !== other) changes.push({ what, before: one, after: other });
  };
  compare(words.theTitle, before.title, after.title);
  compare(words.theDescription, before.description, after.description);
  compare(words.theDeadline, before.deadline === null ? null : when(before.deadline), after.deadline === null ? null : when(after.deadline));
  walk(before.show ?? NONE, after.show ?? NONE, [], words, changes);
  if (!same(before.form, after.form)) changes.push({ what: words.theForm, before: null, after: null });
  if (!same(before.initial, after.initial)) compare(words.theProposal, sentence(before.initial, words), sentence(after.initial, words));
  if (!same([before.actions, before.choices], [after.actions, after.choices])) compare(words.theChoices, labels(before), labels(after));
  return changes;
}

function labels({ actions, choices }: InputRow): string {
  return actions.map((action) => choices[action]?.label ?? action).join(", ");
}

function walk(before: unknown, after: unknown, path: readonly string[], words: AutoFormWords, changes: Change[]): void {
  if (same(before, after)) return;
  const [old, now] = [parts(before), parts(after)];
  if (old === null || now === null || Array.isArray(before) !== Array.isArray(after)) {
    const what = path.length === 0 ? words.about : path.join(" › ");
    changes.push({ what, before: before === NONE ? null : sentence(before, words), after: after === NONE ? null : sentence(after, words) });
    return;
  }
  for (const [name, one, other] of Array.isArray(before) && Array.isArray(after) ? paired(before, after) : members(old, now)) {
    walk(one, other, [...path, typeof name === "number" ? String(name) : readable(name)], words, changes);
  }
}

/** The members of both, those that are gone in their old places. */
export function members(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown, unknown])[] {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  const at = (of: Readonly<Record<string, unknown>>, name: string): unknown => (Object.hasOwn(of, name) ? of[name] : NONE);
  return names.map((name) => [name, at(before, name), at(after, name)] as const);
}

/** Items side by side, with their numbers from 1: what is the same at both ends is paired from the ends. */
export function paired(before: readonly unknown[], after: readonly unknown[]): readonly (readonly [number, unknown, unknown])[] {
  let ends = 0;
  while (ends < Math.min(before.length, after.length) && same(before[before.length - 1 - ends], after[after.length - 1 - ends])) ends += 1;
  const [old, now] = [before.slice(0, before.length - ends), after.slice(0, after.length - ends)];
  const count = Math.max(old.length, now.length);
  const out: (readonly [number, unknown, unknown])[] = [];
  for (let index = 0; index < count; index += 1) {
    out.push([index + 1, index < old.length ? old[index] : NONE, index < now.length ? now[index] : NONE]);
  }
  for (let index = ends; index > 0; index -= 1) {
    out.push([after.length - index + 1, before[before.length - index], after[after.length - index]]);
  }
  return out;
}

/** The members or items of a value that has any kind of them. */
export function parts(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
}

/** True if two values are the same JSON, whatever the order of their members. */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  const [a, b] = [parts(one), parts(other)];
  if (a === null || b === null || Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

/** Any value in a line. */
export function sentence(value: unknown, words: AutoFormWords): string {
  if (value === null || value === undefined || value === "") return words.nothing;
  if (typeof value === "boolean") return value ? words.yes : words.no;
  return typeof value === "string" ? value : JSON.stringify(value);
}
