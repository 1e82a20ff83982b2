/** The runs of one workflow, for dashboards. */
import { newestFirst } from "./inbox.js";
import type { SignoffProblem } from "./problem.js";
import type { RunRow } from "./protocol.js";
import { overall, rowsOf } from "./stream-view.js";
import type { States } from "./stream-view.js";
import { stableList } from "./view.js";
import type { ConnectionState, ReadableOnce } from "./view.js";

export interface RunsSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** Set while what is shown may be old: when it was last known to be complete, as RFC 3339 in UTC, by this device's clock, or that of the server which rendered the page. */
  readonly asOf?: string;
  /** Newest first. */
  readonly runs: readonly RunRow[];
}

/** A listing of runs to subscribe to. */
export type RunsView = ReadableOnce<RunsSnapshot>;

export function runsSnapshot(states: States, previous: RunsSnapshot | undefined): RunsSnapshot {
  const runs = states.flatMap(({ rows }) => rowsOf<RunRow>(rows, "run"));
  const sorted = [...runs].reverse().sort((a, b) => newestFirst(a.created_at, b.created_at));
  return { ...overall(states), runs: stableList(previous?.runs, sorted) };
}
