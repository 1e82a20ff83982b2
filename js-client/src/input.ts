/**
 * One request for input: the row to show, and the answer given to it.
 *
 * The row comes from the run's stream; a reply that carries a newer one is shown at once, until
 * the stream has caught up. The answer is pending until the server has spoken: nothing is guessed.
 */
import { deliver, isForAnother } from "./delivery.js";
import type { Deliverable, DeliveryOptions } from "./delivery.js";
import { handoverOf } from "./handed.js";
import type { HandedRows, Read } from "./handed.js";
import { newId } from "./ids.js";
import { InputSource, isOpen, readInput } from "./input-source.js";
import type { SourceOptions } from "./input-source.js";
import { writeJson } from "./json.js";
import { localProblem, networkProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { InputRow } from "./protocol.js";
import { isOlder } from "./rows.js";
import type { Sight } from "./rows.js";
import { rowsOf } from "./stream-view.js";
import type { StoredSubmission, SubmissionStore } from "./storage.js";
import { decided, idle, mayAnswer, reduce, sameAnswer, sameBody } from "./submission.js";
import type { Accepted, Given, Outcome, Submission, SubmissionEvent, Verdict, Voted } from "./submission.js";
import { after } from "./timer.js";
import type { Settlement, Turns } from "./turns.js";
import { View } from "./view.js";
import type { ConnectionState, ReadableOnce, Registration } from "./view.js";

/** Which request a person has been shown, and in which state. */
export type Shown = Sight;

export interface InputSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** Set while what is shown may be old: when it was last known to be complete, as RFC 3339 in UTC, by this device's clock, or that of the server which rendered the page. */
  readonly asOf?: string;
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
  readonly seen?: Pick<InputRow, "revised"> & Partial<Pick<InputRow, "asked_at">>;
}

/** A request to subscribe to and to answer. Its methods may be passed around unbound. */
export interface InputView extends ReadableOnce<InputSnapshot> {
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

export interface InputOptions extends SourceOptions, Omit<DeliveryOptions, "known" | "report" | "authored" | "inTurn">, Registration {
  readonly store: SubmissionStore;
  readonly turns: Turns;
  /** Called when an answer was stored, or is no longer. */
  readonly onStored: () => void;
  /** How long a view nobody looks at remembers what was shown, in milliseconds. */
  readonly grace: number;
}

/** An answer on its way. */
interface Flight {
  /** What is delivered; `by` comes as soon as it is known. */
  answer: Deliverable;
  /** True for an answer of an earlier page: nobody here holds its promise. */
  readonly resumed: boolean;
  readonly controller: AbortController;
  promise: Promise<Submission>;
}

export class LiveInputView extends View<InputSnapshot> implements InputView {
  readonly #options: InputOptions;
  readonly #source: InputSource;
  #release: (() => void) | undefined;
  #cancelRest: (() => void) | undefined;
  /** The row of the latest reply, while the stream has not caught up with it. */
  #replied: InputRow | undefined;
  #shown: Shown | undefined;
  #submission: Submission = idle;
  /** The last answer given, whose id serves again if the very same answer is given again by the same person. */
  #last: Deliverable | undefined;
  #flight: Flight | undefined;
  /** Whose answer `submission` speaks of; undefined while there is none, or nobody known. */
  #author: string | null | undefined;
  /** True if somebody has looked. */
  #looked = false;
  /** True while an answer of an earlier page has come to something that nobody has looked at. */
  #unseen = false;

  constructor(options: InputOptions) {
    super({ connection: "connecting", submission: idle });
    this.#options = options;
    this.#source = new InputSource(options);
  }

  readonly read = async (): Promise<Read<InputSnapshot>> => {
    const rows = [await readInput(this.#options)];
    return { rows, snapshot: this.getInitialSnapshot(rows) };
  };

  protected override beginning(handed: HandedRows): InputSnapshot | undefined {
    const { runId, key } = this.#options;
    const handover = handoverOf(handed, `runs/${runId}`);
    if (handover === undefined) return undefined;
    const request = rowsOf<InputRow>(handover.rows, "input").find(({ id }) => id === key);
    return { connection: "connecting", asOf: handover.asOf, ...(request === undefined ? {} : { request }), submission: this.#submission };
  }

  readonly answer = (asked: Answer): Promise<Submission> => {
    let given: Omit<Given, "submissionId">;
    const refusal = (code: string, title: string): Promise<Submission> =>
      Promise.resolve({ status: "refused", problem: localProblem(code, title) });
    try {
      const seen = asked.seen ?? this.#shown ?? this.getSnapshot().request;
      if (seen === undefined) return refusal("not_shown", "The request has not been shown yet");
      const { revised: seenOffset, asked_at: askedAt } = seen;
      given = { action: asked.action, value: plain(asked.value), seenOffset, ...(askedAt === undefined ? {} : { askedAt }) };
      if (this.#flight !== undefined) {
        if (sameBody(this.#flight.answer, given)) return this.#flight.promise;
        return refusal("answer_in_flight", "Another answer is on its way");
      }
    } catch (error) {
      return Promise.resolve({ status: "refused", problem: networkProblem(error) });
    }
    const settled = this.#settled(given);
    if (settled !== undefined) return Promise.resolve(settled);
    const { runId, key, transport } = this.#options;
    const by = transport.knownPerson;
    // What the workflow has said of an id it says for ever: what it did not take is judged anew under another.
    const again = this.#last !== undefined && this.#last.by === by && sameAnswer(this.#last, given) && this.#submission.status !== "invalid";
    const last = again ? this.#last : undefined;
    const whole = { ...given, submissionId: last?.submissionId ?? newId(), runId, key, givenAt: new Date().toISOString() };
    // Before anything else, the token above all: a reload may come while it is waited for.
    const kept = by === undefined ? whole : this.#keep({ ...whole, by });
    return this.#fly(kept, false);
  };

  readonly acknowledge = (): void => {
    const { request } = this.getSnapshot();
    if (request !== undefined) this.#shown = shownOf(request);
    this.#apply({ type: "acknowledged" });
    this.#forgetRefusal();
  };

  readonly seen = (row: Shown): void => {
    if (this.#shown !== undefined && !isOlder(this.#shown, row)) return;
    this.#shown = shownOf(row);
    this.#update();
  };

  /** Take up an answer of an earlier page, unless the person has been quicker. */
  resume(stored: StoredSubmission): void {
    if (this.#flight === undefined && mayAnswer(this.#submission)) void this.#fly(stored, true);
  }

  /** Somebody is signed in: another one's answer is neither sent nor shown any longer, but waits for its author. */
  override personIs(person: string | null): void {
    if (this.#author === undefined || this.#author === person) return;
    this.#author = undefined;
    this.#last = undefined;
    const flight = this.#flight;
    if (flight === undefined) {
      this.#submission = idle;
      this.#update();
    } else {
      flight.controller.abort();
      this.#land(flight, { type: "forgotten" });
    }
  }

  /** Another tab has sent the same answer. */
  settledElsewhere({ submissionId, outcome }: Settlement): void {
    const flight = this.#flight;
    if (flight?.answer.submissionId !== submissionId) return;
    flight.controller.abort();
    // Nobody looks here, and the tab that sent it has kept what must be read.
    if (flight.resumed && !this.watched) {
      this.#land(flight, { type: "forgotten" });
      return;
    }
    this.#settle(flight, outcome);
  }

  protected override onFirst(): void {
    this.#cancelRest?.();
    this.#looked = true;
    this.#unseen = false;
    this.#options.onNeeded();
    this.#release = this.#source.open(() => { this.#update(); });
    this.#update();
  }

  protected override onLast(): void {
    this.#release?.();
    this.#release = undefined;
    this.#cancelRest = after(this.#options.grace, () => { this.#rest(); });
  }

  /** Nobody looks any more: whoever comes next is shown the request anew. */
  #rest(): void {
    if (this.watched || this.#flight !== undefined) return;
    this.#shown = undefined;
    this.#replied = undefined;
    this.#source.reset();
    this.publish({ connection: "connecting", submission: this.#submission });
    if (!this.#unseen) this.#options.onIdle();
  }

  /** What an answer comes to without asking the server; undefined if it is to be sent. */
  #settled(given: Pick<Given, "action" | "value">): Submission | undefined {
    const now = this.#submission;
    if (now.status === "stale" || now.status === "decided") return now;
    if (now.status === "accepted") return sameBody(now, given) ? now : decided("already_decided", now.row);
    return undefined;
  }

  #fly(answer: Deliverable, resumed: boolean): Promise<Submission> {
    this.#last = answer;
    this.#author = answer.by;
    this.#options.onNeeded();
    const { signal } = this.#options;
    const controller = new AbortController();
    signal.addEventListener("abort", () => { controller.abort(); }, { once: true, signal: controller.signal });
    if (signal.aborted) controller.abort();
    const flight: Flight = { answer, resumed, controller, promise: Promise.resolve(idle) };
    this.#flight = flight;
    flight.promise = Promise.resolve().then(() => this.#deliver(flight));
    this.#apply({ type: "given", given: answer });
    return flight.promise;
  }

  async #deliver(flight: Flight): Promise<Submission> {
    const outcome = await deliver(flight.answer, {
      ...this.#options,
      signal: flight.controller.signal,
      known: () => this.getSnapshot().request,
      report: (event) => {
        if (this.#flight === flight) this.#apply(event);
      },
      authored: (by) => {
        flight.answer = this.#keep({ ...flight.answer, by });
        if (this.#flight !== flight) return;
        this.#last = flight.answer;
        this.#author = by;
      },
      inTurn: (by, attempt, work) => this.#inTurn(flight, by, attempt, work),
    });
    const ended = flight.controller.signal.aborted;
    // Whatever listened for the client's end need not any more.
    flight.controller.abort();
    if (outcome === undefined && !ended && this.#flight === flight) this.#land(flight, { type: "forgotten" });
    if (outcome === undefined || this.#flight !== flight) return this.#submission;
    this.#settle(flight, outcome);
    if (counts(outcome) && (await this.#source.awaitTxId(flight.answer.submissionId))) {
      this.#apply({ type: "confirmed" });
    }
    return this.#submission;
  }

  /** Try once, unless another tab has: what comes of it is in the store before the next tab has its turn. */
  async #inTurn(flight: Flight, by: string | null, attempt: number, work: () => Promise<Verdict>): Promise<Verdict | undefined> {
    const { runId, key, store, turns, onStored } = this.#options;
    return turns.take(by, runId, key, flight.controller.signal, async () => {
      const answer = { ...flight.answer, by };
      const stored = flight.resumed || attempt > 1 ? await store.reload(answer) : undefined;
      if (flight.controller.signal.aborted) return undefined;
      if (stored?.submissionId !== answer.submissionId) {
        // Whoever gave it here sends it, even if the person has cleared the browser's storage; its id counts once.
        if (flight.resumed) return undefined;
      } else if (stored.outcome !== undefined) return { kind: "settled", outcome: stored.outcome };
      const verdict = await work();
      if (verdict.kind === "settled") {
        this.#file(flight, verdict.outcome);
        await store.written();
        if (!isForAnother(verdict.outcome)) turns.tell({ runId, key, submissionId: answer.submissionId, outcome: verdict.outcome });
      } else if (verdict.kind !== "judged") {
        flight.answer = store.tried(answer);
        onStored();
      }
      return verdict;
    });
  }

  #settle(flight: Flight, outcome: Outcome): void {
    // After a refusal for the id itself, or for what was seen, the next answer is another one.
    if (outcome.status === "stale" || isReused(outcome) || isForAnother(outcome)) this.#last = undefined;
    if ("row" in outcome) this.#replied = outcome.row;
    this.#land(flight, { type: "settled", outcome });
  }

  #keep(answer: StoredSubmission): StoredSubmission {
    this.#options.store.save(answer);
    this.#options.onStored();
    return answer;
  }

  /** Take a settled answer out of the store, or leave it there as a refusal for its author to find. */
  #file({ answer, resumed }: Flight, outcome: Outcome): void {
    const { by } = answer;
    if (by === undefined || isForAnother(outcome)) return;
    const { store, onStored } = this.#options;
    // It may have waited for a day: in a tab in the background nobody sees what it came to, and the browser may end that.
    const unread = !this.watched || (this.#options.network.hidden && (answer.tries ?? 0) > 0);
    const gone = unread && (resumed || this.#looked);
    if (counts(outcome) || !gone) store.remove({ ...answer, by });
    else if (store.load(by, answer.runId, answer.key)?.submissionId === answer.submissionId) {
      store.save({ ...answer, by, outcome, at: new Date().toISOString() });
    }
    onStored();
  }

  /** The person has read what the last answer came to; it need not stand among the undelivered. */
  #forgetRefusal(): void {
    const { store, runId, key, transport, onStored } = this.#options;
    const person = transport.knownPerson;
    const stored = person === undefined ? undefined : store.load(person, runId, key);
    if (stored?.outcome === undefined) return;
    store.remove(stored);
    onStored();
  }

  #land(flight: Flight, event: SubmissionEvent): void {
    this.#flight = undefined;
    this.#apply(event);
    if (this.watched) return;
    this.#unseen = flight.resumed && this.#submission.status !== "idle";
    this.#rest();
  }

  #apply(event: SubmissionEvent): void {
    this.#submission = reduce(this.#submission, event);
    this.#update();
  }

  #update(): void {
    const { connection, error, asOf, row: streamed } = this.#source.state;
    if (streamed && this.#replied && !isBehind(streamed, this.#replied)) this.#replied = undefined;
    const request = this.#replied ?? streamed ?? this.getSnapshot().request;
    if (isCaughtUp(this.#submission, streamed)) this.#submission = reduce(this.#submission, { type: "confirmed" });
    if (request !== undefined) {
      if (this.watched) this.#shown ??= shownOf(request);
      if (isReopened(this.#submission, request)) this.#submission = reduce(this.#submission, { type: "reopened" });
    }
    this.#publishIfNew({
      connection,
      ...(error === undefined ? {} : { error }),
      ...(asOf === undefined ? {} : { asOf }),
      ...(request === undefined ? {} : { request }),
      submission: this.#submission,
      ...(this.#shown === undefined ? {} : { shown: this.#shown }),
    });
  }

  #publishIfNew(next: InputSnapshot): void {
    const now = this.getSnapshot();
    const names = ["connection", "error", "asOf", "request", "submission", "shown"] as const;
    if (names.some((name) => now[name] !== next[name])) this.publish(next);
  }
}

function shownOf({ asked_at, revised, revision }: Shown): Shown {
  return { asked_at, revised, revision };
}

/** True if a reply's row is newer than the stream's. */
function isBehind(streamed: InputRow, replied: InputRow): boolean {
  return isOlder(streamed, replied) || (!isOlder(replied, streamed) && isOpen(streamed) && !isOpen(replied));
}

/** True if the stream shows an accepted answer's request as settled. */
function isCaughtUp(submission: Submission, streamed: InputRow | undefined): boolean {
  if (submission.status !== "accepted" || streamed === undefined) return false;
  return !isOpen(streamed) && !isOlder(streamed, submission.row);
}

/** True if the server has recorded an answer, as such or as a vote. */
function counts(outcome: Outcome): outcome is Accepted | Voted {
  return outcome.status === "accepted" || outcome.status === "voted";
}

/** True if a settled request asks again: its run was rewound to before the answer, or another run has its id, and asks. */
function isReopened(submission: Submission, request: InputRow): boolean {
  if (submission.status !== "accepted" && submission.status !== "decided") return false;
  return isOpen(request) && isOlder(submission.row, request);
}

function isReused(outcome: Submission): boolean {
  return outcome.status === "refused" && outcome.problem.code === "submission_reused";
}

/** The value as it will travel; throws a SignoffError if it cannot. */
function plain(value: unknown): unknown {
  return JSON.parse(writeJson(value)) as unknown;
}
