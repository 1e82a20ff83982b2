/** One run as a browser sees it: its row, its steps, its requests, its progress. */
import type { SignoffProblem } from "./problem.js";
import type { InputRow, ProgressRow, RunRow, RunStatus, StepRow } from "./protocol.js";
import type { Row } from "./rows.js";
import { overall, rowsOf } from "./stream-view.js";
import type { States } from "./stream-view.js";
import type { ConnectionState, ReadableOnce } from "./view.js";

/** How a run ended. */
export type RunOutcome = "completed" | "failed" | "cancelled";

export interface RunSnapshot {
  /** `ended`: the stream is closed and all of it is here. Only `run.status` says how the run ended. */
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** Set while what is shown may be old: when it was last known to be complete, as RFC 3339 in UTC, by this device's clock, or that of the server which rendered the page. */
  readonly asOf?: string;
  readonly run?: RunRow;
  /**
   * How the run ended; missing while it has not. The stream of a failed run stays open (`live`), because an operator
   * may rewind it: then the outcome goes away again.
   */
  readonly outcome?: RunOutcome;
  /** In the order in which they first appeared. */
  readonly steps: readonly StepRow[];
  readonly inputs: readonly InputRow[];
  readonly progress: readonly ProgressRow[];
  /** Rows of any type, such as those the workflow publishes itself. */
  readonly rows: <R extends Row = Row>(type: string) => readonly R[];
}

/** A run to subscribe to. */
export type RunView = ReadableOnce<RunSnapshot>;

function isOutcome(status: RunStatus): status is RunOutcome {
  return status === "completed" || status === "failed" || status === "cancelled";
}

export function runSnapshot(states: States): RunSnapshot {
  const rows = states[0]?.rows ?? new Map<string, readonly Row[]>();
  const run = rowsOf<RunRow>(rows, "run")[0];
  return {
    ...overall(states),
    ...(run === undefined ? {} : { run }),
    ...(run === undefined || !isOutcome(run.status) ? {} : { outcome: run.status }),
    steps: rowsOf(rows, "step"),
    inputs: rowsOf(rows, "input"),
    progress: rowsOf(rows, "progress"),
    rows: (type) => rowsOf(rows, type),
  };
}
