/** Views that show one live stream, or several as one, for as long as they are watched. */
import { handoverOf } from "./handed.js";
import type { HandedRows, HandedStream, Read } from "./handed.js";
import type { LiveState, Rows, WatchableStream } from "./live.js";
import type { SignoffProblem } from "./problem.js";
import { View } from "./view.js";
import type { ConnectionState, ReadableOnce, Registration } from "./view.js";

/** Several streams' states side by side, in the order in which the streams were given. */
export type States = readonly LiveState[];

const NOT_YET: LiveState = { connection: "connecting", error: undefined, rows: new Map() };

/** One stream of a view. */
export interface Source {
  /** Its path, `runs/claim-1`. */
  readonly name: string;
  readonly open: () => WatchableStream;
  /** Read it once; rejects with a SignoffError. */
  readonly read: () => Promise<HandedStream>;
}

export class StreamView<S> extends View<S> implements ReadableOnce<S> {
  readonly #sources: readonly Source[];
  readonly #project: (states: States, previous: S | undefined) => S;
  readonly #registration: Registration;
  #releases: readonly (() => void)[] = [];

  /**
   * @param sources are opened when the first listener comes
   * @param project makes a snapshot of their states; `previous` lets it keep lists that did not change
   */
  constructor(sources: readonly Source[], project: (states: States, previous: S | undefined) => S, registration: Registration) {
    super(project(sources.map(() => NOT_YET), undefined));
    this.#sources = sources;
    this.#project = project;
    this.#registration = registration;
  }

  readonly read = async (): Promise<Read<S>> => {
    const rows = await Promise.all(this.#sources.map((source) => source.read()));
    return { rows, snapshot: this.getInitialSnapshot(rows) };
  };

  protected override beginning(handed: HandedRows): S | undefined {
    const found = this.#sources.map(({ name }) => handoverOf(handed, name));
    if (found.every((one) => one === undefined)) return undefined;
    return this.#project(found.map((one) => (one === undefined ? NOT_YET : { ...NOT_YET, ...one })), undefined);
  }

  protected override onFirst(): void {
    this.#registration.onNeeded();
    const streams = this.#sources.map((source) => source.open());
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
export function overall(states: States): { connection: ConnectionState; error?: SignoffProblem; asOf?: string } {
  const order: readonly ConnectionState[] = ["failed", "connecting", "reconnecting", "live", "ended"];
  const connection = order.find((kind) => states.some((state) => state.connection === kind)) ?? "connecting";
  // Nothing to follow is followed completely.
  if (states.length === 0) return { connection: "live" };
  const error = states.find((state) => state.connection === connection)?.error;
  const [asOf] = states.flatMap((state) => state.asOf ?? []).sort();
  return { connection, ...(error === undefined ? {} : { error }), ...(asOf === undefined ? {} : { asOf }) };
}

/** The rows of one type, with the type a workflow protocol gives them. */
export function rowsOf<R>(rows: Rows, type: string): readonly R[] {
  return (rows.get(type) ?? NONE) as readonly R[];
}

const NONE: readonly never[] = [];
