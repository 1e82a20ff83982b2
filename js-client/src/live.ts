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
import type { Handed } from "./handed.js";
import type { Keeper } from "./kept-rows.js";
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
  /** How often to look for an output that no step has opened yet. */
  readonly look: number;
  /** How long a draft waits for more before it is saved, and how long at most while somebody types. */
  readonly draft: number;
  readonly draftMost: number;
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
  look: 1_000,
  draft: 1_000,
  draftMost: 5_000,
};

/** What a missing stream means: not there yet, or (an inbox nobody ever wrote to) simply empty. */
export type WhenMissing = "fail" | "empty";

/** The rows of one stream, by type, in order of first appearance; immutable. */
export type Rows = ReadonlyMap<string, readonly Row[]>;

export interface LiveState {
  readonly connection: ConnectionState;
  readonly error: SignoffProblem | undefined;
  readonly rows: Rows;
  /** Set while the rows may be old: when they were last known to be complete, as RFC 3339 in UTC. */
  readonly asOf?: string | undefined;
}

/** A stream as views use it. */
export type WatchableStream = Pick<LiveStream, "state" | "retain" | "awaitTxId">;

interface LiveOptions {
  readonly url: string;
  /** Its path, `runs/claim-1`. */
  readonly name: string;
  readonly fetch: typeof fetch;
  readonly network: Network;
  readonly timing: Timing;
  readonly whenMissing: WhenMissing;
  /** Where the last rows are kept for when the page is opened offline. */
  readonly keeper: Keeper | undefined;
  /** What the page was rendered with. */
  readonly handed: Handed;
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
  /** When the rows were last known to be complete, in milliseconds. */
  #completeAt: number | undefined;
  /** What stands on show for each row of the present connection: itself, or the equal one that was there before. */
  readonly #shownAs = new WeakMap<Row, Row>();
  /** True while the rows are those of an earlier page, or of the server that rendered this one. */
  #fromElsewhere = false;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.begin();
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Begin with what the page was rendered with, until there is more. */
  begin(): void {
    const handover = this.#options.handed.of(this.#options.name);
    if (handover === undefined || this.#completeAt !== undefined || this.#state.connection === "failed") return;
    this.#fromElsewhere = true;
    this.#completeAt = Date.parse(handover.asOf);
    this.#set(handover);
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
    void this.#options.keeper?.load().then((known) => {
      if (known === undefined || this.#completeAt !== undefined || this.#state.connection === "failed") return;
      this.#fromElsewhere = true;
      this.#completeAt = Date.parse(known.asOf);
      this.#set({ connection: "reconnecting", rows: known.rows, asOf: known.asOf });
    });
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
    this.#options.keeper?.left();
    this.#options.onIdle();
  }

  #drop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#completeAt = this.#connection?.completeAt ?? this.#completeAt;
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
          this.#set({ connection: "ended", error: undefined, asOf: undefined });
        },
        onLost: (problem) => { this.#lost(problem); },
      },
    );
  }

  #received(rows: RowReader): void {
    if (this.#liveSince === undefined) this.#options.handed.overtaken(this.#options.name);
    this.#liveSince ??= Date.now();
    this.#missing = 0;
    this.#failures = 0;
    this.#completeAt = Date.now();
    this.#fromElsewhere = false;
    this.#set({ connection: "live", error: undefined, rows: this.#carryOver(rows), asOf: undefined });
    this.#options.keeper?.changed(() => ({
      rows: this.#state.rows,
      asOf: new Date(this.#connection?.completeAt ?? this.#completeAt ?? 0).toISOString(),
    }));
  }

  /** Take over new rows, keeping the very objects and lists that did not change. */
  #carryOver(next: RowReader): Rows {
    const previous = this.#state.rows;
    const lists = new Map<string, readonly Row[]>();
    let same = previous.size === next.size;
    for (const [type, rows] of next) {
      const before = previous.get(type);
      const changed = [...rows.values()].some((row) => !this.#shownAs.has(row));
      const old = changed ? new Map(before?.map((row) => [row.id, row])) : undefined;
      const list = stableList(before, [...rows.values()].map((row) => this.#shownAs.get(row) ?? this.#keep(old?.get(row.id), row)));
      same &&= list === before;
      lists.set(type, list);
    }
    return same ? previous : lists;
  }

  /** Look once at a row that has come: as long as it is not replaced, nothing need be compared again. */
  #keep(old: Row | undefined, row: Row): Row {
    const shown = old !== undefined && deepEquals(old, row) ? old : row;
    this.#shownAs.set(row, shown);
    return shown;
  }

  #lost(problem: SignoffProblem): void {
    this.#completeAt = this.#connection?.completeAt ?? this.#completeAt;
    this.#connection = undefined;
    if (this.#liveSince !== undefined && Date.now() - this.#liveSince > STEADY_MS) this.#attempt = 0;
    this.#liveSince = undefined;
    if (problem.status === 404) {
      this.#notFound(problem);
    } else if (isFinal(problem.status)) {
      this.#fail(problem);
    } else {
      this.#set({ connection: "reconnecting", error: problem, asOf: this.#asOf });
      this.#retryIn(delay(this.#options.timing.live, this.#attempt++, problem.retryAfterMs));
    }
  }

  #notFound(problem: SignoffProblem): void {
    const { whenMissing, timing } = this.#options;
    if (whenMissing === "empty") {
      this.#options.handed.overtaken(this.#options.name);
      this.#set({ connection: "live", error: undefined, rows: EMPTY, asOf: undefined });
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
    // Not signed in may pass; not allowed, or not there, is no matter of the network.
    const denied = problem.status !== 401;
    if (denied) {
      this.#options.keeper?.drop();
      this.#options.handed.overtaken(this.#options.name);
    }
    const none = denied && this.#fromElsewhere ? { rows: EMPTY, asOf: undefined } : { asOf: this.#asOf };
    this.#set({ connection: "failed", error: problem, ...none });
  }

  get #asOf(): string | undefined {
    return this.#completeAt === undefined ? undefined : new Date(this.#completeAt).toISOString();
  }

  #retryIn(ms: number): void {
    this.#cancelRetry?.();
    this.#cancelRetry = after(ms, () => { this.#connect(); });
  }

  #set(change: Partial<LiveState>): void {
    const next = { ...this.#state, ...change };
    const { connection, error, rows, asOf } = this.#state;
    if (next.connection === connection && next.error === error && next.rows === rows && next.asOf === asOf) return;
    this.#state = next;
    for (const listener of [...this.#listeners]) listener();
  }
}

type Common = Pick<LiveOptions, "fetch" | "network" | "timing" | "handed">;

/** Hands out the one live stream of each address. */
export class LiveStreams {
  readonly #streams = new Map<string, LiveStream>();
  readonly #common: Common;
  readonly #keeperOf: (url: string) => Keeper | undefined;

  constructor({ keeperOf, ...common }: Common & { readonly keeperOf: (url: string) => Keeper | undefined }) {
    this.#common = common;
    this.#keeperOf = keeperOf;
  }

  at(name: string, url: string, whenMissing: WhenMissing): LiveStream {
    const present = this.#streams.get(url);
    if (present !== undefined) return present;
    const stream = new LiveStream({
      ...this.#common,
      name,
      url,
      whenMissing,
      keeper: this.#keeperOf(url),
      onIdle: () => { this.#streams.delete(url); },
    });
    this.#streams.set(url, stream);
    return stream;
  }

  /** Rows were handed to the page: what is being opened may begin with them. */
  begin(): void {
    for (const stream of [...this.#streams.values()]) stream.begin();
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
