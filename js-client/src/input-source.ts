/**
 * Where the row of one request comes from: the run's stream; for those who are asked but may not
 * read the run, the request itself, asked for again and again while it is open.
 */
import { delay } from "./backoff.js";
import type { HandedStream } from "./handed.js";
import type { Timing, WatchableStream } from "./live.js";
import type { Network, WakeReason } from "./network.js";
import { SignoffError, badReply, isObject } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { InputReply, InputRow } from "./protocol.js";
import { rowsOf } from "./stream-view.js";
import { after } from "./timer.js";
import type { Result, Transport } from "./transport.js";
import type { ConnectionState } from "./view.js";

export interface SourceState {
  readonly connection: ConnectionState;
  readonly error: SignoffProblem | undefined;
  readonly row: InputRow | undefined;
  /** Set while the row may be old: when it was last known, as RFC 3339 in UTC. */
  readonly asOf?: string | undefined;
}

export interface SourceOptions {
  readonly runId: string;
  readonly key: string;
  readonly transport: Transport;
  readonly network: Network;
  readonly timing: Pick<Timing, "poll" | "live" | "recover">;
  readonly openStream: () => WatchableStream;
}

const NOTHING: SourceState = { connection: "connecting", error: undefined, row: undefined };

export class InputSource {
  readonly #options: SourceOptions;
  #state: SourceState = NOTHING;
  #stream: WatchableStream | undefined;
  #stopPolling: (() => void) | undefined;
  #askedAt: string | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
  }

  get state(): SourceState {
    return this.#state;
  }

  /** Keep the row current until the returned function is called. */
  open(listener: () => void): () => void {
    const stream = this.#options.openStream();
    this.#stream = stream;
    const read = (): void => {
      const { connection, error, rows, asOf } = stream.state;
      if (error?.status === 403) {
        this.#stopPolling ??= this.#poll(listener);
        return;
      }
      if (this.#stopPolling !== undefined) {
        // Asking goes on until the stream has what was asked for.
        if (connection !== "live" && connection !== "ended") return;
        this.#stopPolling();
        this.#stopPolling = undefined;
      }
      const row = rowsOf<InputRow>(rows, "input").find(({ id }) => id === this.#options.key);
      this.#state = { connection, error, row, asOf };
      listener();
    };
    const release = stream.retain(read);
    read();
    return () => {
      release();
      this.#stopPolling?.();
      this.#stopPolling = undefined;
    };
  }

  /** Forget what was known: whoever opens it next is told nothing old. */
  reset(): void {
    this.#state = NOTHING;
    this.#askedAt = undefined;
  }

  /**
   * Wait until the stream has shown the change; false if it was not seen in time, or there is no stream.
   *
   * True at once for those who may not read it: to them the reply is all the confirmation there will be.
   */
  async awaitTxId(txid: string): Promise<boolean> {
    if (this.#stopPolling !== undefined) return true;
    return (await this.#stream?.awaitTxId(txid)) ?? false;
  }

  /** Ask for the request until the returned function is called, or it is settled. */
  #poll(listener: () => void): () => void {
    const { network, timing } = this.#options;
    let over = false;
    let asking = false;
    let failures = 0;
    let mayAskAt = 0;
    let cancel: (() => void) | undefined;
    const ask = async (): Promise<void> => {
      cancel?.();
      if (asking) return;
      asking = true;
      const state = await this.#ask();
      asking = false;
      if (isOver()) return;
      this.#state = state;
      listener();
      if (state.connection === "ended") {
        stop();
        return;
      }
      failures = state.connection === "live" ? 0 : failures + 1;
      mayAskAt = Date.now() + (failures === 0 ? 0 : delay(timing.live, failures - 1));
      const backoff = state.connection === "failed" ? timing.recover : timing.live;
      const wait = failures === 0 ? timing.poll : delay(backoff, failures - 1, state.error?.retryAfterMs);
      // A wake-up may have set a timer meanwhile: one at a time, whoever sets it last.
      cancel?.();
      cancel = after(wait, () => void ask());
    };
    const isOver = (): boolean => over;
    const wake = (reason: WakeReason): void => {
      const failed = this.#state.connection === "failed";
      if (reason === "token" && !failed) return;
      // However often a window gets the focus, a server that refuses is not asked in a burst.
      const wait = failed && reason !== "reconnect" ? Math.min(mayAskAt - Date.now(), timing.live.most) : 0;
      cancel?.();
      if (wait <= 0) void ask();
      else cancel = after(wait, () => void ask());
    };
    const stopListening = network.onWake(wake);
    const stop = (): void => {
      over = true;
      cancel?.();
      stopListening();
    };
    void ask();
    return stop;
  }

  async #ask(): Promise<SourceState> {
    const reply = await askInput(this.#options);
    if (!reply.ok) {
      const { problem } = reply;
      const final = problem.status >= 400 && problem.status < 500 && problem.status !== 429;
      return this.#old(final ? "failed" : "reconnecting", problem);
    }
    const { row } = reply;
    this.#askedAt = new Date().toISOString();
    return { connection: isOpen(row) ? "live" : "ended", error: undefined, row };
  }

  #old(connection: ConnectionState, error: SignoffProblem): SourceState {
    return { connection, error, row: this.#state.row, asOf: this.#askedAt };
  }
}

type Asked = Pick<SourceOptions, "runId" | "key" | "transport">;

/** Ask for a request as it is now. */
async function askInput({ transport, runId, key }: Asked): Promise<Result<{ readonly row: InputRow }>> {
  const reply = await transport.call<InputReply>("GET", ["v1", "runs", runId, "inputs", key]);
  if (!reply.ok) return reply;
  const { input } = reply.body;
  return isObject(input) ? { ok: true, row: input as unknown as InputRow } : { ok: false, problem: badReply };
}

/** Read a request once, as what is known of its run; rejects with a SignoffError. */
export async function readInput(asked: Asked): Promise<HandedStream> {
  const asOf = new Date().toISOString();
  const reply = await askInput(asked);
  if (!reply.ok) throw new SignoffError(reply.problem);
  return { stream: `runs/${asked.runId}`, asOf, rows: [["input", [reply.row]]] };
}

/** True while a request can still be answered. */
export function isOpen(row: InputRow): boolean {
  return row.status === "pending" || row.status === "validating";
}
