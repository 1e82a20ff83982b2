/**
 * What this person has looked at, kept in this browser apart for each person: what is new, and what has happened since.
 *
 * How far somebody has looked is told by the server's own times, the latest that was on the screen: clocks of browsers
 * and servers differ.
 */
import { inputKey } from "@signoff/client";
import type { InputRow, RunRow } from "@signoff/client";
import { useSyncExternalStore } from "react";
import { load, save } from "./store";

/** What was on the screen. */
export interface Looked {
  /** The latest time that stood there; what is later has happened since. */
  readonly until: string;
  /** Of a request: which state of it. */
  readonly revised?: string;
  readonly revision?: number;
  /** And what it was about, as long as that is kept. */
  readonly about?: About;
  /** Of a run. */
  readonly status?: RunRow["status"];
}

export type About = Pick<InputRow, "title" | "description" | "show" | "deadline">;

/** What a comment tells of itself wherever it is read. */
export interface Said {
  readonly at?: string;
  readonly by?: { readonly id: string | null };
}

/** So many things are remembered; and of so many of them, what they were about, if that is not long. */
const MOST = 3_000;
const MOST_ABOUT = 100;
const LONGEST_ABOUT = 10_000;

const listeners = new Set<() => void>();
let person = "";
let looked = new Map<string, Looked>();
let version = 0;

export function seenBy(who: string): void {
  if (who === person) return;
  person = who;
  read();
}

function read(): void {
  looked = new Map(load<[string, Looked][]>("localStorage", `seen.${person}`) ?? []);
  version++;
}

function told(): void {
  version++;
  for (const listener of [...listeners]) listener();
}

export function nameIn(row: Pick<InputRow, "run_id" | "name" | "n">): string {
  return `${row.run_id}/${inputKey(row)}`;
}

/** How far somebody has looked at a request, by its `nameIn`, or at a run, by its id. */
export function lookedAt(name: string): Looked | undefined {
  return looked.get(name);
}

/** Remember that this request, with what was said about it, is what the person has before them. */
export function look(row: InputRow, comments: readonly Said[] = []): void {
  const { title, description, show, deadline, revised, revision } = row;
  const about: About = { title, description, show, deadline };
  const short = JSON.stringify(about).length <= LONGEST_ABOUT;
  keep(nameIn(row), { until: latest(row, comments), revised, revision, ...(short ? { about } : {}) });
}

/** Remember that a run stood before the person, with all that had happened to it until then. */
export function lookAtRun({ id, updated_at, status }: RunRow, until: string = updated_at): void {
  keep(id, { until, status });
}

function keep(name: string, next: Looked): void {
  const before = looked.get(name);
  if (before !== undefined && before.until >= next.until && before.revised === next.revised && before.revision === next.revision && before.status === next.status) return;
  looked.delete(name);
  looked.set(name, before !== undefined && before.until > next.until ? { ...next, until: before.until } : next);
  const names = [...looked.keys()];
  for (const old of names.slice(0, Math.max(0, names.length - MOST))) looked.delete(old);
  let pictures = 0;
  for (const old of names.reverse()) {
    const one = looked.get(old);
    if (one?.about === undefined || ++pictures <= MOST_ABOUT) continue;
    const { until, revised, revision } = one;
    looked.set(old, { until, ...(revised === undefined ? {} : { revised }), ...(revision === undefined ? {} : { revision }) });
  }
  save("localStorage", `seen.${person}`, [...looked]);
  told();
}

/** The latest time that a request shows. */
function latest(row: InputRow, comments: readonly Said[]): string {
  let found = row.decided_at ?? row.asked_at;
  for (const { at } of [...row.history, ...row.votes, ...comments]) if (at !== undefined && at > found) found = at;
  return found;
}

export type News = "new" | "changed" | null;

/** Whether a person has not seen this, or not as it is now; what they did themselves is no news. */
export function newsOf(row: InputRow, me: string | null, comments: readonly Said[] = []): News {
  const before = lookedAt(nameIn(row));
  if (before === undefined) return "new";
  return isChanged(before, row) || eventsSince(before, row, me).length > 0 || saidSince(before, comments, me).length > 0 ? "changed" : null;
}

export function isChanged(before: Looked, row: InputRow): boolean {
  return before.revised !== row.revised || before.revision !== row.revision;
}

type Event = InputRow["history"][number] | InputRow["votes"][number];

/** What others have done about a request since somebody looked. */
export function eventsSince({ until }: Looked, { history, votes }: InputRow, me: string | null): readonly Event[] {
  return [...history, ...votes].filter(({ at, by }) => at > until && !isMe(by, me));
}

export function saidSince<Comment extends Said>({ until }: Looked, comments: readonly Comment[], me: string | null): readonly Comment[] {
  return comments.filter(({ at, by }) => at !== undefined && at > until && !isMe(by, me));
}

function isMe(by: { readonly id: string | null } | undefined, me: string | null): boolean {
  return by?.id === (me ?? "local");
}

/** True if a run that somebody has looked at is no more what it was; of others one cannot say. */
export function isNewsOfRun({ id, updated_at }: RunRow): boolean {
  const before = looked.get(id);
  return before !== undefined && updated_at > before.until;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  // Another tab of the same person has looked.
  const stored = ({ key }: StorageEvent): void => {
    if (key !== `signoff.console.seen.${person}`) return;
    read();
    told();
  };
  addEventListener("storage", stored);
  return () => {
    listeners.delete(listener);
    removeEventListener("storage", stored);
  };
}

/** A number that grows with everything that is looked at. */
export function useSeen(): number {
  return useSyncExternalStore(subscribe, () => version, () => version);
}
