/**
 * Where the row of one request comes from: the run's stream; for those who are asked but may not
 * read the run, the request itself, asked for again and again while it is open.
 */
import { delay } from "./backoff.js";
import type { LiveStream, Timing } from "./live.js";
import type { Network } from "./network.js";
import type { SignoffProblem } from "./problem.js";
import type { InputRow } from "./rows.js";
import { rowsOf } from "./stream-view.js";
import type { Transport } from "./transport.js";
import type { ConnectionState } from "./view.js";

export interface SourceState {
  readonly connection: ConnectionState;
  readonly error: SignoffProblem | undefined;
  readonly row: InputRow | undefined;
}

export interface SourceOptions {
  readonly runId: string;
  readonly key: string;
  readonly transport: Transport;
  readonly network: Network;
  readonly timing: Pick<Timing, "poll" | "live">;
  readonly openStream: () => LiveStream;
}

const NOTHING: SourceState = { connection: "connecting", error: undefined, row: undefined };

export class InputSource {
  readonly #options: SourceOptions;
  #state: SourceState = NOTHING;
  #stream: LiveStream | undefined;
  #polling: AbortController | undefined;

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
      const { connection, error, rows } = stream.state;
      if (error?.status === 403) {
        if (this.#polling === undefined) this.#poll(listener);
        return;
      }
      const row = rowsOf<InputRow>(rows, "input").find(({ id }) => id === this.#options.key);
      this.#state = { connection, error, row };
      listener();
    };
    const release = stream.retain(read);
    read();
    return () => {
      release();
      this.#polling?.abort();
      this.#polling = undefined;
    };
  }

  /** Forget what was known: whoever opens it next is told nothing old. */
  reset(): void {
    this.#state = NOTHING;
  }

  /** Wait until the stream has shown the change; false if it was not seen in time, or there is no stream. */
  async awaitTxId(txid: string): Promise<boolean> {
    return (await this.#stream?.awaitTxId(txid)) ?? false;
  }

  #poll(listener: () => void): void {
    const polling = new AbortController();
    this.#polling = polling;
    const { network, timing } = this.#options;
    let failures = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      clearTimeout(timer);
      const state = await this.#ask();
      if (polling.signal.aborted) return;
      this.#state = state;
      listener();
      failures = state.connection === "reconnecting" ? failures + 1 : 0;
      if (state.connection === "failed" || state.connection === "ended") {
        stop();
        return;
      }
      const wait = failures === 0 ? timing.poll : delay(timing.live, failures - 1, state.error?.retryAfterMs);
      // A wake-up may have asked meanwhile: one timer, whoever sets it last.
      clearTimeout(timer);
      timer = setTimeout(() => void ask(), wait);
    };
    const stop = network.onWake(() => void ask());
    polling.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      stop();
    });
    void ask();
  }

  async #ask(): Promise<SourceState> {
    const { transport, runId, key } = this.#options;
    const reply = await transport.call("GET", transport.address("v1", "runs", runId, "inputs", key));
    if (!reply.ok) {
      const { problem } = reply;
      const final = problem.status >= 400 && problem.status < 500 && problem.status !== 429;
      return { connection: final ? "failed" : "reconnecting", error: problem, row: this.#state.row };
    }
    const row = reply.body["input"] as InputRow | undefined;
    return { connection: row === undefined || isOpen(row) ? "live" : "ended", error: undefined, row };
  }
}

/** True while a request can still be answered. */
export function isOpen(row: InputRow): boolean {
  return row.status === "pending" || row.status === "validating";
}
