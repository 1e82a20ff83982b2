import { useMemo } from "react";
import { readSnapshot } from "../index.js";
import type { Row, RowsSnapshot, StandardSchema } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

/** Watch the rows of one type of a run, such as those its workflow publishes. */
export function useRows<R extends Row = Row>(runId: string, type: string): RowsSnapshot<R>;
/** The same, read through any validator that follows Standard Schema; made outside rendering, it reads each row once. */
export function useRows<T>(runId: string, type: string, schema: StandardSchema<T>): RowsSnapshot<T>;
export function useRows(runId: string, type: string, schema?: StandardSchema): RowsSnapshot<unknown> {
  const snapshot = useView(useSignoff().rows(runId, type));
  return useMemo(() => (schema === undefined ? snapshot : readSnapshot(snapshot, schema)), [snapshot, schema]);
}
