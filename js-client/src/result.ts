/** Waiting for a run to be over: its output, or an error that says how it ended. */
import { delay } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { SignoffError, isObject, isPassing, localProblem } from "./problem.js";
import type { ResultReply, RowError, RunRow } from "./protocol.js";
import type { RunOutcome, RunView } from "./run.js";
import { after } from "./timer.js";
import type { Reply } from "./transport.js";

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

  constructor(run: RunRow, outcome: Exclude<RunOutcome, "completed">, error: RowError | null = run.error) {
    const { code, message } = error ?? { code: outcome, message: null };
    super(`Run ${run.id} ${outcome === "failed" ? "failed" : "was cancelled"}: ${message ?? code}`);
    this.name = "RunEndedError";
    this.run = run;
    this.outcome = outcome;
    this.code = code;
  }
}

/** Where a result comes from. */
export interface ResultSource {
  /** Tells when the run is over. */
  readonly view: RunView;
  /** Asks the server how it ended: operators are told more than the rows show. */
  readonly ask: () => Promise<Reply<keyof ResultReply>>;
  readonly backoff: Backoff;
  /** The client's end. */
  readonly closed: AbortSignal;
}

/**
 * Resolve with a run's output, undefined where its workflow does not show it.
 *
 * Rejects with a RunEndedError if it failed or was cancelled, and with a SignoffError where it
 * cannot be followed: not allowed, not there, no time left, or the client closed.
 */
export function awaitResult({ view, ask, backoff, closed }: ResultSource, { signal, timeout }: ResultOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const undo: (() => void)[] = [];
    let over = false;
    const settle = (act: () => void): void => {
      over = true;
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
    let asking = false;
    const tell = async (run: RunRow, outcome: RunOutcome, attempt: number): Promise<void> => {
      const told = read(await ask(), run, outcome);
      if (over) return;
      if (told.kind === "later") undo.push(after(delay(backoff, attempt, told.retryAfterMs), () => void tell(run, outcome, attempt + 1)));
      else if (told.kind === "failed") fail(told.error);
      else if (told.kind === "completed") settle(() => { resolve(told.output); });
      else asking = false;
    };
    const look = (): void => {
      const { connection, error, run, outcome } = view.getSnapshot();
      if (asking || over) return;
      if (run !== undefined && outcome !== undefined) {
        asking = true;
        void tell(run, outcome, 0);
      } else if (connection === "failed" && error !== undefined) {
        fail(new SignoffError(error));
      } else if (connection === "ended") {
        fail(new SignoffError(localProblem("no_outcome", "The run's stream ended without telling how the run did")));
      }
    };
    // In a moment: a view that is live already tells while it is still being subscribed to.
    undo.push(view.subscribe(() => { queueMicrotask(look); }));
    if (timeout !== undefined) {
      undo.push(after(timeout, () => { fail(new SignoffError(localProblem("timeout", "The run was not over in time"))); }));
    }
    onAbort(closed, () => new SignoffError(localProblem("closed", "The client was closed")));
    if (signal !== undefined) {
      onAbort(signal, () => (signal.reason instanceof Error ? signal.reason : new DOMException("The wait was called off", "AbortError")));
    }
    look();
  });
}

type Told =
  | { readonly kind: "completed"; readonly output: unknown }
  | { readonly kind: "failed"; readonly error: RunEndedError }
  /** The server could not say. */
  | { readonly kind: "later"; readonly retryAfterMs: number | undefined }
  /** It goes on: it was rewound since its row said that it was over. */
  | { readonly kind: "goes on" };

/** Read what the server says of a run that is over; its row speaks where the server has no word on it. */
function read(reply: Reply<keyof ResultReply>, run: RunRow, outcome: RunOutcome): Told {
  if (reply.ok) {
    // A captive portal's 200 tells of no run.
    if (!isObject(reply.body.run)) return { kind: "later", retryAfterMs: undefined };
    return reply.status === 202 ? { kind: "goes on" } : { kind: "completed", output: reply.body.output };
  }
  const { problem } = reply;
  if (isPassing(problem.status)) return { kind: "later", retryAfterMs: problem.retryAfterMs };
  const ended = { run_failed: "failed", run_cancelled: "cancelled" } as const;
  const told = problem.code === "run_failed" || problem.code === "run_cancelled" ? ended[problem.code] : undefined;
  if (told !== undefined) return { kind: "failed", error: new RunEndedError(problem.run ?? run, told, problem.error) };
  if (outcome === "completed") return { kind: "completed", output: run.output };
  return { kind: "failed", error: new RunEndedError(run, outcome) };
}
