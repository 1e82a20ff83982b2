/**
 * The life of one answer, from the click to its outcome: a pure state machine.
 *
 *   idle ─given→ sending ⇄ waiting-for-network
 *                   ├─judged→  validating       (the workflow's own code checks it; asked about until it is settled)
 *                   └─settled→ accepted | voted | invalid | stale | decided | refused
 *   refused          ─given→ sending            (same answer, same id; another answer, a new id)
 *   invalid          ─given→ sending            (a new id: the workflow's verdict on an id stays what it is)
 *   voted            ─given→ sending            (until it is decided a vote may be changed)
 *   stale            ─acknowledged→ idle         (nobody answers what they were not shown)
 *   accepted, decided ─reopened→ idle            (the run was rewound and asks again)
 *
 * Outcomes are states, not exceptions. Only the server decides: nothing here guesses an outcome.
 */
import { badReply, isObject, isPassing } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { AnswerReply, DecidedBy, InputRow } from "./protocol.js";
import type { AnswerError } from "./rows.js";
import type { Members, Reply } from "./transport.js";

/** An answer as a person gave it. */
export interface Given {
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  readonly seenOffset: string;
  /** Which request it is for, by when it was asked; absent where the page did not say, and of what an older client has kept. */
  readonly askedAt?: string;
}

interface InFlight {
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  /** How often it has been tried, from 1. */
  readonly attempt: number;
}

export type Submission =
  | { readonly status: "idle" }
  | ({ readonly status: "sending" } & InFlight)
  | ({ readonly status: "waiting-for-network"; readonly problem: SignoffProblem } & InFlight)
  | ({ readonly status: "validating" } & InFlight)
  | Outcome;

/** What an answer came to. */
export type Outcome = Accepted | Voted | Failed;

/** What an answer came to that does not count. */
export type Failed = Invalid | Stale | Decided | Refused;

export interface Accepted {
  readonly status: "accepted";
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  readonly row: InputRow;
  /** Offset of the run's stream from which the change is visible. */
  readonly offset: string;
  /** True once the stream has shown the change. */
  readonly confirmed: boolean;
}

/** It counts, and others have to agree before the request is decided; until then it may be changed. */
export interface Voted extends Omit<Accepted, "status"> {
  readonly status: "voted";
}

/** The value does not fit the request's schema; nothing was recorded and the request stays open. */
export interface Invalid {
  readonly status: "invalid";
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  readonly errors: readonly AnswerError[];
  readonly problem: SignoffProblem;
}

/** The request changed after the person saw it, or it is another one now; `row` is what to show before asking again. */
export interface Stale {
  readonly status: "stale";
  readonly action: string;
  readonly value: unknown;
  readonly row: InputRow;
}

export type DecidedOutcome = "already_decided" | "expired" | "withdrawn" | "run_closed";

/** It was settled otherwise: by somebody else, by time, by the workflow. */
export interface Decided {
  readonly status: "decided";
  readonly outcome: DecidedOutcome;
  readonly row: InputRow;
  readonly by?: DecidedBy;
}

export interface Refused {
  readonly status: "refused";
  readonly problem: SignoffProblem;
}

export type SubmissionEvent =
  | { readonly type: "given"; readonly given: Given }
  | { readonly type: "tried"; readonly attempt: number }
  | { readonly type: "unreachable"; readonly problem: SignoffProblem }
  | { readonly type: "judged" }
  | { readonly type: "settled"; readonly outcome: Outcome }
  | { readonly type: "confirmed" }
  | { readonly type: "acknowledged" }
  | { readonly type: "reopened" }
  | { readonly type: "forgotten" };

export const idle: Submission = { status: "idle" };

/** The next state; an event that means nothing in a state leaves it as it is, the very same object. */
export function reduce(state: Submission, event: SubmissionEvent): Submission {
  switch (event.type) {
    case "given":
      return mayAnswer(state) ? sending(event.given, 1) : state;
    case "tried":
      if (state.status === "validating") return { ...state, attempt: event.attempt };
      return isInFlight(state) ? sending(state, event.attempt) : state;
    case "judged":
      return isInFlight(state) ? { ...sending(state, state.attempt), status: "validating" } : state;
    case "unreachable":
      return isInFlight(state)
        ? { ...sending(state, state.attempt), status: "waiting-for-network", problem: event.problem }
        : state;
    case "settled":
      return isInFlight(state) ? event.outcome : state;
    case "confirmed":
      return (state.status === "accepted" || state.status === "voted") && !state.confirmed ? { ...state, confirmed: true } : state;
    case "acknowledged":
      return ["stale", "invalid", "refused", "voted"].includes(state.status) ? idle : state;
    case "reopened":
      return state.status === "accepted" || state.status === "decided" ? idle : state;
    case "forgotten":
      return isInFlight(state) ? idle : state;
  }
}

/** True while an answer is on its way. */
export function isInFlight(state: Submission): state is Extract<Submission, InFlight> {
  return state.status === "sending" || state.status === "waiting-for-network" || state.status === "validating";
}

/** True in the states from which an answer can be given. */
export function mayAnswer(state: Submission): boolean {
  return ["idle", "invalid", "refused", "voted"].includes(state.status);
}

function sending(given: Omit<Given, "seenOffset" | "askedAt">, attempt: number): Submission & { status: "sending" } {
  const { submissionId, action, value } = given;
  return { status: "sending", submissionId, action, value, attempt };
}

/** What a reply to an answer says: an outcome, that the workflow judges it, or that it is worth trying again. */
export type Verdict =
  | { readonly kind: "settled"; readonly outcome: Outcome }
  | { readonly kind: "judged" }
  | { readonly kind: "unreachable" | "busy"; readonly problem: SignoffProblem };

const DECIDED: readonly string[] = ["already_decided", "expired", "withdrawn", "run_closed"];

/**
 * Judge a reply to an answer.
 *
 * @param known is the request as last seen, for replies that leave the row out
 */
export function judge(reply: Reply<keyof AnswerReply>, given: Given, known: InputRow | undefined): Verdict {
  if (reply.ok) return judgeSuccess(reply.body, given, known);
  const { problem } = reply;
  if (problem.status === 0) return { kind: "unreachable", problem };
  // The validator failed, and might again: whether to send it once more is for the person to say.
  if (isPassing(problem.status) && problem.code !== "not_validated") return { kind: "busy", problem };
  return { kind: "settled", outcome: refusal(problem, given, problem.row ?? known) };
}

function judgeSuccess(body: Members<keyof AnswerReply>, given: Given, known: InputRow | undefined): Verdict {
  const row = isObject(body.row) ? (body.row as unknown as InputRow) : known;
  const { offset, outcome: status } = body;
  if (status === "validating" && row !== undefined) return { kind: "judged" };
  if ((status !== "accepted" && status !== "voted") || typeof offset !== "string" || row === undefined) {
    // A captive portal's 200, or a proxy's: whatever it is, the server did not say "accepted".
    return { kind: "busy", problem: badReply };
  }
  const { submissionId, action, value } = given;
  return { kind: "settled", outcome: { status, submissionId, action, value, row, offset, confirmed: false } };
}

function refusal(problem: SignoffProblem, given: Given, row: InputRow | undefined): Outcome {
  const { submissionId, action, value } = given;
  const { code, status } = problem;
  if (status === 422) {
    return { status: "invalid", submissionId, action, value, errors: problem.errors ?? [], problem };
  }
  if (status === 409 && row !== undefined) {
    if (code === "stale") return { status: "stale", action, value, row };
    if (isDecided(code)) return decided(code, row);
  }
  return { status: "refused", problem };
}

/** The outcome of a request that is settled already. */
export function decided(outcome: DecidedOutcome, row: InputRow): Decided {
  return { status: "decided", outcome, row, ...(row.decided_by === null ? {} : { by: row.decided_by }) };
}

function isDecided(code: string): code is DecidedOutcome {
  return DECIDED.includes(code);
}

/** True if two answers are one and the same, so that one submission id may stand for both. */
export function sameAnswer(a: Omit<Given, "submissionId">, b: Omit<Given, "submissionId">): boolean {
  return a.askedAt === b.askedAt && a.seenOffset === b.seenOffset && sameBody(a, b);
}

/** True if two answers say the same, whatever their authors had seen. */
export function sameBody(a: Pick<Given, "action" | "value">, b: Pick<Given, "action" | "value">): boolean {
  return a.action === b.action && canonical(a.value) === canonical(b.value);
}

/** JSON with sorted members; throws a TypeError where a value is not JSON. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, member: unknown) =>
    isObject(member) ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))) : member,
  );
}
