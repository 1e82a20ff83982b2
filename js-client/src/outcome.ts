/** How a run ended, to subscribe to: its output, or why there is none. */
import type { HandedRows } from "./handed.js";
import { FedView } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import { SignoffError, networkProblem } from "./problem.js";
import { RunEndedError, awaitResult } from "./result.js";
import type { ResultSource } from "./result.js";
import type { RunSnapshot } from "./run.js";
import type { Readable } from "./view.js";

export type OutcomeSnapshot<T = unknown> =
  /** It goes on. */
  | { readonly status: "pending" }
  /** `output` is undefined where neither the workflow shows it nor an operator asks. */
  | { readonly status: "completed"; readonly output: T }
  /** A failed run that an operator rewinds or retries is `pending` again. */
  | { readonly status: "failed" | "cancelled"; readonly error: RunEndedError }
  /** It cannot be followed: not allowed, not there. It is tried again. */
  | { readonly status: "unknown"; readonly error: SignoffError };

/** A run's end to subscribe to. */
export type OutcomeView<T = unknown> = Readable<OutcomeSnapshot<T>>;

const PENDING: OutcomeSnapshot = { status: "pending" };

export class LiveOutcomeView extends FedView<OutcomeSnapshot> implements OutcomeView {
  readonly #source: ResultSource;
  /** True while it shows what a server has read of the run. */
  #isHanded = false;

  constructor(options: FedOptions & ResultSource) {
    super(PENDING, options);
    this.#source = options;
  }

  override handed(rows: HandedRows): void {
    super.handed(rows);
    this.#isHanded = this.getSnapshot().status !== "pending";
  }

  protected override beginning(handed: HandedRows): OutcomeSnapshot | undefined {
    return endOf(this.#source.view.getInitialSnapshot(handed));
  }

  protected override feed(): () => void {
    const ending = new AbortController();
    const { signal } = ending;
    // Held for as long as this is fed, so that the run need not be read anew between two waits.
    const { view } = this.#source;
    const stop = view.subscribe(() => {
      const { connection, outcome } = view.getSnapshot();
      if (!this.#isHanded || connection !== "live" || outcome !== undefined) return;
      // It was rewound since.
      this.#isHanded = false;
      this.publish(PENDING);
    });
    void this.#follow(signal);
    return () => {
      ending.abort();
      stop();
    };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { view } = this.#source;
    while (!signal.aborted && !this.#source.closed.aborted) {
      let found: OutcomeSnapshot;
      try {
        found = { status: "completed", output: await awaitResult(this.#source, { signal }) };
      } catch (error) {
        if (error instanceof RunEndedError) found = { status: error.outcome, error };
        else found = { status: "unknown", error: error instanceof SignoffError ? error : new SignoffError(networkProblem(error)) };
      }
      // Aborted meanwhile, which lint cannot know.
      if ((signal as { aborted: boolean }).aborted) return;
      this.#isHanded = false;
      this.publish(found);
      if (found.status === "completed" || found.status === "cancelled") return;
      const changed = found.status === "failed"
        ? () => view.getSnapshot().outcome === undefined
        : () => view.getSnapshot().connection === "live" || view.getSnapshot().outcome !== undefined;
      await until(view, changed, signal);
      if (!(signal as { aborted: boolean }).aborted) this.publish(PENDING);
    }
  }
}

/** What a run's row says of its end; undefined: it goes on, or nothing is known of it. */
function endOf({ run, outcome }: RunSnapshot): OutcomeSnapshot | undefined {
  if (run === undefined || outcome === undefined) return undefined;
  return outcome === "completed" ? { status: outcome, output: run.output } : { status: outcome, error: new RunEndedError(run, outcome) };
}

/** Resolve when a view shows what is waited for, or the signal ends it. */
function until(view: Readable<unknown>, holds: () => boolean, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let over = false;
    const done = (): void => {
      if (over) return;
      over = true;
      queueMicrotask(() => { stop(); });
      resolve();
    };
    const look = (): void => { if (holds()) done(); };
    const stop = view.subscribe(look);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
    else look();
  });
}
