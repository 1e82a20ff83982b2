/**
 * What a client reads from a server and sends to it.
 *
 * Made from protocol/schemas by scripts/protocol-types.mjs: change the schemas, then `npm run generate`. Sections (§) are
 * those of protocol/workflow-protocol.md. Servers of the same version may send more members than are known here.
 */

/** The reply to an answer that is accepted, or is being judged, or to a vote (§8.6). */
export interface AnswerReply {
  /**
   * `voted`: others have to agree, the request is pending; `validating`: a worker judges the answer, and the row will
   * tell.
   */
  readonly outcome: "accepted" | "validating" | "voted";
  /** The run's public tail after the commit: a reader that has come so far has seen the change. */
  readonly offset: string;
  /** The submission's id, in the headers of the messages it caused (§8.5). */
  readonly txid: string;
  /** The request after the change. */
  readonly row: InputRow;
}

/** The body of an answer (§8.1). */
export interface AnswerRequest {
  /** Chosen by the client and kept across retries of the same answer. */
  readonly submission_id: string;
  /** One of the request's `actions`. */
  readonly action: string;
  /** Any JSON value, checked against the request's `schema`. */
  readonly value: unknown;
  /** The `revised` of the row the person was shown, or a later offset up to which all was shown. */
  readonly seen_offset: string;
  /**
   * The `asked_at` of that row: which request the answer is for, of all that stand at its place one after the other.
   */
  readonly asked_at?: string;
}

/** A page of remembered approvals (§7.14). */
export interface ApprovalList {
  readonly approvals: readonly ({
    /** `RUN/KEY`: the request that it was given with. */
    readonly id: string;
    readonly run_id: string;
    /** The request's key. */
    readonly input: string;
    readonly workflow: string;
    readonly tool: string;
    readonly scope: "run" | "tool";
    /** Who started the run; `tool` holds in the runs of the same. */
    readonly starter: string | null;
    readonly until: string | null;
    readonly same_args: boolean;
    readonly by: DecidedBy;
    readonly at: string;
    readonly revoked: {
      readonly by: DecidedBy;
      readonly at: string;
      readonly reason: string | null;
    } | null;
  })[];
  /** For the next page; null at the end. */
  readonly cursor: string | null;
}

/** A file that is attached to an answer (§8.13). */
export interface Attachment {
  /**
   * The path of the stream that has the bytes, below the stream root; its last segment is the id of the file, unique in
   * the run.
   */
  readonly stream: string;
  /** As whoever sent it called it: one line, without a path. */
  readonly name: string;
  /** Media type, as whoever sent it said. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** Digest of the bytes. */
  readonly sha256: string;
}

/** A file, which is sent before the answer; its value refers to it (attachment.json). */
export interface AttachmentField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "attachment";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** Bytes that it may have. */
  readonly maxBytes: number;
  /** Media types that it may have, such as `application/pdf` or `image/*`; absent: any. */
  readonly types?: readonly string[];
}

/** A file that was kept (§8.13). */
export interface AttachmentReply {
  readonly attachment: Attachment;
}

/** Yes or no. A required one without a default wants to be decided; what knows on and off only sends off as false. */
export interface CheckboxField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "checkbox";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** The only value it may have: consent. */
  readonly value?: true;
}

/** One of several: few as radios, many as a select. */
export interface ChoiceField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "radios" | "select";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** What may be chosen, at least one. */
  readonly options: readonly FieldOption[];
}

/** Who has claimed a request, and until when. */
export interface Claim {
  readonly by: DecidedBy;
  readonly until: string;
}

/**
 * What somebody says about a request: the row `comment`, whose key is `name:n/k`, in an inbox `run_id/name:n/k` (§5.5).
 */
export interface CommentRow {
  /** In an inbox with the run's id and `/` before it. */
  readonly id: string;
  readonly run_id: string;
  /** The request that was spoken of. */
  readonly input: string;
  /** Chosen by the client. */
  readonly comment_id: string;
  readonly by: DecidedBy;
  readonly at: string;
  /** Plain text. */
  readonly text: string;
}

/** Who or what settled a request (§7.2). */
export interface DecidedBy {
  readonly kind: "person" | "timeout" | "policy" | "operator" | "workflow";
  /** The principal, such as `user:alice`; null for a timeout, and for the workflow itself. */
  readonly id: string | null;
}

/** A decimal number, sent as text so that no digit is lost. */
export interface DecimalField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "decimal";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** At least this. */
  readonly min?: string;
  /** At most this. */
  readonly max?: string;
  /** More than this. */
  readonly exclusiveMin?: string;
  /** Less than this. */
  readonly exclusiveMax?: string;
  /** A multiple of this. */
  readonly step?: string;
  /** Digits after the point at most. */
  readonly places?: number;
  /** Digits in all at most. */
  readonly digits?: number;
}

/** What is wrong with the store and its runs (§10.15). */
export interface DoctorReply {
  readonly at: string;
  /** The server's version. */
  readonly version: string;
  /** In the order in which to read them. */
  readonly findings: readonly Finding[];
}

/** A draft that was kept (§7.9). */
export interface DraftReply {
  /** Null: there is none any more. */
  readonly draft: DraftRow | null;
  /** Only where the request said `over`. False: another draft stands there, which is `draft`; nothing was changed. */
  readonly saved?: boolean;
}

/** The body of a draft (§7.9). */
export interface DraftRequest {
  /** Any JSON of 64 KiB at most; null: nothing is kept any more. */
  readonly value: unknown;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
  /**
   * When the draft was saved whose place this one takes; null: none was known. Unless given, it takes the place of any.
   */
  readonly over?: string | null;
}

/** What a person has filled in of a request and not sent: the row `draft`, whose key is `run_id/name:n` (§5.7). */
export interface DraftRow {
  readonly id: string;
  readonly run_id: string;
  /** The request it is a draft of. */
  readonly input: string;
  /** The `asked_at` of that request: of which one it is, of all that stand at its place one after the other. */
  readonly asked_at: string;
  /** The `revised` of the request when this was saved. */
  readonly revised: string;
  readonly saved_at: string;
  /** Any JSON: nobody has checked it. */
  readonly value: unknown;
}

/** The reply to an event for all that wait (§9.2). */
export interface EmitReply {
  /** How many runs got it. */
  readonly delivered: number;
  /** Runs that hold as many events nobody awaits as they may; absent if there are none. */
  readonly refused?: number;
}

/** The body of an event (§9). */
export interface EventRequest {
  /** Chosen by the sender; the same id and payload again change nothing. */
  readonly id: string;
  readonly payload?: unknown;
  /** Waits with a key take only events with that key. */
  readonly key?: string | null;
}

/** The evidence of a run (§11.17). */
export interface EvidenceBundle {
  readonly format: "signoff-evidence-1";
  readonly hash: "sha-256";
  readonly run_id: string;
  /**
   * Of a fork: the run its first entries are copied from, and that run's last entry then; null members: an earlier
   * release made it.
   */
  readonly forked_from: {
    readonly run_id: string;
    readonly n: number | null;
    readonly hash: string | null;
  } | null;
  readonly signoff: string;
  readonly exported_at: number;
  readonly length: number;
  readonly head: string | null;
  readonly key: Readonly<Record<string, unknown>>;
  readonly entries: readonly ({
    readonly hash: string | null;
    readonly entry: JournalEntry;
  })[];
  readonly decisions: readonly Readonly<Record<string, unknown>>[];
  readonly denials: readonly Readonly<Record<string, unknown>>[];
  readonly revocations: readonly Readonly<Record<string, unknown>>[];
  readonly signature: string;
}

/** An event that is tried again. */
export interface FailingEvent {
  /** As receivers are told it. */
  readonly id: string;
  readonly event: "asked" | "reminded" | "escalated" | "revised" | "decided" | "expired" | "withdrawn";
  readonly run_id: string;
  readonly key: string;
  /** Why it was not taken, without secrets. */
  readonly error: string;
  readonly attempts: number;
}

/** A value that may be chosen. */
export interface FieldOption {
  /** Text, number or truth value. */
  readonly value: unknown;
  /** What it is called. */
  readonly label: string;
}

/** One shape that an object may have. */
export interface FieldVariant {
  /** Of the tag. */
  readonly value: string;
  /** What it is called. */
  readonly label: string;
  /** What helps to choose. */
  readonly description?: string;
  /** Its members, without the tag. */
  readonly fields: readonly FormField[];
}

/** An object with members of its own. */
export interface FieldsetField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "fieldset";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** Its members. */
  readonly fields: readonly FormField[];
}

/** One thing that was looked at. */
export interface Finding {
  /** What it is about. */
  readonly check: string;
  /** Fine; worth knowing; or somebody should do something. */
  readonly level: "ok" | "note" | "wrong";
  /** What was found, and what it means. */
  readonly says: string;
  /** What to do; null: nothing. */
  readonly todo: string | null;
  /** How many there are, where that is what was looked at. */
  readonly count: number | null;
}

/** Where a run was forked from (§11.14). */
export interface Fork {
  readonly run_id: string;
  readonly keep: number;
}

/** The body of what forks a run (§10.18). */
export interface ForkRequest {
  /**
   * The id of the first command that is not shared; without it all is, but the end and what the code asked for last.
   */
  readonly at?: string | null;
  /** Keep that command too, and how it ended. */
  readonly after?: boolean;
  /** Of the new run; made up unless given. */
  readonly run_id?: string | null;
  /** For people, in the journal. */
  readonly reason?: string | null;
}

/** The fields a person fills in: a JSON Schema read once, for pages and terminals (§5.6). */
export type Form = readonly FormField[];

/** One field of a form, by its kind. */
export type FormField =
  | TextField
  | NumberField
  | DecimalField
  | CheckboxField
  | ChoiceField
  | TimeField
  | HiddenField
  | FieldsetField
  | UnionField
  | ListField
  | TupleField
  | MapField
  | AttachmentField
  | JsonField;

/** The server's health (§10.6). */
export interface HealthReply {
  readonly status: "ok";
  /** The server's version. */
  readonly version: string;
}

/** A constant that is sent and not asked for. */
export interface HiddenField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "hidden";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What is sent. */
  readonly value: unknown;
}

/** An action as a person sees it (§5.6). */
export interface InputChoice {
  /** What it is called. */
  readonly label: string;
  /** What choosing it means. */
  readonly intent: "positive" | "negative" | "neutral";
  /** What to ask before it is sent. */
  readonly confirm: string | null;
  /** JSON Schema of what it takes, null where it takes nothing; absent: that of the request. */
  readonly schema?: Readonly<Record<string, unknown>> | null;
  /** The fields of `schema`. */
  readonly form?: readonly FormField[] | null;
}

/** The body of a claim (§7.11). */
export interface InputClaimRequest {
  /** For how long: seconds, or a text such as `30m`, from a second to a day. */
  readonly for?: number | string;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** The body of a comment (§7.8). */
export interface InputCommentRequest {
  /** What to say. */
  readonly text: string;
  /** The same id again says nothing twice; made up unless given. */
  readonly comment_id?: string | null;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** The body of a delegation (§7.13). */
export interface InputDelegateRequest {
  /** The person who takes it over. */
  readonly to: string;
  /** Why; everybody who sees the request sees it. */
  readonly reason: string;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** Something that happened to a request: what, when, who did it and why. */
export interface InputEvent {
  readonly what: string;
  readonly at: string;
  readonly by: DecidedBy;
  readonly reason: string | null;
  /** Who is asked from then on, or in somebody's place. */
  readonly to?: readonly string[];
  /** Of `escalated`: those who were asked before still are. */
  readonly keep?: boolean;
}

/** A page of requests (§7.5). */
export interface InputList {
  readonly inputs: readonly InputRow[];
  /** For the next page; null at the end. */
  readonly cursor: string | null;
}

/** The body of a reassignment (§7.13). */
export interface InputReassignRequest {
  /** Who is asked from now on. */
  readonly to: readonly string[];
  /** Why; everybody who sees the request sees it. */
  readonly reason: string;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** The body of a release (§7.11). */
export interface InputReleaseRequest {
  /** Why; told where an operator does it. */
  readonly reason?: string;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** One request (§7.5). */
export interface InputReply {
  readonly input: InputRow;
}

/** The body of a revision by an operator (§7.13). */
export interface InputReviseRequest {
  readonly title?: string;
  readonly description?: string | null;
  /** What the person looks at. */
  readonly show?: unknown;
  /** Hints for rendering. */
  readonly ui?: Readonly<Record<string, unknown>> | null;
  /** What the form starts with. */
  readonly initial?: unknown;
  /** A time, a length of time from now (seconds, or a text such as `3d`), or null: none. */
  readonly deadline?: string | number | null;
  /** Why; everybody who sees the request sees it. */
  readonly reason: string;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** The body of a revocation (§7.14). */
export interface InputRevokeRequest {
  /** Why; kept with the approval. */
  readonly reason?: string | null;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** A request for a person's input: the row `input`, whose key is `name:n`, in an inbox `run_id/name:n` (§5.3). */
export interface InputRow {
  readonly id: string;
  readonly run_id: string;
  readonly workflow: string;
  readonly name: string;
  /** How many uses of the name in the run came before (§6.1). */
  readonly n: number;
  /** Plain text. */
  readonly title: string;
  /** Markdown. */
  readonly description: string | null;
  /** JSON Schema 2020-12 of the answer's value; empty where each action has its own. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** The fields of `schema`; null where it takes nothing, or each action has its own. */
  readonly form: readonly FormField[] | null;
  /** Hints for rendering; no meaning to the server. */
  readonly ui: Readonly<Record<string, unknown>>;
  /** What the person looks at while deciding. */
  readonly show: unknown;
  /** What the form starts with. */
  readonly initial: unknown;
  /** What may be chosen. */
  readonly actions: readonly string[];
  /** Each of the actions: how it is shown, and what it takes. */
  readonly choices: Readonly<Record<string, InputChoice>>;
  /** The principals that may answer; none: operators only. */
  readonly audience: readonly string[];
  /** The principals that may not, though in the audience (four-eyes). */
  readonly forbid: readonly string[];
  /** How many have to agree; null: whoever answers first decides (§8.10). */
  readonly quorum: Quorum | null;
  /** The votes that hold, in the order in which they came; what each says beside its action is not shown. */
  readonly votes: readonly VoteOf[];
  /** Who works on it, so that nobody else may answer it (§7.11). */
  readonly claim: Claim | null;
  /** Only where nobody answers who has not claimed it. */
  readonly claim_required?: true;
  /** Only of a request about a tool that is to be called (§7.14). */
  readonly tool?: {
    readonly name: string;
    /** The id of the call, as the model gives it. */
    readonly call_id: string | null;
    /** Only where whoever approved it has done so for the next times too. */
    readonly remembered?: {
      readonly scope: "run" | "tool";
      readonly until: string | null;
      readonly same_args: boolean;
    };
  };
  readonly deadline: string | null;
  /** Grows by one with every revision. */
  readonly revision: number;
  /** The offset of the run's stream at which what the person sees last changed (§7.3). */
  readonly revised: string;
  /** What is wrong with the last answer that the workflow's own code refused, or could not judge (§7.7). */
  readonly errors: readonly PointerError[];
  readonly status: InputStatus;
  readonly asked_at: string;
  readonly decided_by: DecidedBy | null;
  readonly decided_at: string | null;
  /** The action of the accepted answer. */
  readonly action: string | null;
  /** Why it was withdrawn, or why a policy decided so. */
  readonly reason: string | null;
  /** The accepted value; only if the request exposes it. */
  readonly value?: unknown;
  /** What happens to the request by itself, in the order of the times, and what has (§7.4). */
  readonly schedule: readonly InputTimed[];
  /** Where the request stands among the pages of a wizard; null: it is none (§7.7). */
  readonly wizard: WizardPlace | null;
  /** What happened to the request beside its revisions, the last 50, for all who see it (§7.6). */
  readonly history: readonly InputEvent[];
}

/** What a request is at (§7.1). */
export type InputStatus = "pending" | "answered" | "expired" | "withdrawn" | "validating";

/** Something that happens to a request by itself: a reminder, an escalation, or its end at the deadline. */
export interface InputTimed {
  /** `expire` and `default` are the end at the deadline; only one of them is there. */
  readonly what: "remind" | "escalate" | "expire" | "default";
  readonly at: string;
  /** Of an escalation: who is asked from then on. */
  readonly to?: readonly string[];
  /** Of an escalation: those who were asked before still are. */
  readonly keep?: boolean;
  /** Of a default: the action it is answered with. */
  readonly action?: string;
  /** When it happened; null: not yet, or never if the request is decided. */
  readonly done_at: string | null;
  /** It was passed over: a later reminder was due, too. */
  readonly skipped: boolean;
}

/** The body of a withdrawal (§7.6). */
export interface InputWithdrawRequest {
  /** Why; everybody who sees the request sees it. */
  readonly reason: string;
  /** The `asked_at` of the row that was shown: of which request it is meant. */
  readonly asked_at?: string;
}

/** One entry of a journal (§11). */
export interface JournalEntry {
  readonly type: "run.started" | "step.scheduled" | "step.cancelled" | "timer.started" | "timer.cancelled" | "event.awaited" | "event.abandoned" | "input.requested" | "input.revised" | "input.withdrawn" | "row.published" | "patch.marked" | "run.completed" | "run.failed" | "run.cancelled" | "step.completed" | "step.failed" | "timer.fired" | "event.received" | "event.timed_out" | "input.answered" | "input.reminded" | "input.escalated" | "input.expired" | "input.recalled" | "input.submitted" | "input.refused" | "input.returned" | "input.claimed" | "input.released" | "input.voted" | "input.delegated" | "input.reassigned" | "input.amended" | "input.denied" | "comment.added" | "wizard.prefilled" | "run.cancel_requested" | "run.terminated" | "run.described" | "run.blocked" | "run.unblocked" | "run.retried" | "run.paused" | "run.resumed" | "run.rewound";
}

/** What the list of fields cannot say: any JSON. */
export interface JsonField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "json";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** The JSON Schema of it; absent where it is that of the whole value, or cannot stand alone. */
  readonly schema?: Readonly<Record<string, unknown>>;
}

/** A signed link that was made (§8.12). */
export interface LinkReply {
  /** By which it is revoked (§14.9), and named in evidence. */
  readonly id: string;
  /** What to send to the person; whoever has it acts as them. */
  readonly url: string;
  /** When it ends. */
  readonly expires_at: string;
}

/** The body that makes a signed link (§8.12). */
export interface LinkRequest {
  /** As whom its holder answers: a person, or a person and groups of theirs that were asked. */
  readonly for: string | readonly string[];
  /** The only actions that may be chosen with it; all that the request offers, unless given. */
  readonly actions?: readonly string[];
  /** Seconds until it ends; a week unless given. */
  readonly expires_in?: number;
  /** Whether one answer alone is taken through it. */
  readonly once?: boolean;
}

/** Rows of one kind. */
export interface ListField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "list";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** Rows at least. */
  readonly min?: number;
  /** Rows at most. */
  readonly max?: number;
  /** No two rows are the same. */
  readonly unique?: true;
  /** The field of one row. */
  readonly item: FormField;
}

/** §4.14. To open a connection, `join` is required and not empty, and `leave` has no meaning. */
export interface LiveRequest {
  readonly join?: readonly {
    readonly id: string;
    readonly path: string;
    readonly offset: string;
    readonly cursor?: string;
    readonly authorization?: string;
  }[];
  readonly leave?: readonly string[];
}

/** Rows of a name and a value each. */
export interface MapField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "map";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** Rows at least. */
  readonly min?: number;
  /** Rows at most. */
  readonly max?: number;
  /** What a name is. */
  readonly key: MapKey;
  /** The field of a value. */
  readonly value: FormField;
}

/** What a name in a map is: a text, or one of several. */
export interface MapKey {
  readonly kind: "text" | "textarea" | "password" | "radios" | "select";
  /** Characters at least. */
  readonly minLength?: number;
  /** Characters at most. */
  readonly maxLength?: number;
  /** A regular expression that it matches somewhere; not every one is JavaScript's, too. */
  readonly pattern?: string;
  /** What it is: `email`, `uri`, `uuid`, `duration`, … */
  readonly format?: string;
  /** What may be chosen, at least one. */
  readonly options?: readonly FieldOption[];
}

/** Who calls (§14.11). */
export interface MeReply {
  /** The principal of the person; null: nobody, or the operator of this machine. */
  readonly person: string | null;
  /** All under which this person can be asked. */
  readonly principals: readonly string[];
  /** May do everything. */
  readonly operator: boolean;
  /** What is allowed, as in a token (§14.2). */
  readonly grants: readonly string[];
  /**
   * What says who calls: a `token`; the `host`, an application around this one; or, without a key, nothing need
   * (`open`).
   */
  readonly sign_in: "token" | "host" | "open";
}

/** Somebody who is told of requests, and how far. */
export interface NotifyTarget {
  readonly id: string;
  /** How: a webhook; a function of the application; mail and chat, as a server is configured. */
  readonly kind: "webhook" | "function" | "apprise";
  /** The only ones; null: all. */
  readonly workflows: readonly string[] | null;
  /** The only ones; null: all. */
  readonly events: readonly ("asked" | "reminded" | "escalated" | "revised" | "decided" | "expired" | "withdrawn")[] | null;
  readonly paused: boolean;
  /** Events that are not told yet; those not read yet are counted whatever they are of. */
  readonly backlog: number;
  /** When what fails at present failed first; null: nothing does. */
  readonly failing_since: string | null;
  readonly last_error: string | null;
  /** When what fails is tried again. */
  readonly next_attempt: string | null;
  /** What fails at present, the first 20. */
  readonly failing: readonly FailingEvent[];
  /** How many events were given up, and are kept for `retry`. */
  readonly failed: number;
  /** Of these the last 20, the last first. */
  readonly given_up: readonly UntoldEvent[];
}

/** A number, sent as such. */
export interface NumberField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "integer" | "number";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** At least this. */
  readonly min?: number;
  /** At most this. */
  readonly max?: number;
  /** More than this. */
  readonly exclusiveMin?: number;
  /** Less than this. */
  readonly exclusiveMax?: number;
  /** A multiple of this. */
  readonly step?: number;
}

/** The outputs of a run (§10.21). */
export interface OutputsReply {
  readonly run_id: string;
  /** By name. */
  readonly outputs: readonly {
    /** The last segment of its path. */
    readonly name: string;
    /** What it holds: `application/json`, or text. */
    readonly content_type: string;
    /** Nothing is written to it any more. */
    readonly closed: boolean;
  }[];
}

/** What is wrong with one place of a value (§8.8). */
export interface PointerError {
  /** A JSON Pointer; `""` is the whole value, a missing member is where it should be. */
  readonly pointer: string;
  /** For people. */
  readonly message: string;
}

/** Why something was refused or could not be done: problem details of RFC 9457 (§15). */
export interface Problem {
  /** `urn:signoff:problem:` and the code. */
  readonly type: string;
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** What happened, what it means for the data and what to do; for people. */
  readonly detail: string;
  /** Stable, for programs; for example `not_in_audience`. */
  readonly code: string;
  /** The request as it stands now. */
  readonly row?: InputRow;
  /** The run as it stands now. */
  readonly run?: RunRow;
  /** What is wrong with an answer or an input, by place. */
  readonly errors?: readonly PointerError[];
  /** What the run ended with, where there is an error. */
  readonly error?: RunError | null;
}

/** How far a part of a run has come: the row `progress`, whose key is its name (§5.4). */
export interface ProgressRow {
  readonly id: string;
  /** From 0 to 1, or null when it cannot be told. */
  readonly fraction: number | null;
  readonly message: string | null;
}

/** What was deleted (§10.16). */
export interface PruneReply {
  /** The rows of the runs that were deleted, without input and output. */
  readonly runs: readonly RunRow[];
  /** Where to go on; null: all were looked at. */
  readonly cursor: string | null;
}

/** The body that deletes runs which ended long ago (§10.16). */
export interface PruneRequest {
  /** Runs that ended later stay. */
  readonly ended_before: string;
  /** Completed and cancelled ones unless given. */
  readonly status?: readonly ("cancelled" | "completed" | "failed")[];
  /** Of this workflow alone. */
  readonly workflow?: string | null;
  /** With all of these. */
  readonly tags?: readonly string[];
  /** Of these alone. */
  readonly runs?: readonly string[];
  /** How many are looked at. */
  readonly limit?: number;
  /** Where to go on. */
  readonly cursor?: string | null;
  /** Tell what would be deleted, and delete nothing. */
  readonly dry_run?: boolean;
}

/**
 * How many have to agree on an action, of how many who are asked; `of` is null where a group is asked. An action in
 * `veto` decides at once.
 */
export interface Quorum {
  readonly need: number;
  readonly of: number | null;
  readonly veto: readonly string[];
}

/** The reply to a question for a run's result (§10.9). */
export interface ResultReply {
  readonly run: RunRow;
  /** Absent while the run goes on, and for callers who may not see it. */
  readonly output?: unknown;
}

/** What was revoked (§14.7). */
export interface RevokeReply {
  /** `jti:…`, `link:…` or `sub:…`. */
  readonly revoked: string;
}

/** The body that revokes (§14.9): one token by its `jti`, one signed link by its id, or all tokens of a person. */
export interface RevokeRequest {
  /** Of the token. */
  readonly jti?: string;
  /** The id of a signed link. */
  readonly link?: string;
  /** Whose tokens. */
  readonly sub?: string;
  /** With `sub`: tokens issued later stay good; now unless given. */
  readonly before?: string;
  /** When what is revoked has ended by itself, so that it need not be remembered any longer. */
  readonly until?: string;
}

/** The body of what undoes a part of a run (§10.17). */
export interface RewindRequest {
  /** The id of the first command that is undone. */
  readonly to: string;
  /** Keep that command too, and how it ended. */
  readonly after?: boolean;
  /** For people, in the journal. */
  readonly reason?: string | null;
}

/** An error as rows carry it (§5): always a code, a message only if it was meant for people. */
export interface RowError {
  readonly code: string;
  readonly message: string | null;
}

/** Why a run ended without a result (§10.9). */
export interface RunError {
  readonly code: string;
  readonly message: string | null;
  /** The name of the exception's class; for operators. */
  readonly type?: string;
}

/** A page of runs (§10.2). */
export interface RunList {
  readonly runs: readonly RunRow[];
  /** For the next page; null at the end. */
  readonly cursor: string | null;
}

/** One run (§10.3). */
export interface RunReply {
  readonly run: RunRow;
  /** The pending requests. */
  readonly inputs: readonly InputRow[];
  /** The path of the run's stream on the server. */
  readonly stream: string;
}

/** One run of a workflow: the row `run`, whose key is the run id (§5.1). */
export interface RunRow {
  readonly id: string;
  readonly workflow: string;
  /** The workflow's version. */
  readonly version: string;
  readonly status: RunStatus;
  readonly created_at: string;
  /** When this row last changed. */
  readonly updated_at: string;
  readonly tags: readonly string[];
  /** The run that started this one. */
  readonly parent: string | null;
  /** The person who started it; null: not a person, or not known. */
  readonly started_by: string | null;
  /** Only of a run that was forked: the other run, and how many entries of its journal they share. */
  readonly forked_from?: Fork;
  /**
   * Of a run that is failed or blocked, of a cleanup that failed; `terminated` where a run was ended without its code.
   */
  readonly error: RowError | null;
  /** Only if the workflow exposes it. */
  readonly input?: unknown;
  /** Only if the workflow exposes it and the run is completed. */
  readonly output?: unknown;
}

/** What a run is at (§5.1); completed and cancelled are final. */
export type RunStatus =
  | "running"
  | "waiting"
  | "sleeping"
  | "paused"
  | "blocked"
  | "completed"
  | "failed"
  | "cancelled";

/** The reply to an event for one run (§9.1). */
export interface SendReply {
  readonly accepted: true;
  /** True if the run had the event before. */
  readonly duplicate: boolean;
}

/** The reply to a start (§10.1). */
export interface StartReply {
  readonly run: RunRow;
  /** The path of the run's stream on the server. */
  readonly stream: string;
  /** Where the run's stream begins to be worth reading. */
  readonly offset: string;
}

/** The body that starts a run (§10.1). */
export interface StartRequest {
  readonly workflow: string;
  /** Null, and absent, stand for the default of a workflow whose input has one. */
  readonly input?: unknown;
  /** The same id with the same workflow and input again gives the run that exists. */
  readonly run_id?: string | null;
  readonly tags?: readonly string[];
  /** An RFC 3339 time before which the code does not begin. */
  readonly start_at?: string | null;
}

/** One step of a run: the row `step`, whose key is `name:n` (§5.2). */
export interface StepRow {
  readonly id: string;
  readonly name: string;
  /** How many uses of the name in the run came before (§6.1). */
  readonly n: number;
  /** What people read in place of the name. */
  readonly label: string | null;
  readonly status: StepStatus;
  /** From 1. */
  readonly attempt: number;
  /** When it was asked for. */
  readonly started_at: string;
  readonly ended_at: string | null;
  /** Set only while it is retrying. */
  readonly retry_at: string | null;
  readonly error: RowError | null;
  /** Only if the step is exposed and completed. */
  readonly result?: unknown;
}

/** What a step is at (§5.2). */
export type StepStatus = "running" | "retrying" | "completed" | "failed" | "cancelled";

/** A webhook that was added (§10.20). */
export interface TargetAdded {
  readonly target: NotifyTarget;
  /** What its messages are signed with; shown this once. */
  readonly secrets: readonly string[];
}

/** Who is told of requests (§10.20). */
export interface TargetList {
  readonly targets: readonly NotifyTarget[];
}

/** A target after something was done to it (§10.20). */
export interface TargetReply {
  /** As it was, if it is there no more. */
  readonly target: NotifyTarget;
  /** Of how many events, for `retry` and `skip`. */
  readonly count: number | null;
}

/** A webhook to add (§10.20). */
export interface TargetRequest {
  readonly id: string;
  readonly url: string;
  /** One is made if none is given. */
  readonly secrets?: readonly string[];
  /** The only ones it is told of. */
  readonly workflows?: readonly string[];
  /** The only ones it is told of. */
  readonly events?: readonly ("asked" | "reminded" | "escalated" | "revised" | "decided" | "expired" | "withdrawn")[];
}

/** A text: of one line, of several, or one that is not shown as it is typed. */
export interface TextField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "text" | "textarea" | "password";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** Characters at least. */
  readonly minLength?: number;
  /** Characters at most. */
  readonly maxLength?: number;
  /** A regular expression that it matches somewhere; not every one is JavaScript's, too. */
  readonly pattern?: string;
  /** What it is: `email`, `uri`, `uuid`, `duration`, … */
  readonly format?: string;
}

/** A date, a time of day, or both, in RFC 3339. */
export interface TimeField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "date" | "time" | "datetime";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** This or later. */
  readonly min?: string;
  /** This or earlier. */
  readonly max?: string;
  /** Later than this. */
  readonly exclusiveMin?: string;
  /** Earlier than this. */
  readonly exclusiveMax?: string;
  /** With an offset from UTC (true) or without (false); absent: either. */
  readonly zone?: boolean;
}

/** A list with a field for each of its items. */
export interface TupleField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "tuple";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** Its items. */
  readonly fields: readonly FormField[];
}

/** An object of one of several shapes, which its member `tag` tells apart. */
export interface UnionField {
  /**
   * The member's name, the number of an item of a tuple, `*` in rows, empty for the whole value: the last segment of
   * the pointer, not escaped.
   */
  readonly name: string;
  /** JSON Pointer into the value; in rows `*` stands for the number or the name of the row. */
  readonly pointer: string;
  readonly kind: "union";
  /** What the field is called. */
  readonly label: string;
  /** What helps to fill it in. */
  readonly description?: string;
  /** It has to be filled in; else it may be left blank. */
  readonly required: boolean;
  /** What it starts with, where the request has no `initial` for it. */
  readonly default?: unknown;
  /** What is sent where it is left blank; absent: the member is left out. */
  readonly blank?: null;
  /** The member that tells which variant it is; always sent. */
  readonly tag: string;
  /** The shapes. */
  readonly variants: readonly FieldVariant[];
}

/** An event that was not taken. */
export interface UntoldEvent {
  /** As receivers are told it. */
  readonly id: string;
  readonly event: "asked" | "reminded" | "escalated" | "revised" | "decided" | "expired" | "withdrawn";
  readonly run_id: string;
  readonly key: string;
  /** Why it was not taken, without secrets. */
  readonly error: string;
}

/** The reply to what was done to a run (§10.4). */
export interface VerbReply {
  readonly run: RunRow;
}

/** The body of most that is done to a run (§10.4). */
export interface VerbRequest {
  /** For people, in the journal. */
  readonly reason?: string | null;
}

/** Somebody's vote, as the request shows it. */
export interface VoteOf {
  readonly by: DecidedBy;
  readonly action: string;
  readonly at: string;
}

/** Somebody's vote on a request with a quorum: the row `vote`, whose key is `name:n/principal` (§5.8). */
export interface VoteRow {
  readonly id: string;
  /** The request. */
  readonly input: string;
  readonly by: DecidedBy;
  /** What was chosen. */
  readonly action: string;
  readonly at: string;
}

/**
 * Which page of a wizard a request is: `step` of `of` (null: nobody knows how many there are), and the request that the
 * action `back` leads to.
 */
export interface WizardPlace {
  readonly step: number;
  readonly of: number | null;
  readonly back: string | null;
}

/** The engine's rows by their type in messages (§5); every other type is the application's. */
export interface EngineRows {
  readonly run: RunRow;
  readonly step: StepRow;
  readonly input: InputRow;
  readonly progress: ProgressRow;
  readonly vote: VoteRow;
  readonly comment: CommentRow;
  readonly draft: DraftRow;
}

/** The types of the engine's rows. */
export const engineRowTypes = ["run", "step", "input", "progress", "vote", "comment", "draft"] as const satisfies readonly (keyof EngineRows)[];

/** What may be done to a run (§10.4), by its name in the address. */
export interface Verbs {
  readonly cancel: { readonly body: VerbRequest; readonly reply: VerbReply };
  readonly terminate: { readonly body: VerbRequest; readonly reply: VerbReply };
  readonly pause: { readonly body: VerbRequest; readonly reply: VerbReply };
  readonly resume: { readonly body: VerbRequest; readonly reply: VerbReply };
  readonly delete: { readonly body: Readonly<Record<string, never>>; readonly reply: VerbReply };
  readonly retry: { readonly body: Readonly<Record<string, never>>; readonly reply: VerbReply };
  readonly rewind: { readonly body: RewindRequest; readonly reply: VerbReply };
  readonly fork: { readonly body: ForkRequest; readonly reply: VerbReply };
}

/** What may be done to a request for input (§7.6), by its name in the address. */
export interface InputVerbs {
  readonly withdraw: { readonly body: InputWithdrawRequest; readonly reply: InputReply };
  readonly claim: { readonly body: InputClaimRequest; readonly reply: InputReply };
  readonly release: { readonly body: InputReleaseRequest; readonly reply: InputReply };
  readonly delegate: { readonly body: InputDelegateRequest; readonly reply: InputReply };
  readonly reassign: { readonly body: InputReassignRequest; readonly reply: InputReply };
  readonly revise: { readonly body: InputReviseRequest; readonly reply: InputReply };
  readonly comment: { readonly body: InputCommentRequest; readonly reply: InputReply };
  readonly revoke: { readonly body: InputRevokeRequest; readonly reply: InputReply };
}
