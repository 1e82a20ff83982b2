/** The actions of a request by what they take, and what is filled in for each. Pure. */
import type { AnswerError, FormField, InputRow } from "../../index.js";
import { begin, write } from "./draft.js";
import type { GroupDraft, Misfit } from "./draft.js";
import { same } from "./values.js";
import type { AutoFormWords } from "./words.js";

/** Actions that take the same. */
export interface ActionGroup {
  /** The first of them, which names the group. */
  readonly key: string;
  readonly actions: readonly string[];
  /** Null: they take nothing. */
  readonly fields: readonly FormField[] | null;
}

/** What was filled in, by the first of the actions that take it. Passwords are left out. */
export type AutoFormDraft = Readonly<Record<string, unknown>>;

/** What stands in the fields of one group. */
export interface Filling {
  readonly draft: GroupDraft;
  readonly misfits: readonly Misfit[];
  /** Somebody has filled something in. */
  readonly touched: boolean;
}

export type Fillings = Readonly<Record<string, Filling>>;

const NOTHING: Filling = { draft: { on: true, fields: [] }, misfits: [], touched: false };

/** What stands in the fields of a group. */
export function fillingOf(fillings: Fillings, { key }: ActionGroup): Filling {
  return fillings[key] ?? NOTHING;
}

/** Sent with what the form says, where they have no schema of their own; others may go without. */
const WITH_FORM: readonly string[] = ["submit", "approve", "edit", "respond"];

/** The actions, those together that take the same, in their order. */
export function groupsOf(row: InputRow, actions: readonly string[]): readonly ActionGroup[] {
  const groups = new Map<string, { key: string; actions: string[]; fields: readonly FormField[] | null }>();
  for (const action of actions) {
    const fields = fieldsOf(row, action);
    const name = JSON.stringify(fields);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { key: action, actions: [action], fields });
    else group.actions.push(action);
  }
  return [...groups.values()];
}

/** The fields of what an action takes; null where it takes nothing. */
export function fieldsOf(row: InputRow, action: string): readonly FormField[] | null {
  return hasOwn(row, action) ? (row.choices[action]?.form ?? null) : row.form;
}

/** True for an action with a type of its own, be it that it takes nothing. */
export function hasOwn({ choices }: InputRow, action: string): boolean {
  const choice = choices[action];
  return choice !== undefined && "schema" in choice;
}

/** True for a group with something to see and fill in. */
export function isFilledIn({ fields }: ActionGroup): boolean {
  return fields?.some(({ kind }) => kind !== "hidden") ?? false;
}

/** What stands in the fields at the beginning: what was kept, else what is proposed. */
export function beginAll(row: InputRow, groups: readonly ActionGroup[], kept: AutoFormDraft = {}): Fillings {
  return Object.fromEntries(groups.map(({ key, fields }) => {
    const touched = Object.hasOwn(kept, key);
    const { draft, misfits } = begin(fields ?? [], touched ? kept[key] : row.initial);
    return [key, { draft, misfits: touched ? [] : misfits, touched }];
  }));
}

/** What stands in the fields after a revision: what somebody has filled in stays where there is a field for it. */
export function carryOver(before: readonly ActionGroup[], fillings: Fillings, row: InputRow, groups: readonly ActionGroup[], words: AutoFormWords): Fillings {
  const fresh = beginAll(row, groups);
  return Object.fromEntries(groups.map((group) => {
    const old = before.find(({ key }) => key === group.key);
    const filling = fillings[group.key];
    if (old === undefined || filling?.touched !== true) return [group.key, fillingOf(fresh, group)];
    if (same(old.fields, group.fields)) return [group.key, filling];
    const { draft, misfits } = begin(group.fields ?? [], write(old.fields ?? [], filling.draft, words, true).value);
    return [group.key, { draft, misfits, touched: true }];
  }));
}

/** What is kept of what was filled in; undefined where nothing was. */
export function kept(groups: readonly ActionGroup[], fillings: Fillings, words: AutoFormWords): AutoFormDraft | undefined {
  const touched = groups.filter(({ key }) => fillings[key]?.touched === true);
  if (touched.length === 0) return undefined;
  return Object.fromEntries(touched.map((group) => [group.key, write(group.fields ?? [], fillingOf(fillings, group).draft, words, true).value]));
}

/** Leaves a page of a wizard, with what was filled in so far. */
const BACK = "back";

/** What an action sends. */
export function answerOf(row: InputRow, action: string, groups: readonly ActionGroup[], fillings: Fillings, words: AutoFormWords): { readonly value: unknown; readonly errors: readonly AnswerError[] } {
  // Half a page need not fit anything.
  if (action === BACK) return { value: Object.values(kept(groups, fillings, words) ?? {})[0] ?? null, errors: [] };
  const group = groups.find(({ actions }) => actions.includes(action));
  if (group === undefined || group.fields === null) return { value: null, errors: [] };
  const { draft, touched } = fillingOf(fillings, group);
  return WITH_FORM.includes(action) || hasOwn(row, action) || touched ? write(group.fields, draft, words) : { value: null, errors: [] };
}

/** Errors at the controls they are about, and those that are about none. */
export function placed(errors: readonly AnswerError[], places: ReadonlyMap<string, string>): { readonly at: ReadonlyMap<string, readonly string[]>; readonly rest: readonly string[] } {
  const at = new Map<string, readonly string[]>();
  const rest: string[] = [];
  for (const { pointer, message } of errors) {
    let near = pointer;
    // What lies within a field of several lines is said at the field.
    while (near !== "" && !places.has(near)) near = near.slice(0, near.lastIndexOf("/"));
    const path = places.get(near);
    const within = pointer.slice(near.length);
    const text = within === "" ? message : `${within.slice(1)}: ${message}`;
    if (path === undefined) rest.push(text);
    else at.set(path, [...(at.get(path) ?? []), text]);
  }
  return { at, rest };
}

/** The pointers of the fields of the first level that a revision changed, in what they are or what is proposed for them. */
export function changedFields(before: InputRow, after: InputRow, action: string): ReadonlySet<string> {
  const [old, now] = [fieldsOf(before, action) ?? [], fieldsOf(after, action) ?? []];
  const proposed = (row: InputRow, name: string): unknown => {
    const { initial } = row;
    return typeof initial === "object" && initial !== null && Object.hasOwn(initial, name) ? (initial as Readonly<Record<string, unknown>>)[name] : undefined;
  };
  const changed = now.filter((field) => {
    const was = old.find(({ pointer }) => pointer === field.pointer);
    return !same(was, field) || !same(proposed(before, field.name), proposed(after, field.name));
  });
  return new Set(changed.map(({ pointer }) => pointer));
}
