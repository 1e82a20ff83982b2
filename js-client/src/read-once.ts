/** Reading a stream once as it is now, without watching it: for pages that are rendered on a server. */
import { stream } from "@durable-streams/client";
import { MaterializedState, isChangeEvent } from "@durable-streams/state";
import type { StateEvent } from "@durable-streams/state";
import type { HandedStream } from "./handed.js";
import type { WhenMissing } from "./live.js";
import { SignoffError, isObject, problemFrom } from "./problem.js";
import type { Row } from "./rows.js";

export interface ReadOnceOptions {
  /** The stream's path. */
  readonly name: string;
  readonly url: string;
  readonly whenMissing: WhenMissing;
  readonly fetch: typeof fetch;
  /** How long it may take, in milliseconds. */
  readonly patience: number;
}

/** Read a stream's rows; rejects with a SignoffError where they cannot be had. */
export async function readOnce({ name, url, whenMissing, fetch, patience }: ReadOnceOptions): Promise<HandedStream> {
  const asOf = new Date().toISOString();
  try {
    const reading = await stream<StateEvent>({
      url,
      // What is kept for another request is not what this person may see, nor what there is now.
      fetch: (input, init) => fetch(input, { ...init, cache: "no-store" }),
      live: false,
      json: true,
      warnOnHttp: false,
      signal: AbortSignal.timeout(patience),
      backoffOptions: { initialDelay: 0, maxDelay: 0, multiplier: 1, maxRetries: 0 },
    });
    return { stream: name, asOf, rows: rowsFrom(await reading.json()) };
  } catch (error) {
    const problem = problemFrom(error);
    if (problem.status === 404 && whenMissing === "empty") return { stream: name, asOf, rows: [] };
    throw new SignoffError(problem);
  }
}

function rowsFrom(events: readonly StateEvent[]): HandedStream["rows"] {
  const state = new MaterializedState();
  for (const event of events) {
    if (isChangeEvent(event) && (event.headers.operation === "delete" || isObject(event.value))) state.apply(event);
  }
  const rowsOf = (type: string): Row[] => [...state.getType(type)].map(([key, value]) => ({ ...(value as object), id: key }));
  return state.types.map((type) => [type, rowsOf(type)]);
}
