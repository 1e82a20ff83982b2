/** The rows of one type of a run, read through a schema of the application's. */
import type { SignoffProblem } from "./problem.js";
import type { Row } from "./rows.js";
import { overall, rowsOf } from "./stream-view.js";
import type { States } from "./stream-view.js";
import { stableList } from "./view.js";
import type { ConnectionState, ReadableOnce } from "./view.js";

/** Any validator that follows Standard Schema (standardschema.dev), such as Zod's, Valibot's or ArkType's; nothing is imported. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
  };
}

/** What a validator says of a value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly RowIssue[] };

/** What is wrong with a row. */
export interface RowIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A row that its schema refused. */
export interface UnfitRow {
  readonly row: Row;
  readonly issues: readonly RowIssue[];
}

export interface RowsSnapshot<T = Row> {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** In the order in which they first appeared. */
  readonly rows: readonly T[];
  /** Those that do not fit the schema: an older deploy's, say. They are not in `rows`. */
  readonly unfit: readonly UnfitRow[];
}

/** Rows to subscribe to. */
export type RowsView<T = Row> = ReadableOnce<RowsSnapshot<T>>;

const NONE: readonly never[] = [];

/** The projection of a view of the rows of one type: the snapshot stays the same object while they do. */
export function rowsSnapshot(type: string): (states: States, previous: RowsSnapshot | undefined) => RowsSnapshot {
  return (states, previous) => {
    const next = { ...overall(states), rows: rowsOf<Row>(states[0]?.rows ?? new Map(), type), unfit: NONE };
    if (previous?.connection !== next.connection || previous.error !== next.error || previous.rows !== next.rows) return next;
    return previous;
  };
}

/** The same, read through a schema. */
export function readSnapshot<T>(snapshot: RowsSnapshot, schema: StandardSchema<T>, previous?: RowsSnapshot<T>): RowsSnapshot<T> {
  const read = snapshot.rows.map((row) => ({ row, result: readRow(row, schema) }));
  const rows = read.flatMap(({ result }) => (result.issues === undefined ? [result.value] : []));
  const unfit = read.flatMap(({ row, result }) => (result.issues === undefined ? [] : [unfitRow(row, result.issues)]));
  return { ...snapshot, rows: stableList(previous?.rows, rows), unfit: unfit.length === 0 ? NONE : stableList(previous?.unfit, unfit) };
}

/** What each schema has said of a row: rows never change, so it is asked once. */
const said = new WeakMap<object, WeakMap<Row, StandardResult<unknown>>>();
const unfitRows = new WeakMap<readonly RowIssue[], UnfitRow>();

function unfitRow(row: Row, issues: readonly RowIssue[]): UnfitRow {
  const known = unfitRows.get(issues) ?? { row, issues };
  unfitRows.set(issues, known);
  return known;
}

/** Read one row; a schema that throws, or answers later, which no snapshot could wait for, refuses it. */
function readRow<T>(row: Row, schema: StandardSchema<T>): StandardResult<T> {
  const known = said.get(schema) ?? new WeakMap<Row, StandardResult<unknown>>();
  said.set(schema, known);
  const before = known.get(row) as StandardResult<T> | undefined;
  if (before !== undefined) return before;
  const result = validate(row, schema);
  known.set(row, result);
  return result;
}

function validate<T>(row: Row, schema: StandardSchema<T>): StandardResult<T> {
  try {
    const result = schema["~standard"].validate(row);
    return result instanceof Promise ? { issues: [{ message: "The schema validates asynchronously; rows are read with one that does not." }] } : result;
  } catch (error) {
    return { issues: [{ message: error instanceof Error ? error.message : String(error) }] };
  }
}
