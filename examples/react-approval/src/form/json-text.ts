/** JSON that a person typed: read without changing a number, and written for reading. Pure. */

import { exactNumber } from "./number";

export type JsonReading = { ok: true; value: unknown } | { ok: false; problem: string };

/** Texts, which are passed over, and numbers. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** Read JSON text. A number that would come out as another one is refused by name. */
export function readJson(text: string): JsonReading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: `This is not JSON: ${error instanceof Error ? error.message : "it cannot be read."}` };
  }
  for (const [token] of text.matchAll(TOKENS)) {
    if (!token.startsWith('"') && exactNumber(token) === null) return { ok: false, problem: tooExact(token) };
  }
  return { ok: true, value };
}

/** Say why a number is not sent. */
export function tooExact(text: string): string {
  return `${text} has more digits than a browser can send as a number: it would arrive as ${Number(text)}.`;
}

/** Write a value for reading; what cannot be written is nothing. */
export function writeJson(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value, null, 2);
}
