/** HTTP to one Signoff server: addresses, the bearer token, and replies read without surprises. */
import { writeJson } from "./json.js";
import { SignoffError, localProblem, networkProblem, parseObject, readProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import { fetchWithProgress } from "./sending.js";
import { within } from "./timer.js";

/**
 * Give the token for the next request, or null for none.
 *
 * Asked before every request, so it should remember its token. After a 401 it is asked once more
 * with `refused: true`: the moment to fetch a fresh one. A provider that rejects, gives nothing or
 * takes too long counts as an unreachable server: it is asked again later.
 */
export type TokenProvider = (request: { readonly refused: boolean }) => string | null | Promise<string | null>;

/** The members of a reply's body; what they hold is yet to be looked at, since proxies and captive portals reply, too. */
export type Members<Names extends string> = Readonly<Partial<Record<Names, unknown>>>;

/** A reply, with the members its body may have, or why there is none. */
export type Reply<Names extends string = string> =
  | { readonly ok: true; readonly status: number; readonly headers: Headers; readonly body: Members<Names> }
  | { readonly ok: false; readonly problem: SignoffProblem };

/** What a call came to: its value, or the problem. */
export type Result<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly problem: SignoffProblem };

const CALL_TIMEOUT_MS = 30_000;

/** What `bytes` sends, or asks for. */
export interface Bytes {
  readonly body?: Blob;
  /** The media type of the body. */
  readonly type?: string;
  readonly query?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((sent: number, of: number) => void) | undefined;
  /** The reply is no JSON. */
  readonly blob?: boolean;
}

export interface TransportOptions {
  /** Nobody has given a `fetch` of their own, which all requests have to take. */
  readonly ownFetch?: boolean;
  /** Who is signed in, whatever the tokens say. */
  readonly person?: string | undefined;
  /** How long the token provider may take, in milliseconds. */
  readonly tokenTimeout?: number;
}

/** What a transport tells whoever owns it. */
export interface TransportEvents {
  /** It is known (for the first time, or anew) who is signed in. */
  onPerson(person: string | null): void;
  /** What was refused may be granted now: another token, or one that works again. */
  onCredentials(): void;
}

export class Transport {
  /** The server's base address, without a slash at its end; relative where there is no page to complete it. */
  readonly base: string;
  /** Set by the owner. */
  events: TransportEvents | undefined;
  readonly #token: TokenProvider | undefined;
  readonly #fetch: typeof fetch;
  readonly #ownFetch: boolean;
  readonly #tokenTimeout: number;
  readonly #givenPerson: string | undefined;
  /** Whom the last token spoke for; undefined before the first was given. */
  #lastPerson: string | null | undefined;
  #lastToken: string | null | undefined;
  #refused = false;

  constructor(
    base: string,
    token: TokenProvider | undefined,
    fetchImpl: typeof fetch | undefined,
    { person, tokenTimeout = 10_000, ownFetch = false }: TransportOptions = {},
  ) {
    this.base = absolute(base);
    // Without this check a token given as text is a sign-in that fails for ever, and every answer waits for it.
    if (token !== undefined && typeof token !== "function") {
      throw new TypeError("createSignoff: token must be a function that gives the token, such as () => fetchToken(), not the token itself");
    }
    this.#token = token;
    this.#ownFetch = ownFetch;
    this.#fetch = fetchImpl ?? ((...args) => globalThis.fetch(...args));
    this.#tokenTimeout = tokenTimeout;
    this.#givenPerson = person;
    this.#lastPerson = token === undefined ? null : undefined;
  }

  /** True if there is a token provider, so that a 401 may be followed by something better. */
  get signsIn(): boolean {
    return this.#token !== undefined;
  }

  /** Who is signed in as far as is known without asking: as `person()`, or undefined while nothing is. */
  get knownPerson(): string | null | undefined {
    return this.#givenPerson ?? this.#lastPerson;
  }

  /**
   * Build the address of a path below the server; every segment is escaped.
   *
   * Throws a SignoffError for a segment that no address can carry, and where the server's own is not known.
   */
  address(...segments: readonly string[]): string {
    // Relative, and no page to complete it: rendering on a server, which has nobody to ask.
    if (parsed(this.base) === undefined) {
      throw new SignoffError(localProblem("no_address", "The server's address is not known outside a page", `A relative one, ${JSON.stringify(this.base)}, needs a page.`));
    }
    return [this.base, ...segments.map(escapeSegment)].join("/");
  }

  /** Whom the present token speaks for: its `sub`, `""` if it cannot be read, null without a token. Rejects if the provider does. */
  async person(): Promise<string | null> {
    return this.#givenPerson ?? subject(await this.#ask(false));
  }

  /** `fetch` with the bearer token; a 401 is tried again once with a token asked for anew. */
  readonly fetch: typeof fetch = (input, init) => this.#request(input, init, undefined);

  /**
   * Call the API. Never rejects: an unreachable server and a nonsensical reply are problems too.
   *
   * @param path is an address, or the segments of one
   * @param as is whom the call must be made for; with another person's token it is not sent
   */
  async call<Body>(method: "GET" | "POST", path: string | readonly string[], body?: unknown, as?: string | null): Promise<Reply<keyof Body & string>> {
    try {
      const address = typeof path === "string" ? path : this.address(...path);
      const content = body === undefined ? { cache: "no-store" as const } : { headers: { "Content-Type": "application/json" }, body: writeJson(body) };
      const reply = await this.#request(address, { method, signal: AbortSignal.timeout(CALL_TIMEOUT_MS), ...content }, as);
      const text = await reply.text();
      if (!reply.ok) {
        return { ok: false, problem: readProblem(reply.status, text, reply.headers.get("Retry-After")) };
      }
      return { ok: true, status: reply.status, headers: reply.headers, body: parseObject(text) as Members<keyof Body & string> };
    } catch (error) {
      return { ok: false, problem: networkProblem(error) };
    }
  }

  /** Send bytes, or ask for some. Never rejects. Takes as long as it takes, until the signal comes. */
  async bytes<Names extends string>(method: "GET" | "PUT" | "DELETE", path: readonly string[], { body, type, query, signal, onProgress, blob = false }: Bytes): Promise<Reply<Names> & { readonly blob?: Blob }> {
    try {
      const address = this.address(...path) + (query === undefined ? "" : `?${new URLSearchParams(query)}`);
      const headers = body === undefined ? {} : { "Content-Type": type === undefined || type === "" ? "application/octet-stream" : type };
      const init: RequestInit = { method, headers, ...(body === undefined ? {} : { body }), ...(signal === undefined ? {} : { signal }) };
      const told = onProgress !== undefined && this.#ownFetch && typeof XMLHttpRequest === "function";
      const reply = await this.#request(address, init, undefined, told ? fetchWithProgress(onProgress) : this.#fetch);
      if (!reply.ok) return { ok: false, problem: readProblem(reply.status, await reply.text(), reply.headers.get("Retry-After")) };
      const { status, headers: found } = reply;
      if (blob) return { ok: true, status, headers: found, body: {} as Members<Names>, blob: await reply.blob() };
      return { ok: true, status, headers: found, body: parseObject(await reply.text()) as Members<Names> };
    } catch (error) {
      return { ok: false, problem: networkProblem(error) };
    }
  }

  async #request(input: Parameters<typeof fetch>[0], init: RequestInit | undefined, as: string | null | undefined, by = this.#fetch): Promise<Response> {
    const first = await this.#send(input, init, await this.#ask(false), as, by);
    if (first.status !== 401) return this.#heard(first);
    const token = await this.#ask(true);
    if (token === null) return this.#heard(first);
    await first.body?.cancel();
    return this.#heard(await this.#send(input, init, token, as, by));
  }

  #heard(reply: Response): Response {
    const refused = reply.status === 401;
    const again = this.#refused && !refused;
    this.#refused = refused;
    if (again) this.events?.onCredentials();
    return reply;
  }

  async #ask(refused: boolean): Promise<string | null> {
    if (this.#token === undefined) return null;
    const token = await within(this.#tokenTimeout, provide(this.#token, refused), () =>
      new SignoffError(tokenProblem(`The token provider gave no answer within ${this.#tokenTimeout} ms.`)),
    );
    const [before, known] = [this.#lastToken, this.knownPerson];
    this.#lastToken = token;
    this.#lastPerson = subject(token);
    const now = this.knownPerson;
    if (now !== undefined && now !== known) this.events?.onPerson(now);
    if (before !== undefined && before !== token) this.events?.onCredentials();
    return token;
  }

  #send(input: Parameters<typeof fetch>[0], init: RequestInit | undefined, token: string | null, as: string | null | undefined, by: typeof fetch): Promise<Response> {
    if (as !== undefined && (this.#givenPerson ?? subject(token)) !== as) throw new SignoffError(personChanged);
    if (token === null) return by(input, init);
    const headers = new Headers(init?.headers);
    headers.set("Authorization", `Bearer ${token}`);
    return by(input, { ...init, headers });
  }
}

/** The problem of an answer whose author is no longer the one signed in. */
export const personChanged: SignoffProblem = localProblem(
  "person_changed",
  "Somebody else is signed in now",
  "The answer was given by another person and is not sent under this one's name.",
);

function tokenProblem(detail: string): SignoffProblem {
  return localProblem("token_unavailable", "The sign-in could not be renewed", detail);
}

/** Ask the provider; whatever it does wrong is a rejection that does not repeat what it gave. */
async function provide(provider: TokenProvider, refused: boolean): Promise<string | null> {
  let given: unknown;
  try {
    given = await provider({ refused });
  } catch (error) {
    throw new SignoffError(tokenProblem(`The token provider failed: ${error instanceof Error ? error.message : "no reason given"}`));
  }
  if (given === null) return null;
  const token = typeof given === "string" ? given.trim() : "";
  // Not an error page, not two lines: fetch would print such a header, secret and all, in its error.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new SignoffError(tokenProblem("The token provider gave something that is no token."));
  return token;
}

/** Complete and check the server's address; throws a TypeError that says what is wrong with it. */
function absolute(base: string): string {
  const wrong = (why: string): TypeError => new TypeError(`createSignoff: url must be the server's address, such as "/" or "https://host/path": ${why}`);
  if (typeof base !== "string") throw wrong("it is no text");
  if (/[?#]/.test(base)) throw wrong("it has a ? or a #, and paths are appended to it");
  const url = parsed(base, typeof location === "object" ? location.href : undefined);
  if (url === undefined) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(base)) throw wrong("it cannot be read");
    return base.replace(/\/+$/, "");
  }
  if (!/^https?:$/.test(url.protocol)) throw wrong("it is neither http nor https");
  if (url.username !== "" || url.password !== "") throw wrong("it holds a user name or a password; use `token`");
  // An empty address is the page's, whose own query is no part of the server's.
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

function parsed(address: string, page?: string): URL | undefined {
  try {
    return new URL(address, page);
  } catch {
    return undefined;
  }
}

/** Escape one path segment, leaving the colon of `group:finance` and `approve:0` readable. */
function escapeSegment(segment: string): string {
  // Browsers and proxies resolve the dots, escaped or not: the call would reach another path.
  if (segment === "" || segment === "." || segment === ".." || !isWellFormed(segment)) {
    throw new SignoffError(localProblem("invalid_name", "No run, request, topic or principal can have this name", `${JSON.stringify(segment)} is no name.`));
  }
  return encodeURIComponent(segment).replaceAll("%3A", ":");
}

/** True if a text is Unicode: half a surrogate pair cannot be escaped. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Read a JWT's `sub` without verifying it: used only to tell whose answer is whose. */
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
