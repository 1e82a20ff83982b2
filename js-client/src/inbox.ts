/** The requests that wait for a person, drawn together from the inboxes of all their principals. */
import type { SignoffProblem } from "./problem.js";
import type { InputRow } from "./protocol.js";
import { inputKey, isOlder } from "./rows.js";
import type { Row } from "./rows.js";
import { overall, rowsOf } from "./stream-view.js";
import type { States } from "./stream-view.js";
import { stableList } from "./view.js";
import type { ConnectionState, ReadableOnce } from "./view.js";

export interface InboxSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** Set while what is shown may be old: when it was last known to be complete, as RFC 3339 in UTC, by this device's clock, or that of the server which rendered the page. */
  readonly asOf?: string;
  /** Newest first; a request that reached several of the principals stands here once. */
  readonly requests: readonly InputRow[];
  /** Rows of any type about these requests, such as `comment`. */
  readonly rows: <R extends Row = Row>(type: string) => readonly R[];
}

/** An inbox to subscribe to. */
export type InboxView = ReadableOnce<InboxSnapshot>;

export function inboxSnapshot(states: States, previous: InboxSnapshot | undefined): InboxSnapshot {
  const unique = new Map<string, InputRow>();
  for (const row of states.flatMap(({ rows }) => rowsOf<InputRow>(rows, "input"))) {
    const id = `${row.run_id}/${inputKey(row)}`;
    const known = unique.get(id);
    // The inboxes are separate streams: one may already show what the other will show in a moment.
    if (known === undefined || isOlder(known, row)) unique.set(id, row);
  }
  const requests = [...unique.values()].reverse().sort((a, b) => newestFirst(a.asked_at, b.asked_at));
  const rows = <R extends Row>(type: string): readonly R[] => {
    const found = states.flatMap((state) => rowsOf<R>(state.rows, type));
    return [...new Map(found.map((row) => [row.id, row])).values()];
  };
  return { ...overall(states), requests: stableList(previous?.requests, requests), rows };
}

/** Order RFC 3339 times in UTC, the latest first. */
export function newestFirst(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}
