/**
 * The rows a run shows to browsers, as they are on the wire (State Protocol values).
 *
 * An absent fact is `null`, not a missing member; members marked `?` exist only where
 * the workflow exposes them. Every row repeats its key as `id`.
 */
import type { CollectionDefinition } from "@durable-streams/state";

/** A JSON value, as carried by inputs, outputs and answers. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json };

/** What every row has: its key. */
export interface Row {
  readonly id: string;
}

/** An error a workflow lets people see: always a code, a message only if it was meant for them. */
export interface RowError {
  readonly code: string;
  readonly message: string | null;
}

/** Who or what settled a request. */
export interface DecidedBy {
  readonly kind: "person" | "timeout" | "policy" | "operator" | "workflow";
  /** `user:alice`; null for a timeout, and for the workflow itself. */
  readonly id: string | null;
}

export type RunStatus =
  | "running"
  | "waiting"
  | "sleeping"
  | "paused"
  | "blocked"
  | "completed"
  | "failed"
  | "cancelled";

/** One run of a workflow (type `run`, key: the run id). */
export interface RunRow extends Row {
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  readonly created_at: string;
  readonly updated_at: string;
  readonly tags: readonly string[];
  readonly parent: string | null;
  readonly error: RowError | null;
  readonly input?: unknown;
  readonly output?: unknown;
}

export type StepStatus = "running" | "retrying" | "completed" | "failed" | "cancelled";

/** One step of a run (type `step`, key `name:n`). */
export interface StepRow extends Row {
  readonly name: string;
  readonly n: number;
  readonly label: string | null;
  readonly status: StepStatus;
  readonly attempt: number;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly retry_at: string | null;
  readonly error: RowError | null;
  readonly result?: unknown;
}

export type InputStatus = "pending" | "validating" | "answered" | "expired" | "withdrawn";

/** What is wrong with one place of an answer; `pointer` is a JSON Pointer, `""` the whole value. */
export interface AnswerError {
  readonly pointer: string;
  readonly message: string;
}

/** A request for a person's input (type `input`, key `name:n`; in an inbox `run_id/name:n`). */
export interface InputRow extends Row {
  readonly run_id: string;
  readonly workflow: string;
  readonly name: string;
  readonly n: number;
  readonly title: string;
  /** Markdown. */
  readonly description: string | null;
  /** JSON Schema 2020-12 of the answer's value. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly ui: Readonly<Record<string, unknown>>;
  /** What the person looks at while deciding. */
  readonly show: unknown;
  /** The value a form starts from. */
  readonly initial: unknown;
  readonly actions: readonly string[];
  readonly audience: readonly string[];
  readonly forbid: readonly string[];
  readonly quorum: unknown;
  readonly votes: readonly unknown[];
  readonly claim: unknown;
  readonly deadline: string | null;
  readonly revision: number;
  /** Offset of the run's stream at which what the person sees last changed. */
  readonly revised: string;
  readonly errors: readonly AnswerError[];
  readonly status: InputStatus;
  readonly asked_at: string;
  readonly decided_by: DecidedBy | null;
  readonly decided_at: string | null;
  readonly action: string | null;
  readonly reason: string | null;
  readonly value?: unknown;
}

/** How far a part of a run has come (type `progress`, key: its name). */
export interface ProgressRow extends Row {
  /** From 0 to 1, or `null` when it cannot be told. */
  readonly fraction: number | null;
  readonly message: string | null;
}

/** The key of a request inside its run, `approve:0`, whatever stream the row came from. */
export function inputKey(row: Pick<InputRow, "name" | "n">): string {
  return `${row.name}:${row.n}`;
}

/** The engine's row types, as StreamDB wants them declared. */
export const rowDefinitions = {
  run: define<RunRow>("run"),
  step: define<StepRow>("step"),
  input: define<InputRow>("input"),
  progress: define<ProgressRow>("progress"),
} as const;

function define<R extends Row>(type: string): CollectionDefinition<R> {
  return {
    type,
    primaryKey: "id",
    schema: {
      "~standard": {
        version: 1,
        vendor: "signoff",
        validate: (value) =>
          isRow(value) ? { value: value as R } : { issues: [{ message: `not a ${type} row: no id` }] },
      },
    },
  };
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}
