/**
 * One connection for all the live streams of a page (Workflow Protocol §4.14): a `fetch` that answers live reads from it.
 *
 * Browsers allow six HTTP/1.1 connections to a host, over all tabs. What is read live is asked for here as ever, and
 * gets the response it would get alone; on the way all of them share one. A server that has no such connection is asked
 * for each stream apart.
 */
import { isObject } from "./problem.js";
import { after } from "./timer.js";

/** How long reads that come again together are waited for, in milliseconds, and leaves, before they are told as one. */
const GATHER_MS = 50;

/** Connections beside one another, where joining does not reach the process that has one, before all begin anew as one. */
const MOST_BESIDE = 2;

/** How long more than that may be, in milliseconds. Sooner, and clients of streams would take the end for a fault. */
const MERGE_MS = 2_000;

/** Replies of servers that have no connection for several reads. */
const NO_SUCH_THING: readonly number[] = [400, 404, 405, 415, 501];

/** What a live read is: an address, and who asks. */
export interface LiveRead {
  readonly path: string;
  readonly offset: string;
  readonly cursor: string | undefined;
  readonly authorization: string | undefined;
}

/** Hears what becomes of one live read; after `onEnded` and `onFailed` nothing more. */
export interface ReadEvents {
  onOpened(status: number, headers: Readonly<Record<string, string>>): void;
  onBody(text: string): void;
  onEnded(): void;
  /** Its connection is lost, or (`unsupported`) the server has none for several reads. */
  onFailed(unsupported: boolean): void;
}

/** Carries live reads; the returned function gives one up. */
export interface Carrier {
  carry(read: LiveRead, events: ReadEvents): () => void;
  close(): void;
}

interface Carried {
  readonly id: string;
  readonly read: LiveRead;
  readonly events: ReadEvents;
}

let names = 0;

/** Carries the reads of this page over a connection of its own. */
export class PageCarrier implements Carrier {
  readonly #base: string;
  readonly #fetch: typeof fetch;
  readonly #open = new Set<Line>();
  #waiting: Carried[] = [];
  #cancelGather: (() => void) | undefined;
  #cancelMerge: (() => void) | undefined;
  #unsupported = false;
  /** Joining a connection that was there reached no process that has it: several serve this address. */
  #apart = false;

  constructor(base: string, fetchImpl: typeof fetch) {
    this.#base = base;
    this.#fetch = fetchImpl;
  }

  carry(read: LiveRead, events: ReadEvents): () => void {
    const carried = { id: `${++names}`, read, events };
    if (this.#unsupported) {
      queueMicrotask(() => { events.onFailed(true); });
      return () => undefined;
    }
    this.#waiting.push(carried);
    // No timer: browsers let those of tabs in the background wait for seconds, and others may read through this one.
    if (this.#cancelGather === undefined) queueMicrotask(() => { this.#send(); });
    return () => { this.#giveUp(carried); };
  }

  close(): void {
    this.#cancelGather?.();
    this.#cancelMerge?.();
    for (const line of [...this.#open]) line.close();
  }

  #giveUp(carried: Carried): void {
    this.#waiting = this.#waiting.filter((other) => other !== carried);
    for (const line of this.#open) line.leave(carried.id);
  }

  #send(): void {
    if (this.#cancelGather !== undefined) return;
    const reads = this.#waiting;
    this.#waiting = [];
    if (reads.length === 0) return;
    const line = [...this.#open].find((present) => present.joinable);
    if (line !== undefined && !this.#apart) line.join(reads);
    else this.#dial(reads);
    if (this.#open.size > MOST_BESIDE) this.#cancelMerge ??= after(MERGE_MS, () => { this.#beginAnew(); });
  }

  /** End all reads as the server does from time to time: they come again, at once, and share the next connection. */
  #beginAnew(): void {
    this.#cancelMerge = undefined;
    this.#cancelGather?.();
    this.#cancelGather = after(GATHER_MS, () => {
      this.#cancelGather = undefined;
      this.#send();
    });
    for (const line of [...this.#open]) line.end();
  }

  #dial(reads: Carried[]): void {
    const line = new Line(`${this.#base}/v1/live`, this.#fetch, {
      onOver: () => { this.#open.delete(line); },
      onUnsupported: () => { this.#unsupported = true; },
      onElsewhere: (late) => {
        this.#apart = true;
        this.#waiting.push(...late);
        this.#send();
      },
    });
    this.#open.add(line);
    line.open(reads);
  }
}

interface LineEvents {
  onOver(): void;
  onUnsupported(): void;
  /** These could not join: the process that was asked does not have the connection. */
  onElsewhere(reads: Carried[]): void;
}

/** One connection and the reads on it. */
class Line {
  readonly #url: string;
  readonly #fetch: typeof fetch;
  readonly #events: LineEvents;
  readonly #reads = new Map<string, Carried>();
  readonly #abort = new AbortController();
  #name: string | undefined;
  /** What joins as soon as the connection has its name. */
  #early: Carried[] = [];
  #leaving: string[] = [];
  #cancelLeaving: (() => void) | undefined;
  #over = false;

  constructor(url: string, fetchImpl: typeof fetch, events: LineEvents) {
    this.#url = url;
    this.#fetch = fetchImpl;
    this.#events = events;
  }

  get joinable(): boolean {
    return !this.#over;
  }

  open(reads: readonly Carried[]): void {
    this.#take(reads);
    this.#run(reads).then(
      () => { this.#finish(false); },
      () => { this.#finish(false); },
    );
  }

  join(reads: Carried[]): void {
    this.#take(reads);
    if (this.#name === undefined) this.#early.push(...reads);
    else void this.#change(reads);
  }

  leave(id: string): void {
    if (!this.#reads.delete(id)) return;
    this.#early = this.#early.filter((carried) => carried.id !== id);
    if (this.#reads.size === 0) {
      this.close();
    } else {
      this.#leaving.push(id);
      this.#cancelLeaving ??= after(GATHER_MS, () => { void this.#change([]); });
    }
  }

  /** Let all reads end as if the server had ended them. */
  end(): void {
    const reads = [...this.#reads.values()];
    this.#reads.clear();
    this.close();
    for (const { events } of reads) events.onEnded();
  }

  close(): void {
    this.#abort.abort();
    this.#finish(false);
  }

  #take(reads: readonly Carried[]): void {
    for (const carried of reads) this.#reads.set(carried.id, carried);
  }

  #finish(unsupported: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelLeaving?.();
    this.#events.onOver();
    for (const { events } of this.#reads.values()) events.onFailed(unsupported);
    this.#reads.clear();
  }

  async #run(reads: readonly Carried[]): Promise<void> {
    const reply = await this.#post(this.#url, { join: reads.map(asJoin) }, reads[0]?.read.authorization);
    const framed = (reply.headers.get("Content-Type") ?? "").startsWith("text/event-stream");
    if (reply.ok && framed && reply.body !== null) {
      for await (const frame of frames(reply.body)) this.#heard(frame);
    } else if (reply.ok || NO_SUCH_THING.includes(reply.status)) {
      await reply.body?.cancel();
      this.#events.onUnsupported();
      this.#finish(true);
    } else {
      // Not signed in, too many, busy: what each of them would have been told.
      const text = await reply.text();
      for (const { events } of this.#reads.values()) {
        events.onOpened(reply.status, Object.fromEntries(reply.headers));
        events.onBody(text);
        events.onEnded();
      }
      this.#reads.clear();
    }
  }

  #heard({ event, data }: Frame): void {
    if (event === "connection") {
      this.#name = String(data["connection"]);
      const early = this.#early.splice(0);
      if (early.length > 0) void this.#change(early);
      return;
    }
    const carried = this.#reads.get(String(data["id"]));
    if (carried === undefined) return;
    const { events } = carried;
    if (event === "opened") {
      events.onOpened(Number(data["status"]), isObject(data["headers"]) ? (data["headers"] as Record<string, string>) : {});
    } else if (event === "body") {
      events.onBody(String(data["body"]));
    } else if (event === "ended") {
      this.#reads.delete(carried.id);
      events.onEnded();
    }
  }

  async #change(joining: Carried[]): Promise<void> {
    this.#cancelLeaving?.();
    this.#cancelLeaving = undefined;
    const leave = this.#leaving.splice(0);
    try {
      const change = { join: joining.map(asJoin), leave };
      const reply = await this.#post(`${this.#url}/${this.#name ?? ""}`, change, joining[0]?.read.authorization);
      await reply.body?.cancel();
      if (reply.ok) return;
      const late = joining.filter(({ id }) => this.#reads.delete(id));
      if (reply.status === 404 && !this.#over) this.#events.onElsewhere(late);
      else for (const { events } of late) events.onFailed(false);
    } catch {
      for (const { id, events } of joining) if (this.#reads.delete(id)) events.onFailed(false);
    }
  }

  /** Each read brings its own credentials; those of one stand at the request, for whatever is in front of the server. */
  #post(url: string, body: object, authorization: string | undefined): Promise<Response> {
    const headers = { "Content-Type": "application/json", ...(authorization === undefined ? {} : { Authorization: authorization }) };
    return this.#fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal: this.#abort.signal });
  }
}

function asJoin({ id, read }: Carried): object {
  return { id, ...read };
}

interface Frame {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Read the frames of a connection: events, each a name and one line of JSON. */
async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop() ?? "";
    for (const text of events) {
      const found = /^event: (\w+)\ndata: (.*)$/.exec(text);
      if (found === null) continue;
      const data: unknown = JSON.parse(found[2] ?? "");
      if (isObject(data)) yield { event: found[1] ?? "", data: data };
    }
  }
}

/**
 * Make a `fetch` that answers live reads by what a carrier brings, and does all else as `fetchImpl` does.
 *
 * @param base is the server's address; only what is below its `/v1/stream/` is carried
 */
export function carrying(base: () => string, fetchImpl: typeof fetch, carrier: () => Carrier): typeof fetch {
  return (input, init) => {
    const read = liveRead(base(), input, init);
    return read === undefined ? fetchImpl(input, init) : carried(read, init?.signal ?? undefined, carrier(), () => fetchImpl(input, init));
  };
}

function liveRead(base: string, input: Parameters<typeof fetch>[0], init: RequestInit | undefined): LiveRead | undefined {
  if (input instanceof Request || (init?.method ?? "GET") !== "GET") return undefined;
  const url = new URL(input);
  const root = `${base}/v1/stream/`;
  const where = url.origin + url.pathname;
  const query = url.searchParams;
  if (!where.startsWith(root) || query.get("live") !== "sse") return undefined;
  return {
    path: where.slice(root.length),
    offset: query.get("offset") ?? "-1",
    cursor: query.get("cursor") ?? undefined,
    authorization: new Headers(init?.headers).get("Authorization") ?? undefined,
  };
}

function carried(read: LiveRead, signal: AbortSignal | undefined, carrier: Carrier, apart: () => Promise<Response>): Promise<Response> {
  return new Promise<Response>((resolve, reject) => {
    const encoder = new TextEncoder();
    let body: ReadableStreamDefaultController<Uint8Array> | undefined;
    const over = (): void => {
      body = undefined;
      signal?.removeEventListener("abort", onAbort);
    };
    const giveUp = carrier.carry(read, {
      onOpened(status, headers) {
        const stream = new ReadableStream<Uint8Array>({
          start: (controller) => { body = controller; },
          cancel: () => {
            over();
            giveUp();
          },
        });
        // A problem may end after its first piece, and a read of what is closed at once: both are responses like others.
        resolve(new Response([204, 205, 304].includes(status) ? null : stream, { status, headers: { ...headers } }));
      },
      onBody: (text) => { body?.enqueue(encoder.encode(text)); },
      onEnded() {
        body?.close();
        over();
        reject(new TypeError("The connection ended before the response."));
      },
      onFailed(unsupported) {
        const lost = new TypeError("The connection that carries this read is lost.");
        body?.error(lost);
        over();
        if (unsupported) apart().then(resolve, reject);
        else reject(lost);
      },
    });
    const onAbort = (): void => {
      const reason: unknown = signal?.reason;
      body?.error(reason);
      over();
      giveUp();
      reject(reason instanceof Error ? reason : new DOMException("The read was given up.", "AbortError"));
    };
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort);
  });
}
