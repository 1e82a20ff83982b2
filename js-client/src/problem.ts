/**
 * Errors as values: what went wrong, in the shape of RFC 9457 problem details.
 *
 * Replies come from servers, proxies and captive portals alike, so reading one never throws:
 * what is not a problem document becomes one, named after its status.
 */
import { FetchError, DurableStreamError } from "@durable-streams/client";
import type { InputRow, Problem, RunError, RunRow } from "./protocol.js";
import type { AnswerError } from "./rows.js";

/** Why something was refused or could not be done: what a server says, or what this client found itself. */
export interface SignoffProblem extends Omit<Problem, "status" | "detail" | "code" | "error"> {
  /** HTTP status; 0 when no reply arrived or the client itself refused. */
  readonly status: number;
  readonly detail: string | null;
  /** The machine-readable name, for example `not_in_audience` or `network`. */
  readonly code: string;
  /** What the run ended with, where the server sent it along. */
  readonly error?: RunError;
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfterMs?: number;
}

const PREFIX = "urn:signoff:problem:";

/** Build a problem that this client found itself; its status is 0. */
export function localProblem(code: string, title: string, detail: string | null = null): SignoffProblem {
  return { type: PREFIX + code, title, status: 0, detail, code };
}

/** The problem of a success that says nothing a Signoff server would: a captive portal's, or a proxy's. */
export const badReply: SignoffProblem = {
  ...localProblem("bad_reply", "The reply did not come from a Signoff server"),
  status: 200,
};

/** An error that carries the problem it stands for. */
export class SignoffError extends Error {
  readonly problem: SignoffProblem;

  constructor(problem: SignoffProblem) {
    super(problem.detail === null ? problem.title : `${problem.title}: ${problem.detail}`);
    this.name = "SignoffError";
    this.problem = problem;
  }
}

/** The problem of not having reached the server, or what the error itself says. */
export function networkProblem(error: unknown): SignoffProblem {
  if (error instanceof SignoffError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return localProblem("network", "The server could not be reached", detail);
}

/** Read a refused reply as a problem, whatever its body holds. */
export function readProblem(status: number, body: string, retryAfter?: string | null): SignoffProblem {
  const members = parseObject(body);
  const type = text(members["type"]) ?? "about:blank";
  const fromType = type.startsWith(PREFIX) ? type.slice(PREFIX.length) : undefined;
  const row = members["row"];
  const { run, error, errors } = members;
  const wait = parseRetryAfter(retryAfter);
  return {
    type,
    title: text(members["title"]) ?? `The server replied ${status}`,
    status,
    detail: text(members["detail"]) ?? null,
    code: text(members["code"]) ?? fromType ?? `http_${status}`,
    ...(isObject(row) ? { row: row as unknown as InputRow } : {}),
    ...(isObject(run) ? { run: run as unknown as RunRow } : {}),
    ...(isRunError(error) ? { error } : {}),
    ...(Array.isArray(errors) ? { errors: errors.filter(isAnswerError) } : {}),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  };
}

/** Read whatever the stream packages threw as a problem. */
export function problemFrom(error: unknown): SignoffProblem {
  if (error instanceof FetchError) {
    const body = error.text ?? (error.json === undefined ? "" : JSON.stringify(error.json));
    return readProblem(error.status, body, error.headers["retry-after"]);
  }
  if (error instanceof DurableStreamError && error.status !== undefined) {
    const { details } = error;
    return readProblem(error.status, typeof details === "string" ? details : JSON.stringify(details ?? null));
  }
  return networkProblem(error);
}

/** Milliseconds to wait from a Retry-After header: seconds or an HTTP date; undefined if neither. */
function parseRetryAfter(header: string | null | undefined): number | undefined {
  if (header === null || header === undefined || header.trim() === "") return undefined;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** Parse a JSON object; anything else, HTML or nothing, is an object without members. */
export function parseObject(body: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body);
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True for statuses that speak of the moment and not of what was asked; 0 is an unreachable server. */
export function isPassing(status: number): boolean {
  return [0, 408, 425, 429].includes(status) || (status >= 500 && status !== 501);
}

function isRunError(value: unknown): value is RunError {
  return isObject(value) && typeof value["code"] === "string";
}

function isAnswerError(value: unknown): value is AnswerError {
  return isObject(value) && typeof value["pointer"] === "string" && typeof value["message"] === "string";
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
