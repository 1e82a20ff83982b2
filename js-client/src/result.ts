/** Waiting for a run to be over: its output, or an error that says how it ended. */
import { SignoffError, localProblem } from "./problem.js";
import type { RunRow } from "./rows.js";
import type { RunOutcome, RunView } from "./run.js";
import { after } from "./timer.js";

export interface ResultOptions {
  /** Stops the wait; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How long to wait, in milliseconds; then the promise rejects with a SignoffError of the code `timeout`. */
  readonly timeout?: number;
}

/** A run that ended otherwise than by completing. A failed one may still be rewound by an operator. */
export class RunEndedError extends Error {
  readonly run: RunRow;
  readonly outcome: Exclude<RunOutcome, "completed">;
  /** The run's error code, for example `terminated`; the outcome where there is none. */
  readonly code: string;

  constructor(run: RunRow, outcome: Exclude<RunOutcome, "completed">) {
    const { code, message } = run.error ?? { code: outcome, message: null };
    super(`Run ${run.id} ${outcome === "failed" ? "failed" : "was cancelled"}: ${message ?? code}`);
    this.name = "RunEndedError";
    this.run = run;
    this.outcome = outcome;
    this.code = code;
  }
}

/**
 * Resolve with a run's output, undefined where its workflow does not show it.
 *
 * Rejects with a RunEndedError if it failed or was cancelled, and with a SignoffError where it
 * cannot be followed: not allowed, not there, no time left, or the client closed.
 */
export function awaitResult(view: RunView, closed: AbortSignal, { signal, timeout }: ResultOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const undo: (() => void)[] = [];
    const settle = (act: () => void): void => {
      for (const stop of undo.splice(0)) stop();
      act();
    };
    const fail = (error: Error): void => {
      settle(() => { reject(error); });
    };
    const onAbort = (aborted: AbortSignal, reason: () => Error): void => {
      const listener = (): void => { fail(reason()); };
      undo.push(() => { aborted.removeEventListener("abort", listener); });
      aborted.addEventListener("abort", listener);
      if (aborted.aborted) listener();
    };
    const read = (): void => {
      const { connection, error, run, outcome } = view.getSnapshot();
      if (run !== undefined && outcome !== undefined) {
        if (outcome === "completed") settle(() => { resolve(run.output); });
        else fail(new RunEndedError(run, outcome));
      } else if (connection === "failed" && error !== undefined) {
        fail(new SignoffError(error));
      } else if (connection === "ended") {
        fail(new SignoffError(localProblem("no_outcome", "The run's stream ended without telling how the run did")));
      }
    };
    // In a moment: a view that is live already tells while it is still being subscribed to.
    undo.push(view.subscribe(() => { queueMicrotask(read); }));
    if (timeout !== undefined) {
      undo.push(after(timeout, () => { fail(new SignoffError(localProblem("timeout", "The run was not over in time"))); }));
    }
    onAbort(closed, () => new SignoffError(localProblem("closed", "The client was closed")));
    if (signal !== undefined) onAbort(signal, () => (signal.reason instanceof Error ? signal.reason : new DOMException("The wait was called off", "AbortError")));
    read();
  });
}
