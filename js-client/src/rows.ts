/**
 * The rows a run shows to browsers, as they are on the wire (State Protocol values).
 *
 * An absent fact is `null`, not a missing member; members marked `?` exist only where
 * the workflow exposes them. Every row repeats its key as `id`.
 */
import type { CollectionDefinition } from "@durable-streams/state";
import { engineRowTypes } from "./protocol.js";
import type { EngineRows, InputRow, PointerError } from "./protocol.js";

/** A JSON value, as carried by inputs, outputs and answers. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json };

/** What every row has: its key. */
export interface Row {
  readonly id: string;
}

/** What is wrong with one place of an answer; `pointer` is a JSON Pointer, `""` the whole value. */
export type AnswerError = PointerError;

/** Which request, in which state: what a person has before them. Its place alone does not tell: a run's id may be used again. */
export type Sight = Pick<InputRow, "asked_at" | "revised" | "revision">;

/** The key of a request inside its run, `approve:0`, whatever stream the row came from. */
export function inputKey(row: Pick<InputRow, "name" | "n">): string {
  return `${row.name}:${row.n}`;
}

/** The engine's row types, as StreamDB wants them declared. */
export const rowDefinitions = Object.fromEntries(engineRowTypes.map((type) => [type, define(type)])) as {
  readonly [Type in keyof EngineRows]: CollectionDefinition<EngineRows[Type]>;
};

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

/** True if one state of a request came before another; one that is asked anew begins to count its revisions anew, by another run its offsets too. */
export function isOlder(one: Sight, other: Sight): boolean {
  if (one.asked_at !== other.asked_at) return one.asked_at < other.asked_at;
  return one.revised === other.revised ? one.revision < other.revision : one.revised < other.revised;
}
