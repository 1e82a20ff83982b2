/** Views that show one live stream, or several as one, for as long as they are watched. */
import type { LiveState, Rows, WatchableStream } from "./live.js";
import type { SignoffProblem } from "./problem.js";
import { View } from "./view.js";
import type { ConnectionState, Registration } from "./view.js";

/** Several streams' states side by side, in the order in which the streams were given. */
export type States = readonly LiveState[];

const NOT_YET: LiveState = { connection: "connecting", error: undefined, rows: new Map() };

export class StreamView<S> extends View<S> {
  readonly #open: () => readonly WatchableStream[];
  readonly #project: (states: States, previous: S | undefined) => S;
  readonly #registration: Registration;
  #releases: readonly (() => void)[] = [];

  /**
   * @param open gives the streams when the first listener comes
   * @param initial is what to show before that
   * @param project makes a snapshot of their states; `previous` lets it keep lists that did not change
   */
  constructor(
    open: () => readonly WatchableStream[],
    project: (states: States, previous: S | undefined) => S,
    registration: Registration,
    initial: States = [NOT_YET],
  ) {
    super(project(initial, undefined));
    this.#open = open;
    this.#project = project;
    this.#registration = registration;
  }

  protected override onFirst(): void {
    this.#registration.onNeeded();
    const streams = this.#open();
    let states: States = [];
    const update = (): void => {
      const now = streams.map((stream) => stream.state);
      if (now.every((state, index) => state === states[index])) return;
      states = now;
      this.publish(this.#project(states, this.getSnapshot()));
    };
    this.#releases = streams.map((stream) => stream.retain(update));
    update();
  }

  protected override onLast(): void {
    for (const release of this.#releases) release();
    this.#releases = [];
    this.#registration.onIdle();
  }
}

/** What several connections amount to: the worst news first. */
export function overall(states: States): { connection: ConnectionState; error?: SignoffProblem } {
  const order: readonly ConnectionState[] = ["failed", "connecting", "reconnecting", "live", "ended"];
  const connection = order.find((kind) => states.some((state) => state.connection === kind)) ?? "connecting";
  // Nothing to follow is followed completely.
  if (states.length === 0) return { connection: "live" };
  const error = states.find((state) => state.connection === connection)?.error;
  return { connection, ...(error === undefined ? {} : { error }) };
}

/** The rows of one type, with the type a workflow protocol gives them. */
export function rowsOf<R>(rows: Rows, type: string): readonly R[] {
  return (rows.get(type) ?? NONE) as readonly R[];
}

const NONE: readonly never[] = [];
