/**
 * Delivers one answer: the same body under the same id, again and again, until the server has
 * said what came of it. A lost reply, an unreachable server, a sign-in that fails or an hour in a
 * tunnel change nothing about the outcome, because the server counts a submission id once.
 */
import { delay } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import type { Network } from "./network.js";
import { networkProblem } from "./problem.js";
import type { AnswerReply, AnswerRequest, InputRow } from "./protocol.js";
import type { StoredSubmission } from "./storage.js";
import { judge } from "./submission.js";
import type { Outcome, SubmissionEvent, Verdict } from "./submission.js";
import { after } from "./timer.js";
import { personChanged } from "./transport.js";
import type { Transport } from "./transport.js";

export interface DeliveryOptions {
  readonly transport: Transport;
  readonly network: Network;
  readonly backoff: Backoff;
  /** Ends the delivery without an outcome; the answer stays stored. */
  readonly signal: AbortSignal;
  /** The request as last seen, for replies that leave the row out. */
  readonly known: () => InputRow | undefined;
  readonly report: (event: SubmissionEvent) => void;
  /** Hears who the author is, if the answer did not say; before it is first sent. */
  readonly authored: (by: string | null) => void;
  /** Do one try when it is this page's turn; undefined if it need not, or the signal came first. */
  readonly inTurn: (by: string | null, attempt: number, work: () => Promise<Verdict>) => Promise<Verdict | undefined>;
}

/** An answer to deliver; `by` is missing while it could not be told who is signed in. */
export type Deliverable = Omit<StoredSubmission, "by" | "outcome" | "at"> & Partial<Pick<StoredSubmission, "by">>;

/** Resolve with the outcome; with undefined if the signal ended the delivery first, or it need not be. Never rejects. */
export async function deliver(answer: Deliverable, options: DeliveryOptions): Promise<Outcome | undefined> {
  let by = answer.by;
  for (let attempt = 1; !options.signal.aborted; attempt++) {
    options.report({ type: "tried", attempt });
    let verdict: Verdict | undefined;
    try {
      if (by === undefined) {
        by = await options.transport.person();
        options.authored(by);
      }
      const author = by;
      verdict = await options.inTurn(author, attempt, () => send(answer, author, options));
      if (verdict === undefined) return undefined;
    } catch (error) {
      verdict = { kind: "unreachable", problem: networkProblem(error) };
    }
    if (verdict.kind === "settled") return verdict.outcome;
    if (verdict.kind === "judged") {
      // The server has waited for the verdict as long as it does, and waits on.
      options.report({ type: "judged" });
      await pause(delay(options.backoff, 0), options);
      continue;
    }
    const { problem } = verdict;
    if (verdict.kind === "unreachable" || !options.network.online) options.report({ type: "unreachable", problem });
    await pause(delay(options.backoff, attempt - 1, problem.retryAfterMs), options);
  }
  return undefined;
}

/** True if an answer was not sent because another person is signed in; it waits for its author. */
export function isForAnother(outcome: Outcome): boolean {
  return outcome.status === "refused" && outcome.problem.code === personChanged.code;
}

/** What this client found itself and time does not mend. */
const FINAL: readonly string[] = [personChanged.code, "invalid_name", "no_address"];

async function send(answer: Deliverable, by: string | null, { transport, known }: DeliveryOptions): Promise<Verdict> {
  const { runId, key, submissionId, action, value, seenOffset, askedAt } = answer;
  const which = askedAt === undefined ? {} : { asked_at: askedAt };
  const body: AnswerRequest = { submission_id: submissionId, action, value: value ?? null, seen_offset: seenOffset, ...which };
  const reply = await transport.call<AnswerReply>("POST", ["v1", "runs", runId, "inputs", key, "answer"], body, by);
  if (!reply.ok) {
    const { problem } = reply;
    if (problem.status === 0 && FINAL.includes(problem.code)) return { kind: "settled", outcome: { status: "refused", problem } };
    // An expired token speaks of the sign-in, not of the answer: it waits for a better one.
    if (problem.status === 401 && transport.signsIn) return { kind: "unreachable", problem };
  }
  return judge(reply, answer, known());
}

/** Wait, but not past the moment at which the network or the person comes back. */
export function pause(ms: number, { network, signal }: Pick<DeliveryOptions, "network" | "signal">): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = after(ms, done);
    const stop = network.onWake((reason) => {
      // Our own requests bring tokens; were each a reason to hurry, two answers would drive each other.
      if (reason !== "token") done();
    });
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

/** Ask who is signed in until it is known, or the signal ends it. Never rejects. */
export async function awaitPerson(options: Pick<DeliveryOptions, "transport" | "network" | "backoff" | "signal">): Promise<void> {
  for (let attempt = 0; !options.signal.aborted && options.transport.knownPerson === undefined; attempt++) {
    try {
      await options.transport.person();
    } catch {
      await pause(delay(options.backoff, attempt), options);
    }
  }
}
