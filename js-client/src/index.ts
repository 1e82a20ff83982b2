/** Signoff in the browser: watch runs, and answer what they ask. No framework in here. */
export { followAddress } from "./address.js";
export type { AddressOptions } from "./address.js";
export { createSignoff } from "./client.js";
export type { Signoff, SignoffOptions, StartRun, VerbArguments } from "./client.js";
export type { Backoff } from "./backoff.js";
export type { ClaimOptions, ClaimSnapshot, ClaimView } from "./claim.js";
export type { Comment, CommentsSnapshot, CommentsView } from "./comments.js";
export type { DraftSnapshot, DraftStatus, DraftView, OtherDraft } from "./draft-snapshot.js";
export { isAttachment } from "./files.js";
export type { InputFiles, UploadOptions } from "./files.js";
export type { HandedRows, HandedStream, Read } from "./handed.js";
export type { InboxSnapshot, InboxView } from "./inbox.js";
export type { Answer, InputSnapshot, InputView, Shown } from "./input.js";
export type { Timing } from "./live.js";
export type { Network, WakeReason } from "./network.js";
export { SignoffError } from "./problem.js";
export type { SignoffProblem } from "./problem.js";
export type { MoreViews } from "./more-views.js";
export type { OutcomeSnapshot, OutcomeView } from "./outcome.js";
export type { MessagesOptions, MessagesSnapshot, MessagesView, OutputAttempt, OutputSnapshot, OutputView } from "./output.js";
export type {
  Attachment, Claim, CommentRow, DecidedBy, DoctorReply, Finding, FormField, InputChoice, InputEvent, InputRow, InputStatus, InputTimed, InputVerbs, MeReply,
  NotifyTarget, OutputsReply, ProgressRow, Quorum, RowError, RunError, RunRow, RunStatus, StepRow, StepStatus, Verbs, VoteOf,
} from "./protocol.js";
export { RunEndedError } from "./result.js";
export type { ResultOptions } from "./result.js";
export { inputKey } from "./rows.js";
export type { AnswerError, Json, Row } from "./rows.js";
export type { RunOutcome, RunSnapshot, RunView } from "./run.js";
export type { RunsSnapshot, RunsView } from "./runs.js";
export { memoryStorage } from "./storage.js";
export type { Kept, SubmissionStorage } from "./storage.js";
export type {
  Accepted, Decided, DecidedOutcome, Failed, Invalid, Outcome, Refused, Stale, Submission, Voted,
} from "./submission.js";
export type { Result, TokenProvider } from "./transport.js";
export { readSnapshot } from "./typed-rows.js";
export type { RowIssue, RowsSnapshot, RowsView, StandardResult, StandardSchema, UnfitRow } from "./typed-rows.js";
export type { QueuedAnswer, UndeliveredAnswer, UndeliveredSnapshot, UndeliveredView } from "./undelivered.js";
export type { ConnectionState, Readable, ReadableOnce } from "./view.js";
export type { VerbFunctions, VerbsSnapshot, VerbsView } from "./verbs.js";
export type { VotesSnapshot, VotesView } from "./votes.js";
export type { WizardPage, WizardSnapshot, WizardView } from "./wizard.js";
