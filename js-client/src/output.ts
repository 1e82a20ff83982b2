/**
 * An output of a run, as it comes: what a step says before it is done, tokens or lines or any JSON.
 *
 * It is read on from where it was lost, never twice. A step that is tried again says all of it anew: what its earlier
 * attempts had said is taken away when the later one begins (Workflow Protocol §4.12).
 */
import { delay } from "./backoff.js";
import { FedView } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import type { LiveState, Timing, WatchableStream } from "./live.js";
import type { Network, WakeReason } from "./network.js";
import { OutputReader } from "./output-reader.js";
import type { Chunk } from "./output-reader.js";
import { isObject } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { RunRow, StepRow } from "./protocol.js";
import { rowsOf } from "./stream-view.js";
import { after } from "./timer.js";
import type { ConnectionState, Readable } from "./view.js";

/** Which step says what is on show, and in which of its attempts. */
export interface OutputAttempt {
  /** The step, `name:n`. */
  readonly step: string;
  /** From 2: the first attempt does not say that it is one. */
  readonly attempt: number;
}

export interface OutputSnapshot<T = unknown> {
  /** `connecting` also while no step has opened it yet; `ended`: nothing is written to it any more. */
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** What was written, of an output in JSON; empty for a text. */
  readonly messages: readonly T[];
  /** The text; of an output in JSON its messages that are texts, such as tokens, one after another. */
  readonly text: string;
  /** The attempt that is on show, once a step was tried again. */
  readonly attempt?: OutputAttempt;
}

/** An output to subscribe to. */
export type OutputView<T = unknown> = Readable<OutputSnapshot<T>>;

/** What was written to a stream: `messages` of one in JSON, `text` of one of text. */
export type MessagesSnapshot<T = unknown> = Omit<OutputSnapshot<T>, "attempt">;

/** A stream's messages to subscribe to. */
export type MessagesView<T = unknown> = Readable<MessagesSnapshot<T>>;

export interface MessagesOptions {
  /** Where to begin: at the `start`, unless given, or with what comes from `now` on. */
  readonly from?: "start" | "now";
  /** How many of the last messages are kept; all, unless given. */
  readonly keep?: number;
}

export interface OutputOptions extends FedOptions {
  /** Gives the output's address; throws where it can have none. */
  readonly address: () => string;
  readonly fetch: typeof fetch;
  readonly network: Network;
  readonly timing: Timing;
  /** The run's own stream, which tells when there may be something new; missing of what is no run's output. */
  readonly openRun?: () => WatchableStream;
  readonly from?: "start" | "now";
  readonly keep?: number;
  readonly closed: AbortSignal;
}

const NOTHING: OutputSnapshot = { connection: "connecting", messages: [], text: "" };

export class LiveOutputView extends FedView<OutputSnapshot> implements OutputView {
  readonly #options: OutputOptions;
  #sessions = new Sessions();
  #offset: string;
  #reader: OutputReader | undefined;
  #attempt = 0;
  #cancelRetry: (() => void) | undefined;
  #stopRun: (() => void) | undefined;
  /** The steps that have ended, and when; and those that had and are to run again. */
  #ended: ReadonlyMap<string, string> = new Map();
  readonly #again = new Set<string>();

  constructor(options: OutputOptions) {
    super(NOTHING, options);
    this.#options = options;
    this.#offset = this.#begin;
  }

  get #begin(): string {
    return this.#options.from === "now" ? "now" : "-1";
  }

  protected override feed(): () => void {
    const { network, closed } = this.#options;
    if (closed.aborted) return () => undefined;
    this.#attempt = 0;
    if (this.getSnapshot().connection === "ended") this.#awaitAnother();
    else this.#connect();
    const stopListening = network.onWake((reason) => { this.#wake(reason); });
    const stop = (): void => {
      stopListening();
      this.#drop();
    };
    closed.addEventListener("abort", stop, { once: true });
    return () => {
      closed.removeEventListener("abort", stop);
      stop();
    };
  }

  #drop(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#stopRun?.();
    this.#stopRun = undefined;
    this.#reader?.close();
    this.#reader = undefined;
  }

  #connect(): void {
    this.#drop();
    const { address, fetch, network, timing } = this.#options;
    this.#reader = new OutputReader(
      { address, offset: this.#offset, fetch, network, patience: timing.patience, silence: timing.silence },
      { onChunk: (chunk) => { this.#received(chunk); }, onLost: (problem) => { this.#lost(problem); } },
    );
  }

  #received(chunk: Chunk): void {
    this.#attempt = 0;
    this.#offset = chunk.offset;
    this.#sessions = this.#sessions.with(chunk).last(this.#options.keep);
    const live = chunk.ended ? "ended" : chunk.upToDate ? "live" : this.getSnapshot().connection;
    this.#tell(live);
    if (!chunk.ended) return;
    this.#drop();
    this.#awaitAnother();
  }

  #lost(problem: SignoffProblem): void {
    this.#reader = undefined;
    const { timing } = this.#options;
    if (problem.status === 410) {
      // It was made anew, with all that still counts: offsets of the one before are of no more use.
      this.#offset = this.#begin;
      this.#sessions = new Sessions();
    }
    if (problem.status === 404) {
      this.#tell("connecting");
      this.#awaitIt(problem);
    } else if (problem.status >= 400 && problem.status < 500 && ![408, 410, 425, 429].includes(problem.status)) {
      this.#tell("failed", problem);
      this.#retryIn(delay(timing.recover, this.#attempt++, problem.retryAfterMs));
    } else {
      this.#tell("reconnecting", problem);
      this.#retryIn(delay(timing.live, this.#attempt++, problem.retryAfterMs));
    }
  }

  /** No step has opened it yet: look whenever the run has moved, and now and then; give up when the run is over. */
  #awaitIt(problem: SignoffProblem): void {
    const { openRun, timing } = this.#options;
    this.#retryIn(Math.min(delay(timing.live, this.#attempt++), timing.look));
    if (openRun === undefined) return;
    const run = openRun();
    let seen: LiveState["rows"] | undefined;
    const look = (): void => {
      const { connection, error, rows } = run.state;
      if (connection === "failed" && error !== undefined) {
        this.#tell("failed", error.status === 404 ? problem : error);
      } else if (connection === "ended" || isOver(rowsOf<RunRow>(rows, "run")[0])) {
        // The run may have ended since the output was asked for.
        if (seen === undefined) this.#tell("failed", problem);
        else this.#connect();
      } else if (seen !== undefined && seen !== rows) {
        this.#connect();
      } else if (connection === "live") {
        seen = rows;
      }
    };
    this.#stopRun = run.retain(() => { look(); });
    look();
  }

  /** It is closed: made anew, with what it had, where its step runs again, as after a retry or a rewind of the run. */
  #awaitAnother(): void {
    const run = this.#options.openRun?.();
    if (run === undefined) return;
    const look = (): readonly StepRow[] => this.#lookBack(rowsOf<StepRow>(run.state.rows, "step"));
    this.#stopRun = run.retain(() => {
      if (look().length > 0) this.#connect();
    });
    const again = look();
    // It may be made anew only when the step begins to write; one that has ended is asked about once more.
    if (again.some(({ ended_at }) => ended_at !== null)) this.#connect();
    else if (again.length > 0) this.#retryIn(this.#options.timing.look);
  }

  /** Return the steps that run again, though they had ended, or have done so since this was last asked. */
  #lookBack(steps: readonly StepRow[]): readonly StepRow[] {
    const now = new Map(steps.map((step) => [step.id, step.ended_at]));
    if (now.size > 0) for (const [id, at] of this.#ended) if (now.get(id) !== at) this.#again.add(id);
    this.#ended = new Map([...now].filter((entry): entry is [string, string] => entry[1] !== null));
    const again = steps.filter(({ id }) => this.#again.has(id));
    for (const { id, ended_at } of again) if (ended_at !== null) this.#again.delete(id);
    return again;
  }

  #wake(reason: WakeReason): void {
    const { connection } = this.getSnapshot();
    if (connection === "ended") return;
    if (reason === "visible") this.#reader?.expect(this.#options.timing.wake);
    else if (reason === "token" ? connection === "failed" : reason === "reconnect" || reason === "online" || this.#reader === undefined) this.#connect();
  }

  #retryIn(ms: number): void {
    this.#cancelRetry?.();
    this.#cancelRetry = after(ms, () => { this.#connect(); });
  }

  #tell(connection: ConnectionState, error?: SignoffProblem): void {
    const { messages, text, attempt } = this.#sessions;
    this.show({ connection, ...(error === undefined ? {} : { error }), messages, text, ...(attempt === undefined ? {} : { attempt }) });
  }
}

function isOver(run: RunRow | undefined): boolean {
  return run !== undefined && ["completed", "failed", "cancelled"].includes(run.status);
}

/** The line by which a text says that a step begins anew. */
const TEXT_MARKER = /^--- ([A-Za-z0-9_.-]{1,128}:(?:0|[1-9][0-9]*)), attempt ([1-9][0-9]*) ---\n/m;

/** The longest that such a line can be. */
const MARKER_CHARACTERS = 192;

/** What stands in an output before the session that is written now, and is another step's. */
interface Kept {
  readonly messages: readonly unknown[];
  readonly text: string;
}

/**
 * What counts of an output, of all that was written to it; immutable.
 *
 * Where several steps write to one output, what is theirs is told apart by the markers alone: what came before a step's
 * first marker is taken to be its own.
 */
export class Sessions {
  readonly messages: readonly unknown[];
  readonly text: string;
  readonly attempt: OutputAttempt | undefined;
  readonly #kept: Kept;

  constructor(messages: readonly unknown[] = [], text = "", attempt?: OutputAttempt, kept: Kept = { messages: [], text: "" }) {
    this.messages = messages;
    this.text = text;
    this.attempt = attempt;
    this.#kept = kept;
  }

  /** What counts when this was read, too. */
  with(chunk: Pick<Chunk, "items" | "text">): Sessions {
    return chunk.items === undefined ? this.#withText(chunk.text) : this.#withItems(chunk.items);
  }

  /** The same without what came before the last messages. */
  last(count: number | undefined): Sessions {
    return count === undefined || this.messages.length <= count ? this : new Sessions(this.messages.slice(this.messages.length - count), this.text, this.attempt, this.#kept);
  }

  #withItems(items: readonly unknown[]): Sessions {
    const at = items.findIndex((item) => markerOf(item) !== undefined);
    const marker = markerOf(items[at]);
    if (marker === undefined) return this.#add(items);
    return this.#add(items.slice(0, at)).#anew(marker).#withItems(items.slice(at + 1));
  }

  #withText(text: string): Sessions {
    // A line may come in two pieces.
    const cut = Math.max(this.#kept.text.length, this.text.length - MARKER_CHARACTERS);
    const start = cut === 0 ? 0 : this.text.lastIndexOf("\n", cut - 1) + 1;
    const from = Math.max(start, this.#kept.text.length);
    const fresh = this.text.slice(from) + text;
    const found = TEXT_MARKER.exec(fresh);
    if (found === null) return text === "" ? this : new Sessions(this.messages, this.text + text, this.attempt, this.#kept);
    const [line, step = "", attempt] = found;
    const before = new Sessions(this.messages, this.text.slice(0, from) + fresh.slice(0, found.index), this.attempt, this.#kept);
    return before.#anew({ step, attempt: Number(attempt) }).#withText(fresh.slice(found.index + line.length));
  }

  #add(items: readonly unknown[]): Sessions {
    if (items.length === 0) return this;
    const said = items.filter((item) => typeof item === "string").join("");
    return new Sessions([...this.messages, ...items], this.text + said, this.attempt, this.#kept);
  }

  /** Take away what this step has said in its attempts before. */
  #anew(attempt: OutputAttempt): Sessions {
    const another = this.attempt !== undefined && this.attempt.step !== attempt.step;
    const others = another ? { messages: this.messages, text: this.text } : this.#kept;
    return new Sessions(others.messages, others.text, attempt, others);
  }
}

function markerOf(item: unknown): OutputAttempt | undefined {
  if (!isObject(item) || Object.keys(item).length !== 1 || !isObject(item["signoff"])) return undefined;
  const { step, attempt } = item["signoff"];
  return typeof step === "string" && typeof attempt === "number" ? { step, attempt } : undefined;
}
