/**
 * Delivers one answer: the same body under the same id, again and again, until the server has
 * said what came of it. A lost reply, an unreachable server or an hour in a tunnel change nothing
 * about the outcome, because the server counts a submission id once.
 */
import { delay } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import type { Network } from "./network.js";
import { localProblem, networkProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { InputRow } from "./rows.js";
import type { StoredSubmission } from "./storage.js";
import { judge } from "./submission.js";
import type { Outcome, SubmissionEvent, Verdict } from "./submission.js";
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
}

/** An answer to deliver; `by` is missing while it could not be told who is signed in. */
export type Deliverable = Omit<StoredSubmission, "by"> & Partial<Pick<StoredSubmission, "by">>;

/** Resolve with the outcome; with undefined if the signal ended the delivery first. Never rejects. */
export async function deliver(answer: Deliverable, options: DeliveryOptions): Promise<Outcome | undefined> {
  for (let attempt = 1; !options.signal.aborted; attempt++) {
    options.report({ type: "tried", attempt });
    const verdict = await send(answer, options);
    if (verdict.kind === "settled") return verdict.outcome;
    const { problem } = verdict;
    if (verdict.kind === "unreachable" || !options.network.online) options.report({ type: "unreachable", problem });
    await pause(delay(options.backoff, attempt - 1, problem.retryAfterMs), options);
  }
  return undefined;
}

/** The problem of an answer whose author is no longer the one signed in. */
export const personChanged: SignoffProblem = localProblem(
  "person_changed",
  "Somebody else is signed in now",
  "The answer was given by another person and is not sent under this one's name.",
);

async function send(answer: Deliverable, { transport, known }: DeliveryOptions): Promise<Verdict> {
  const { runId, key, submissionId, action, value, seenOffset } = answer;
  try {
    const person = await transport.person();
    if (answer.by !== undefined && person !== answer.by) {
      return { kind: "settled", outcome: { status: "refused", problem: personChanged } };
    }
  } catch (error) {
    // Token providers fetch; when they fail it is mostly for want of a network.
    return { kind: "unreachable", problem: networkProblem(error) };
  }
  const address = transport.address("v1", "runs", runId, "inputs", key, "answer");
  const body = { submission_id: submissionId, action, value: value ?? null, seen_offset: seenOffset };
  return judge(await transport.call("POST", address, body), answer, known());
}

/** Wait, but not past the moment at which the network or the person comes back. */
function pause(ms: number, { network, signal }: DeliveryOptions): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    const stop = network.onWake(done);
    signal.addEventListener("abort", done);
  });
}
