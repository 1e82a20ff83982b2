/**
 * One attempt to follow one stream: a StreamDB and its one connection, thrown away when it breaks.
 *
 * StreamDB keeps to itself that its connection is gone: a lost connection, a bad batch and a
 * closed stream all end its consumer for good, and preload() may wait for ever. So the stream
 * handle it is given reports the end of the session, a watchdog hears every byte that arrives and
 * bounds every silence, and what follows (try again, give up, be content) is decided above, in live.ts.
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
import { Silence } from "./silence.js";

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
 * The rows as of now, by type and key, in the order in which they first appeared, as they are on the
 * wire. An unchanged row is the same object as before; the maps are live, so copy what is kept.
 */
export type RowReader = ReadonlyMap<string, ReadonlyMap<string, Row>>;

export interface ConnectionOptions {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly network: Network;
  /** Milliseconds without a byte, before the rows are complete, after which the connection counts as dead. */
  readonly patience: number;
  /** The same from then on; longer than the server is ever silent. */
  readonly silence: number;
}

export class Connection {
  readonly #db: StreamDB<RowTypes>;
  readonly #events: ConnectionEvents;
  readonly #silence: Silence;
  /** The values of all rows. StreamDB's own collections add columns, and names of ours could be the application's. */
  readonly #state = new MaterializedState();
  readonly #rows = new Map<string, Map<string, Row>>();
  /** Types and keys that changed since the rows were last read. */
  readonly #dirty = new Map<string, Set<string>>();
  #ready = false;
  #sawClosure = false;
  #done = false;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events;
    this.#silence = new Silence({
      ...options,
      onDead: () => { this.#lose(localProblem("timeout", "The server did not answer in time")); },
    });
    const stream = new WatchedStream(
      {
        url: options.url,
        fetch: this.#silence.fetch,
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
        // StreamDB commits the batch right after this callback returns.
        queueMicrotask(() => { this.#emit(); });
      },
    });
    this.#db.preload().then(
      () => {
        this.#ready = true;
        this.#silence.ready();
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

  /** When the rows were last known to be complete: whenever anything was heard since they were. */
  get completeAt(): number | undefined {
    return this.#silence.completeAt;
  }

  /** Call the connection dead unless something is heard within `ms`. */
  expectBatch(ms: number): void {
    if (!this.#sawClosure) this.#silence.expect(ms);
  }

  close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#silence.stop();
    this.#db.close();
  }

  #note(event: ChangeEvent): void {
    const { type, key } = event;
    const keys = this.#dirty.get(type) ?? new Set<string>();
    this.#dirty.set(type, keys.add(key));
    if (event.headers.operation === "delete" || isObject(event.value)) this.#state.apply(event);
  }

  #emit(): void {
    if (!this.#ready || this.#done) return;
    for (const [type, keys] of this.#dirty) {
      const rows = this.#rows.get(type) ?? new Map<string, Row>();
      this.#rows.set(type, rows);
      for (const key of keys) {
        const value = this.#state.get<object>(type, key);
        if (value === undefined) rows.delete(key);
        else rows.set(key, { ...value, id: key });
      }
    }
    this.#dirty.clear();
    this.#events.onRows(this.#rows);
    if (!this.#sawClosure) return;
    this.#silence.stop();
    this.#events.onEnded();
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
