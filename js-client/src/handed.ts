/**
 * Rows that a server has read for a page it renders, and hands to the browser with the page.
 *
 * They are what the page begins with, on both sides: in the HTML, and until the browser's own streams are complete. They hold
 * rows alone, no token and no address, since they travel in the page.
 */
import type { Row } from "./rows.js";

/** What was read of one stream, or, of a run whose request alone was read, that request. */
export interface HandedStream {
  /** The stream's path, `runs/claim-1`. */
  readonly stream: string;
  /** When it was read, as RFC 3339 in UTC, by the clock of the server that rendered the page. */
  readonly asOf: string;
  /** Rows by type, in order of first appearance. */
  readonly rows: readonly (readonly [type: string, rows: readonly Row[]])[];
}

/** What `read()` of views gives: JSON, to be handed to `<SignoffProvider rows={…}>`. Put several together in one list. */
export type HandedRows = readonly HandedStream[];

/** What was read for a page, and what that shows. */
export interface Read<S> {
  readonly rows: HandedRows;
  readonly snapshot: S;
}

/** The rows of one stream, and when they were read. */
export interface Handover {
  readonly rows: ReadonlyMap<string, readonly Row[]>;
  readonly asOf: string;
}

/** Find what was handed of one stream; what was read of it in several parts is put together. */
export function handoverOf(handed: HandedRows, stream: string): Handover | undefined {
  const parts = handed.filter((part) => part.stream === stream);
  const [only, ...others] = parts;
  if (only === undefined) return undefined;
  if (others.length === 0) return { rows: new Map(only.rows), asOf: only.asOf };
  const byType = new Map<string, Map<string, Row>>();
  for (const [type, rows] of parts.flatMap((part) => part.rows)) {
    const known = byType.get(type) ?? new Map<string, Row>();
    for (const row of rows) known.set(row.id, row);
    byType.set(type, known);
  }
  const [asOf = only.asOf] = parts.map((part) => part.asOf).sort();
  return { rows: new Map([...byType].map(([type, rows]) => [type, [...rows.values()]])), asOf };
}

/** What was handed to a page and its streams have not yet overtaken. */
export class Handed {
  readonly #waiting = new Map<string, HandedRows>();
  /** When what was last handed of a stream was read. A router that keeps pages hands it again, as old as it has become. */
  readonly #latest = new Map<string, string>();

  /** Take what is newer than what was handed before, and return it. */
  take(handed: HandedRows): HandedRows {
    const news = handed.filter(({ stream, asOf }) => asOf > (this.#latest.get(stream) ?? ""));
    for (const stream of new Set(news.map((part) => part.stream))) {
      const parts = news.filter((part) => part.stream === stream);
      this.#latest.set(stream, parts.map(({ asOf }) => asOf).sort().at(-1) ?? "");
      this.#waiting.set(stream, parts);
    }
    return news;
  }

  /** All that was not overtaken. */
  get rows(): HandedRows {
    return [...this.#waiting.values()].flat();
  }

  /** What there is of a stream, if it was not overtaken. */
  of(stream: string): Handover | undefined {
    return handoverOf(this.#waiting.get(stream) ?? [], stream);
  }

  /** The stream itself has been heard. */
  overtaken(stream: string): void {
    this.#waiting.delete(stream);
  }

  /** Somebody else is signed in. */
  clear(): void {
    this.#waiting.clear();
  }
}
