/** One attempt to read one output from an offset on, thrown away when it breaks. */
import { stream } from "@durable-streams/client";
import type { StreamResponse } from "@durable-streams/client";
import type { Network } from "./network.js";
import { localProblem, problemFrom } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import { Silence } from "./silence.js";

/** A piece of an output. */
export interface Chunk {
  /** Of an output in JSON; undefined of a text. */
  readonly items?: readonly unknown[];
  readonly text: string;
  /** From where to read on. */
  readonly offset: string;
  /** All that there is now has come. */
  readonly upToDate: boolean;
  /** Nothing more will be written. */
  readonly ended: boolean;
}

export interface OutputReaderEvents {
  onChunk(chunk: Chunk): void;
  /** The connection is of no more use; nothing follows. */
  onLost(problem: SignoffProblem): void;
}

export interface OutputReaderOptions {
  readonly address: () => string;
  readonly offset: string;
  readonly fetch: typeof fetch;
  readonly network: Network;
  readonly patience: number;
  readonly silence: number;
}

export class OutputReader {
  readonly #options: OutputReaderOptions;
  readonly #events: OutputReaderEvents;
  readonly #silence: Silence;
  readonly #controller = new AbortController();
  #ended = false;
  /** Up to where it has been handed over, and where it ends, once that is known. */
  #reached: string | undefined;
  #end: string | undefined;

  constructor(options: OutputReaderOptions, events: OutputReaderEvents) {
    this.#options = options;
    this.#events = events;
    this.#silence = new Silence({ ...options, onDead: () => { this.#lose(localProblem("timeout", "The server did not answer in time")); } });
    void this.#read();
  }

  /** Call the connection dead unless something is heard within `ms`. */
  expect(ms: number): void {
    this.#silence.expect(ms);
  }

  close(): void {
    this.#silence.stop();
    this.#controller.abort();
  }

  async #read(): Promise<void> {
    try {
      const session = await stream({
        url: this.#options.address(),
        offset: this.#options.offset,
        live: "sse",
        fetch: this.#silence.fetch,
        signal: this.#controller.signal,
        warnOnHttp: false,
        // One try an attempt: patience, jitter and wake-ups are the view's.
        backoffOptions: { initialDelay: 0, maxDelay: 0, multiplier: 1, maxRetries: 0 },
      });
      this.#subscribe(session);
      await session.closed;
      // Its last batch is handed over by then or later: the end is told with the headers, before the body is read.
      setTimeout(() => {
        if (!session.streamClosed) this.#lose(localProblem("interrupted", "The stream was interrupted"));
        else if (this.#reached === session.offset) this.#chunk({ text: "", offset: session.offset, upToDate: true, ended: true });
        else this.#end = session.offset;
      });
    } catch (error) {
      this.#lose(problemFrom(error));
    }
  }

  #subscribe(session: StreamResponse): void {
    const isText = session.contentType !== undefined && !session.contentType.startsWith("application/json");
    if (isText) session.subscribeText((chunk) => { this.#chunk({ ...chunk, ended: chunk.streamClosed }); });
    else session.subscribeJson((batch) => { this.#chunk({ ...batch, text: "", ended: batch.streamClosed }); });
  }

  #chunk(chunk: Chunk): void {
    if (this.#controller.signal.aborted || this.#ended) return;
    if (chunk.upToDate) this.#silence.ready();
    this.#reached = chunk.offset;
    this.#ended = chunk.ended || chunk.offset === this.#end;
    this.#events.onChunk({ ...chunk, ended: this.#ended });
  }

  #lose(problem: SignoffProblem): void {
    if (this.#controller.signal.aborted || this.#ended) return;
    this.close();
    this.#events.onLost(problem);
  }
}
