/** Signoff in the browser: watch runs, and answer what they ask. No framework in here. */
export { createSignoff } from "./client.js";
export type { Signoff, SignoffOptions, StartRun } from "./client.js";
export type { Backoff } from "./backoff.js";
export type { InboxSnapshot, InboxView } from "./inbox.js";
export type { Answer, InputSnapshot, InputView, Shown } from "./input.js";
export type { Timing } from "./live.js";
export type { Network, WakeReason } from "./network.js";
export { SignoffError } from "./problem.js";
export type { SignoffProblem } from "./problem.js";
export type { DecidedBy, FormField, InputChoice, InputRow, InputStatus, ProgressRow, RowError, RunError, RunRow, RunStatus, StepRow, StepStatus, Verbs } from "./protocol.js";
export { RunEndedError } from "./result.js";
export type { ResultOptions } from "./result.js";
export { inputKey } from "./rows.js";
export type { AnswerError, Json, Row } from "./rows.js";
export type { RunOutcome, RunSnapshot, RunView } from "./run.js";
export type { RunsSnapshot, RunsView } from "./runs.js";
export { memoryStorage } from "./storage.js";
export type { SubmissionStorage } from "./storage.js";
export type {
  Accepted, Decided, DecidedOutcome, Failed, Invalid, Outcome, Refused, Stale, Submission, Voted,
} from "./submission.js";
export type { Result, TokenProvider } from "./transport.js";
export type { UndeliveredAnswer, UndeliveredSnapshot, UndeliveredView } from "./undelivered.js";
export type { ConnectionState, Readable } from "./view.js";
