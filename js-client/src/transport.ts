/** HTTP to one Signoff server: addresses, the bearer token, and replies read without surprises. */
import { networkProblem, parseObject, readProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";

/**
 * Give the token for the next request, or null for none.
 *
 * Asked before every request, so it should remember its token. After a 401 it is asked once more
 * with `refused: true`: the moment to fetch a fresh one.
 */
export type TokenProvider = (request: { readonly refused: boolean }) => string | null | Promise<string | null>;

/** A reply, or why there is none. */
export type Reply =
  | { readonly ok: true; readonly status: number; readonly headers: Headers; readonly body: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problem: SignoffProblem };

/** What a call came to: its value, or the problem. */
export type Result<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly problem: SignoffProblem };

const CALL_TIMEOUT_MS = 30_000;

export class Transport {
  /** The server's base address, without a slash at its end. */
  readonly base: string;
  /** Whom the last token spoke for; undefined before the first was asked for. */
  lastPerson: string | null | undefined;
  readonly #token: TokenProvider;
  readonly #fetch: typeof fetch;

  constructor(base: string, token: TokenProvider | undefined, fetchImpl: typeof fetch | undefined) {
    this.base = absolute(base).replace(/\/+$/, "");
    this.#token = token ?? (() => null);
    this.#fetch = fetchImpl ?? ((...args) => globalThis.fetch(...args));
  }

  /** Build the address of a path below the server; every segment is escaped. */
  address(...segments: readonly string[]): string {
    return [this.base, ...segments.map(escapeSegment)].join("/");
  }

  /** Whom the present token speaks for: its `sub`, or null without a token. Rejects if the provider does. */
  async person(): Promise<string | null> {
    return subject(await this.#ask(false));
  }

  /** `fetch` with the bearer token; a 401 is tried again once with a token asked for anew. */
  readonly fetch: typeof fetch = async (input, init) => {
    const first = await this.#send(input, init, await this.#ask(false));
    if (first.status !== 401) return first;
    const token = await this.#ask(true);
    if (token === null) return first;
    await first.body?.cancel();
    return this.#send(input, init, token);
  };

  /** Call the API. Never rejects: an unreachable server and a nonsensical reply are problems too. */
  async call(method: "GET" | "POST", address: string, body?: unknown): Promise<Reply> {
    try {
      const reply = await this.fetch(address, {
        method,
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        ...(body === undefined
          ? {}
          : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
      });
      const text = await reply.text();
      if (!reply.ok) {
        return { ok: false, problem: readProblem(reply.status, text, reply.headers.get("Retry-After")) };
      }
      return { ok: true, status: reply.status, headers: reply.headers, body: parseObject(text) };
    } catch (error) {
      return { ok: false, problem: networkProblem(error) };
    }
  }

  async #ask(refused: boolean): Promise<string | null> {
    const token = await this.#token({ refused });
    this.lastPerson = subject(token);
    return token;
  }

  #send(input: Parameters<typeof fetch>[0], init: RequestInit | undefined, token: string | null): Promise<Response> {
    if (token === null) return this.#fetch(input, init);
    const headers = new Headers(init?.headers);
    headers.set("Authorization", `Bearer ${token}`);
    return this.#fetch(input, { ...init, headers });
  }
}

function absolute(base: string): string {
  return typeof location === "object" ? new URL(base, location.href).href : new URL(base).href;
}

/** Escape one path segment, leaving the colon of `group:finance` and `approve:0` readable. */
function escapeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll("%3A", ":");
}

/** Read a JWT's `sub` without verifying it: used only to notice that another person signed in. */
function subject(token: string | null): string | null {
  const payload = token?.split(".")[1];
  if (payload === undefined) return token === null ? null : "";
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    const { sub } = parseObject(new TextDecoder().decode(bytes));
    return typeof sub === "string" ? sub : "";
  } catch {
    return "";
  }
}
