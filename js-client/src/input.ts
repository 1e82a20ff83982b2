/**
 * One request for input: the row to show, and the answer given to it.
 *
 * The row comes from the run's stream; a reply that carries a newer one is shown at once, until
 * the stream has caught up. The answer is pending until the server has spoken: nothing is guessed.
 */
import { deliver, personChanged } from "./delivery.js";
import type { Deliverable, DeliveryOptions } from "./delivery.js";
import { InputSource, isOpen } from "./input-source.js";
import type { SourceOptions } from "./input-source.js";
import { localProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { InputRow } from "./rows.js";
import type { StoredSubmission, SubmissionStore } from "./storage.js";
import { decided, idle, reduce, sameAnswer, sameBody } from "./submission.js";
import type { Given, Submission, SubmissionEvent } from "./submission.js";
import { View } from "./view.js";
import type { ConnectionState, Readable, Registration } from "./view.js";

/** Which state of a request a person has been shown. */
export type Shown = Pick<InputRow, "revised" | "revision">;

export interface InputSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** The request as it stands now; undefined until it is known. */
  readonly request?: InputRow;
  readonly submission: Submission;
  /**
   * What the person was first shown and has since acknowledged; an answer is sent for this.
   * If `shown.revision < request.revision`, the request changed under the person's eyes.
   */
  readonly shown?: Shown;
}

/** What a person answers. */
export interface Answer {
  /** One of the request's `actions`. */
  readonly action: string;
  readonly value?: unknown;
  /** The row the person had before them, if it is not `shown`. */
  readonly seen?: Pick<InputRow, "revised">;
}

/** A request to subscribe to and to answer. Its methods may be passed around unbound. */
export interface InputView extends Readable<InputSnapshot> {
  /**
   * Give an answer; resolves with what came of it and never rejects.
   *
   * It may take as long as the network does, so let the screen follow `submission`. The same
   * answer given again while it is on its way is the same promise; another one is refused.
   */
  readonly answer: (answer: Answer) => Promise<Submission>;
  /** The person has been shown the request as it stands now: it may be answered (again). */
  readonly acknowledge: () => void;
  /** The person has been shown this row. */
  readonly seen: (row: Shown) => void;
}

export interface InputOptions extends SourceOptions, Omit<DeliveryOptions, "known" | "report">, Registration {
  readonly store: SubmissionStore;
  /** How long a view nobody looks at remembers what was shown, in milliseconds. */
  readonly grace: number;
}

interface Flight {
  readonly given: Pick<Given, "action" | "value">;
  readonly promise: Promise<Submission>;
}

export class LiveInputView extends View<InputSnapshot> implements InputView {
  readonly #options: InputOptions;
  readonly #source: InputSource;
  #release: (() => void) | undefined;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;
  /** The row of the latest reply, while the stream has not caught up with it. */
  #replied: InputRow | undefined;
  #shown: Shown | undefined;
  #submission: Submission = idle;
  /** The last answer given, whose id serves again if the very same answer is given again. */
  #last: Given | undefined;
  #flight: Flight | undefined;

  constructor(options: InputOptions) {
    super({ connection: "connecting", submission: idle });
    this.#options = options;
    this.#source = new InputSource(options);
    const stored = options.store.load(options.runId, options.key);
    if (stored !== undefined) this.#resume(stored);
  }

  readonly answer = (answer: Answer): Promise<Submission> => {
    let given: Omit<Given, "submissionId">;
    const refusal = (code: string, title: string): Promise<Submission> =>
      Promise.resolve({ status: "refused", problem: localProblem(code, title) });
    try {
      const seenOffset = answer.seen?.revised ?? this.#shown?.revised ?? this.getSnapshot().request?.revised;
      if (seenOffset === undefined) return refusal("not_shown", "The request has not been shown yet");
      given = { action: answer.action, value: plain(answer.value), seenOffset };
      if (this.#flight !== undefined) {
        if (sameBody(this.#flight.given, given)) return this.#flight.promise;
        return refusal("answer_in_flight", "Another answer is on its way");
      }
    } catch {
      return refusal("not_json", "The value cannot be written as JSON");
    }
    const settled = this.#settled(given);
    if (settled !== undefined) return Promise.resolve(settled);
    const reuse = this.#last !== undefined && sameAnswer(this.#last, given) ? this.#last.submissionId : newId();
    return this.#fly({ ...given, submissionId: reuse });
  };

  readonly acknowledge = (): void => {
    const { request } = this.getSnapshot();
    if (request !== undefined) this.#shown = shownOf(request);
    this.#apply({ type: "acknowledged" });
  };

  readonly seen = ({ revised, revision }: Shown): void => {
    if (this.#shown !== undefined && this.#shown.revised >= revised) return;
    this.#shown = { revised, revision };
    this.#update();
  };

  protected override onFirst(): void {
    clearTimeout(this.#graceTimer);
    this.#options.onWatched();
    this.#release = this.#source.open(() => { this.#update(); });
    this.#update();
  }

  protected override onLast(): void {
    this.#release?.();
    this.#release = undefined;
    this.#graceTimer = setTimeout(() => { this.#rest(); }, this.#options.grace);
  }

  /** Nobody looks any more: whoever comes next is shown the request anew. */
  #rest(): void {
    if (this.watched || this.#flight !== undefined) return;
    this.#shown = undefined;
    this.#replied = undefined;
    this.#source.reset();
    this.publish({ connection: "connecting", submission: this.#submission });
    this.#options.onIdle();
  }

  /** What an answer comes to without asking the server; undefined if it is to be sent. */
  #settled(given: Pick<Given, "action" | "value">): Submission | undefined {
    const now = this.#submission;
    if (now.status === "stale" || now.status === "decided") return now;
    if (now.status === "accepted") return sameBody(now, given) ? now : decided("already_decided", now.row);
    return undefined;
  }

  #resume(stored: StoredSubmission): void {
    this.#last = stored;
    this.#submission = reduce(idle, { type: "given", given: stored });
    const promise = Promise.resolve().then(async () => {
      // Another person's unfinished answer is left alone for the day they sign in again.
      const person = await this.#person();
      if (person === undefined || person === stored.by) return this.#deliver(stored);
      this.#last = undefined;
      this.#land({ type: "forgotten" });
      return this.#submission;
    });
    this.#flight = { given: stored, promise };
    this.#update();
  }

  #fly(given: Given): Promise<Submission> {
    const { runId, key, store } = this.#options;
    this.#last = given;
    const promise = this.#person().then((by) => {
      if (by === undefined) return this.#deliver({ ...given, runId, key });
      const stored: StoredSubmission = { ...given, runId, key, by };
      store.save(stored);
      return this.#deliver(stored);
    });
    this.#flight = { given, promise };
    this.#apply({ type: "given", given });
    return promise;
  }

  /** Whoever is signed in; undefined while that cannot be told. */
  async #person(): Promise<string | null | undefined> {
    try {
      return await this.#options.transport.person();
    } catch {
      return this.#options.transport.lastPerson;
    }
  }

  async #deliver(answer: Deliverable): Promise<Submission> {
    const outcome = await deliver(answer, {
      ...this.#options,
      known: () => this.getSnapshot().request,
      report: (event) => { this.#apply(event); },
    });
    if (outcome === undefined) return this.#submission;
    if (outcome.status !== "refused" || outcome.problem !== personChanged) this.#options.store.remove(answer);
    // After a refusal for the id itself, or for what was seen, the next answer is another one.
    if (outcome.status === "stale" || isReused(outcome)) this.#last = undefined;
    if ("row" in outcome) this.#replied = outcome.row;
    this.#land({ type: "settled", outcome });
    if (outcome.status === "accepted" && (await this.#source.awaitTxId(answer.submissionId))) {
      this.#apply({ type: "confirmed" });
    }
    return this.#submission;
  }

  #land(event: SubmissionEvent): void {
    this.#flight = undefined;
    this.#apply(event);
    if (!this.watched) this.#rest();
  }

  #apply(event: SubmissionEvent): void {
    this.#submission = reduce(this.#submission, event);
    this.#update();
  }

  #update(): void {
    const { connection, error, row: streamed } = this.#source.state;
    if (streamed && this.#replied && !isBehind(streamed, this.#replied)) this.#replied = undefined;
    const request = this.#replied ?? streamed ?? this.getSnapshot().request;
    if (request !== undefined) {
      if (this.watched) this.#shown ??= shownOf(request);
      if (isReopened(this.#submission, request)) this.#submission = reduce(this.#submission, { type: "reopened" });
    }
    this.#publishIfNew({
      connection,
      ...(error === undefined ? {} : { error }),
      ...(request === undefined ? {} : { request }),
      submission: this.#submission,
      ...(this.#shown === undefined ? {} : { shown: this.#shown }),
    });
  }

  #publishIfNew(next: InputSnapshot): void {
    const now = this.getSnapshot();
    const names = ["connection", "error", "request", "submission", "shown"] as const;
    if (names.some((name) => now[name] !== next[name])) this.publish(next);
  }
}

function shownOf({ revised, revision }: InputRow): Shown {
  return { revised, revision };
}

/** True if a reply's row is newer than the stream's. */
function isBehind(streamed: InputRow, replied: InputRow): boolean {
  if (streamed.revision !== replied.revision) return streamed.revision < replied.revision;
  return isOpen(streamed) && !isOpen(replied);
}

/** True if a settled request asks again: its run was rewound to before the answer. */
function isReopened(submission: Submission, request: InputRow): boolean {
  if (submission.status !== "accepted" && submission.status !== "decided") return false;
  return isOpen(request) && request.revision > submission.row.revision;
}

function isReused(outcome: Submission): boolean {
  return outcome.status === "refused" && outcome.problem.code === "submission_reused";
}

/** The value as it will travel; throws a TypeError if it cannot. */
function plain(value: unknown): unknown {
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as unknown);
}

/** A new submission id; `randomUUID` exists in secure contexts only. */
function newId(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
