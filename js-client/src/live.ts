/**
 * Live streams: one connection per address however many look at it, kept up for as long as somebody does.
 *
 * A stream keeps its last rows on show while it reconnects, and every new connection starts over
 * from the beginning of the (compact) stream, so no lost batch, compaction or restart of the server
 * can leave it half right.
 */
import { deepEquals } from "@tanstack/db";
import { delay, liveBackoff, recoverBackoff } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { Connection } from "./connection.js";
import type { RowReader } from "./connection.js";
import type { Network, WakeReason } from "./network.js";
import type { SignoffProblem } from "./problem.js";
import type { Row } from "./rows.js";
import { after } from "./timer.js";
import { stableList } from "./view.js";
import type { ConnectionState } from "./view.js";

/** Time, in milliseconds; the defaults suit people, tests choose others. */
export interface Timing {
  /** How long a stream nobody looks at stays open: React's StrictMode and page changes come back at once. */
  readonly grace: number;
  /** How long a connection may deliver nothing before its rows are complete; then it counts as dead. */
  readonly patience: number;
  /** The same from then on. The server says something every 15 seconds; one that is asked to be quieter needs more. */
  readonly silence: number;
  /** The same after waking up, when a batch is due at once. */
  readonly wake: number;
  /** How long an accepted answer waits to be seen in the stream. */
  readonly confirm: number;
  readonly live: Backoff;
  /** Waits before what failed (not signed in, not allowed, not there) is tried again without anybody asking for it. */
  readonly recover: Backoff;
  /** How long the token provider may take. */
  readonly token: number;
  /** A run's stream may be just being created: how often a 404 is tried again before it is believed. */
  readonly notFoundTries: number;
  /** How often to look whether an inbox or listing that does not exist yet has come to be. */
  readonly poll: number;
}

export const defaultTiming: Timing = {
  grace: 1_000,
  patience: 20_000,
  silence: 40_000,
  wake: 4_000,
  confirm: 5_000,
  live: liveBackoff,
  recover: recoverBackoff,
  token: 10_000,
  notFoundTries: 4,
  poll: 5_000,
};

/** What a missing stream means: not there yet, or (an inbox nobody ever wrote to) simply empty. */
export type WhenMissing = "fail" | "empty";

/** The rows of one stream, by type, in order of first appearance; immutable. */
export type Rows = ReadonlyMap<string, readonly Row[]>;

export interface LiveState {
  readonly connection: ConnectionState;
  readonly error: SignoffProblem | undefined;
  readonly rows: Rows;
}

/** A stream as views use it. */
export type WatchableStream = Pick<LiveStream, "state" | "retain" | "awaitTxId">;

interface LiveOptions {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly network: Network;
  readonly timing: Timing;
  readonly whenMissing: WhenMissing;
  /** Called when nobody looks any more and the connection is closed. */
  readonly onIdle: () => void;
}

const EMPTY: Rows = new Map();
const STEADY_MS = 5_000;

/** One stream, ref-counted. */
export class LiveStream {
  readonly #options: LiveOptions;
  readonly #listeners = new Set<() => void>();
  #state: LiveState = { connection: "connecting", error: undefined, rows: EMPTY };
  #connection: Connection | undefined;
  #attempt = 0;
  #missing = 0;
  #liveSince: number | undefined;
  /** How often in a row trying again would not have helped, and when a wake-up may try again. */
  #failures = 0;
  #mayRecoverAt = 0;
  #cancelRetry: (() => void) | undefined;
  #cancelShut: (() => void) | undefined;
  #stopListening: (() => void) | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Look at the stream until the returned function is called; `listener` hears of every change. */
  retain(listener: () => void): () => void {
    const entry = (): void => { listener(); };
    this.#listeners.add(entry);
    this.#cancelShut?.();
    this.#stopListening ??= this.#open();
    return () => {
      if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
      this.#cancelShut = after(this.#options.timing.grace, () => { this.#shut(); });
    };
  }

  /** Wait until the rows changed by `txid` are on show; false if that was not seen in time. */
  async awaitTxId(txid: string): Promise<boolean> {
    return (await this.#connection?.awaitTxId(txid, this.#options.timing.confirm)) ?? false;
  }

  /** Close the connection, whoever looks; what was last known stays on show. */
  close(): void {
    this.#cancelShut?.();
    this.#shut();
  }

  #open(): () => void {
    this.#attempt = 0;
    this.#missing = 0;
    this.#failures = 0;
    this.#set({ connection: "connecting", error: undefined });
    this.#connect();
    return this.#options.network.onWake((reason) => { this.#wake(reason); });
  }

  #wake(reason: WakeReason): void {
    const { connection } = this.#state;
    if (connection === "ended") return;
    if (reason === "reconnect") {
      this.#connect();
    } else if (connection === "failed") {
      // The attempt under way brings a token, too: were that a reason to start over, it would never end.
      if (this.#connection !== undefined) return;
      // However often a window gets the focus, a server that refuses is not asked in a burst.
      const wait = Math.min(Math.max(this.#mayRecoverAt - Date.now(), 0), this.#options.timing.live.most);
      if (wait === 0) this.#connect();
      else this.#retryIn(wait);
    } else if (reason === "online" || (this.#cancelRetry !== undefined && reason !== "token")) {
      // A connection made before the network went away may be dead without knowing it.
      this.#connect();
    } else if (reason === "visible") {
      this.#connection?.expectBatch(this.#options.timing.wake);
    }
  }

  #shut(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#drop();
    this.#options.onIdle();
  }

  #drop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#connection?.close();
    this.#connection = undefined;
  }

  #connect(): void {
    this.#drop();
    const { url, fetch, network, timing } = this.#options;
    this.#connection = new Connection(
      { url, fetch, network, patience: timing.patience, silence: timing.silence },
      {
        onRows: (rows) => { this.#received(rows); },
        onEnded: () => {
          this.#set({ connection: "ended", error: undefined });
        },
        onLost: (problem) => { this.#lost(problem); },
      },
    );
  }

  #received(rows: RowReader): void {
    this.#liveSince ??= Date.now();
    this.#missing = 0;
    this.#failures = 0;
    this.#set({ connection: "live", error: undefined, rows: carryOver(this.#state.rows, rows) });
  }

  #lost(problem: SignoffProblem): void {
    this.#connection = undefined;
    if (this.#liveSince !== undefined && Date.now() - this.#liveSince > STEADY_MS) this.#attempt = 0;
    this.#liveSince = undefined;
    if (problem.status === 404) {
      this.#notFound(problem);
    } else if (isFinal(problem.status)) {
      this.#fail(problem);
    } else {
      this.#set({ connection: "reconnecting", error: problem });
      this.#retryIn(delay(this.#options.timing.live, this.#attempt++, problem.retryAfterMs));
    }
  }

  #notFound(problem: SignoffProblem): void {
    const { whenMissing, timing } = this.#options;
    if (whenMissing === "empty") {
      this.#set({ connection: "live", error: undefined, rows: EMPTY });
      this.#retryIn(timing.poll);
    } else if (this.#missing++ < timing.notFoundTries) {
      this.#retryIn(delay(timing.live, this.#missing - 1));
    } else {
      this.#fail(problem);
    }
  }

  #fail(problem: SignoffProblem): void {
    const { live, recover } = this.#options.timing;
    const failures = this.#failures++;
    this.#mayRecoverAt = Date.now() + delay(live, failures);
    this.#retryIn(delay(recover, failures, problem.retryAfterMs));
    this.#set({ connection: "failed", error: problem });
  }

  #retryIn(ms: number): void {
    this.#cancelRetry?.();
    this.#cancelRetry = after(ms, () => { this.#connect(); });
  }

  #set(change: Partial<LiveState>): void {
    const next = { ...this.#state, ...change };
    const { connection, error, rows } = this.#state;
    if (next.connection === connection && next.error === error && next.rows === rows) return;
    this.#state = next;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Hands out the one live stream of each address. */
export class LiveStreams {
  readonly #streams = new Map<string, LiveStream>();
  readonly #common: Pick<LiveOptions, "fetch" | "network" | "timing">;

  constructor(common: Pick<LiveOptions, "fetch" | "network" | "timing">) {
    this.#common = common;
  }

  at(url: string, whenMissing: WhenMissing): LiveStream {
    const present = this.#streams.get(url);
    if (present !== undefined) return present;
    const stream = new LiveStream({
      ...this.#common,
      url,
      whenMissing,
      onIdle: () => { this.#streams.delete(url); },
    });
    this.#streams.set(url, stream);
    return stream;
  }

  /** A stream that cannot be: its address is no address. */
  refused(problem: SignoffProblem): WatchableStream {
    return {
      state: { connection: "failed", error: problem, rows: EMPTY },
      retain: () => () => undefined,
      awaitTxId: () => Promise.resolve(false),
    };
  }

  close(): void {
    for (const stream of [...this.#streams.values()]) stream.close();
  }
}

/** Statuses that trying again does not change: not signed in, not allowed, never there again, nonsense. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![404, 408, 410, 425, 429].includes(status);
}

/** Take over new rows, keeping the very objects and lists that did not change. */
function carryOver(previous: Rows, next: RowReader): Rows {
  const lists = new Map<string, readonly Row[]>();
  let same = previous.size === next.size;
  for (const [type, rows] of next) {
    const before = previous.get(type);
    const old = new Map(before?.map((row) => [row.id, row]));
    const list = stableList(before, [...rows].map(([key, row]) => keep(old.get(key), row)));
    same &&= list === before;
    lists.set(type, list);
  }
  return same ? previous : lists;
}

function keep(old: Row | undefined, row: Row): Row {
  return old === row || (old !== undefined && deepEquals(old, row)) ? old : row;
}

