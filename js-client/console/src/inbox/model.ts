/** Which requests are listed, in which order, and how many each filter would leave. Pure. */
import type { CommentRow, InputRow } from "@signoff/client";
import { nameIn, newsOf } from "../model/seen";

export const VIEWS = ["all", "overdue", "soon", "mine", "free", "changed"] as const;
export type ViewName = (typeof VIEWS)[number];
export const SORTS = ["new", "old", "due", "title"] as const;
export type SortName = (typeof SORTS)[number];

/** What the address says of the list. */
export interface Wanted {
  readonly view: ViewName;
  readonly sort: SortName;
  readonly search: string;
  readonly workflow: string;
  /** One of those who are asked; `""`: whoever is. */
  readonly to: string;
}

export function wantedOf(query: URLSearchParams): Wanted {
  return {
    view: VIEWS.find((name) => name === query.get("view")) ?? "all",
    sort: SORTS.find((name) => name === query.get("sort")) ?? "new",
    search: query.get("q") ?? "",
    workflow: query.get("workflow") ?? "",
    to: query.get("to") ?? "",
  };
}

export interface Listed {
  readonly requests: readonly InputRow[];
  /** How many requests each view has, with the search and the other filters that are chosen. */
  readonly counts: Readonly<Record<ViewName, number>>;
  readonly workflows: readonly string[];
  /** All who are asked something here. */
  readonly principals: readonly string[];
}

/** What was said about each request, by its name. */
export type SaidIn = ReadonlyMap<string, readonly CommentRow[]>;

export function saidIn(comments: readonly CommentRow[]): SaidIn {
  const found = new Map<string, CommentRow[]>();
  for (const one of comments) {
    const name = `${one.run_id}/${one.input}`;
    const before = found.get(name);
    if (before === undefined) found.set(name, [one]);
    else before.push(one);
  }
  return found;
}

export function listed(all: readonly InputRow[], wanted: Wanted, now: number, me: string | null, said: SaidIn = NOTHING): Listed {
  const workflows = [...new Set(all.map(({ workflow }) => workflow))].sort();
  const principals = [...new Set(all.flatMap(({ audience }) => audience))].sort();
  const words = wanted.search.toLocaleLowerCase().split(/\s+/u).filter((word) => word !== "");
  const fitting = all.filter((row) =>
    (wanted.workflow === "" || row.workflow === wanted.workflow) && (wanted.to === "" || row.audience.includes(wanted.to)) && fits(row, words));
  const counts: Record<ViewName, number> = { all: 0, overdue: 0, soon: 0, mine: 0, free: 0, changed: 0 };
  const requests = fitting.filter((row) => {
    const views = viewsOf(row, now, me, said);
    for (const view of views) counts[view]++;
    return views.includes(wanted.view);
  });
  return { requests: requests.sort(BY[wanted.sort]), counts, workflows, principals };
}

const NOTHING: SaidIn = new Map();

function viewsOf(row: InputRow, now: number, me: string | null, said: SaidIn): readonly ViewName[] {
  const views: ViewName[] = ["all"];
  const left = row.deadline === null ? Infinity : Date.parse(row.deadline) - now;
  if (left < 0) views.push("overdue");
  else if (left < 86_400_000) views.push("soon");
  const claimer = claimerOf(row, now);
  if (claimer === null) views.push("free");
  else if (claimer === (me ?? "local")) views.push("mine");
  if (newsOf(row, me, said.get(nameIn(row))) !== null) views.push("changed");
  return views;
}

/** Who works on a request; a claim whose time is over counts for nothing. */
export function claimerOf(row: InputRow, now: number): string | null {
  return row.claim !== null && Date.parse(row.claim.until) > now ? (row.claim.by.id ?? "local") : null;
}

const texts = new WeakMap<InputRow, string>();

/** True if each word stands somewhere in what a person can read of a request. */
function fits(row: InputRow, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  let text = texts.get(row);
  if (text === undefined) {
    const parts = [row.title, row.workflow, row.run_id, row.name, row.description ?? "", row.audience.join(" "), JSON.stringify(row.show ?? "")];
    text = parts.join("\n").toLocaleLowerCase();
    texts.set(row, text);
  }
  return words.every((word) => text.includes(word));
}

type Compare = (a: InputRow, b: InputRow) => number;
const newest: Compare = (a, b) => (a.asked_at < b.asked_at ? 1 : a.asked_at > b.asked_at ? -1 : 0);
const BY: Readonly<Record<SortName, Compare>> = {
  new: newest,
  old: (a, b) => newest(b, a),
  due: (a, b) => dueOf(a) - dueOf(b) || newest(a, b),
  title: (a, b) => a.title.localeCompare(b.title) || newest(a, b),
};

function dueOf({ deadline }: InputRow): number {
  return deadline === null ? Number.MAX_SAFE_INTEGER : Date.parse(deadline);
}
