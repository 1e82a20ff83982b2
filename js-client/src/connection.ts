/**
 * One attempt to follow one stream: a StreamDB and its one connection, thrown away when it breaks.
 *
 * StreamDB keeps to itself that its connection is gone: a lost connection, a bad batch and a
 * closed stream all end its consumer for good, and preload() may wait for ever. So the stream
 * handle it is given reports the end of the session, a watchdog bounds every wait for a first
 * batch, and what follows (try again, give up, be content) is decided above, in live.ts.
 */
import { DurableStream } from "@durable-streams/client";
import { MaterializedState } from "@durable-streams/state";
import type { ChangeEvent } from "@durable-streams/state";
import { createStreamDB } from "@durable-streams/state/db";
import type { StreamDB } from "@durable-streams/state/db";
import type { DurableStreamOptions, StreamOptions, StreamResponse } from "@durable-streams/client";
import { isObject, localProblem, problemFrom } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { Network } from "./network.js";
import { rowDefinitions } from "./rows.js";
import type { Row } from "./rows.js";

type RowTypes = typeof rowDefinitions;

/** What a connection reports; after `onLost` nothing more. */
export interface ConnectionEvents {
  /** The rows are complete up to now; called again after each later batch. */
  onRows(rows: RowReader): void;
  /** The stream is closed for ever and all of it has been read; may be said twice. */
  onEnded(): void;
  /** The connection is of no more use. */
  onLost(problem: SignoffProblem): void;
}

/**
 * The rows as of now, by type and key, in the order in which they first appeared, without StreamDB's
 * own columns. An unchanged row is the same object as before; the maps are live, so copy what is kept.
 */
export type RowReader = ReadonlyMap<string, ReadonlyMap<string, Row>>;

export interface ConnectionOptions {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly network: Network;
  /** Milliseconds without a batch, while one is due, after which the connection counts as dead. */
  readonly patience: number;
}

export class Connection {
  readonly #db: StreamDB<RowTypes>;
  readonly #events: ConnectionEvents;
  readonly #options: ConnectionOptions;
  /** Rows of types this package does not know: the application's own. */
  readonly #others = new MaterializedState();
  readonly #rows = new Map<string, Map<string, Row>>();
  /** Types and keys that changed since the rows were last read. */
  readonly #dirty = new Map<string, Set<string>>();
  #ready = false;
  #sawClosure = false;
  #done = false;
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    const stream = new WatchedStream(
      {
        url: options.url,
        fetch: options.fetch,
        contentType: "application/json",
        warnOnHttp: false,
        // One try an attempt: patience, jitter and wake-ups are ours.
        backoffOptions: { initialDelay: 0, maxDelay: 0, multiplier: 1, maxRetries: 0 },
      },
      (error, streamClosed) => { this.#sessionOver(error, streamClosed); },
    );
    this.#db = createStreamDB({
      stream,
      live: "sse",
      state: rowDefinitions,
      onEvent: (event) => { this.#note(event); },
      onBatch: (batch) => {
        this.#sawClosure ||= batch.streamClosed;
        this.#disarm();
        // StreamDB commits the batch right after this callback returns.
        queueMicrotask(() => { this.#emit(); });
      },
    });
    this.expectBatch(options.patience);
    this.#db.preload().then(
      () => {
        this.#ready = true;
        this.#emit();
      },
      (error: unknown) => { this.#lose(problemFrom(error)); },
    );
  }

  /** Wait until the rows changed by `txid` are in, at most `timeout` ms. False: not seen on this connection. */
  async awaitTxId(txid: string, timeout: number): Promise<boolean> {
    try {
      await this.#db.utils.awaitTxId(txid, timeout);
      return true;
    } catch {
      return false;
    }
  }

  /** Call the connection dead unless a batch comes within `ms`. */
  expectBatch(ms: number): void {
    this.#disarm();
    if (this.#done) return;
    this.#watchdog = setTimeout(() => {
      // The client package pauses in the background; a batch is due again when the page comes to the front.
      if (this.#options.network.hidden) return;
      this.#lose(localProblem("timeout", "The server did not answer in time"));
    }, ms);
  }

  close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#disarm();
    this.#db.close();
  }

  #note(event: ChangeEvent): void {
    const { type, key } = event;
    const keys = this.#dirty.get(type) ?? new Set<string>();
    this.#dirty.set(type, keys.add(key));
    if (type in rowDefinitions) return;
    if (event.headers.operation === "delete" || isObject(event.value)) this.#others.apply(event);
  }

  #emit(): void {
    if (!this.#ready || this.#done) return;
    for (const [type, keys] of this.#dirty) {
      const rows = this.#rows.get(type) ?? new Map<string, Row>();
      this.#rows.set(type, rows);
      for (const key of keys) {
        const value = this.#value(type, key);
        if (value === undefined) rows.delete(key);
        else rows.set(key, publicRow(key, value));
      }
    }
    this.#dirty.clear();
    this.#events.onRows(this.#rows);
    if (!this.#sawClosure) return;
    this.#disarm();
    this.#events.onEnded();
  }

  #value(type: string, key: string): object | undefined {
    if (type in rowDefinitions) return this.#db.collections[type as keyof RowTypes].get(key);
    return this.#others.get<object>(type, key);
  }

  /** The session may be over before its last batch has been read; `#emit` waits for that. */
  #sessionOver(error: unknown, streamClosed: boolean): void {
    if (error !== undefined) {
      this.#lose(problemFrom(error));
    } else if (streamClosed) {
      this.#sawClosure = true;
      setTimeout(() => { this.#emit(); });
    } else {
      this.#lose(localProblem("interrupted", "The stream was interrupted"));
    }
  }

  #lose(problem: SignoffProblem): void {
    if (this.#done) return;
    this.close();
    this.#events.onLost(problem);
  }

  #disarm(): void {
    clearTimeout(this.#watchdog);
  }
}

/** A stream handle that tells how its session ended, before StreamDB hears of it. */
class WatchedStream extends DurableStream {
  readonly #onOver: OnOver;

  constructor(options: DurableStreamOptions, onOver: OnOver) {
    super(options);
    this.#onOver = onOver;
  }

  override async stream<T>(options?: Omit<StreamOptions, "url">): Promise<StreamResponse<T>> {
    const session = await super.stream<T>(options);
    session.closed.then(
      () => { this.#onOver(undefined, session.streamClosed); },
      (error: unknown) => { this.#onOver(error, false); },
    );
    return session;
  }
}

/** Hears of a session's end: the error that ended it, if any, and whether the stream itself is closed. */
type OnOver = (error: unknown, streamClosed: boolean) => void;

/** Take off what StreamDB and TanStack DB add to a row. */
function publicRow(key: string, value: object): Row {
  const members = Object.entries(value).filter(([name]) => name !== "_seq" && !name.startsWith("$"));
  return { ...Object.fromEntries(members), id: key };
}
