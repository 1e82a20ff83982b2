/**
 * The last rows of streams in IndexedDB, so that a page that is opened offline shows what was known, and how old that is.
 *
 * Only where the application asks for it: what people saw then stays on the device. Each person's rows are apart; of whom it
 * cannot be told who it is, nothing is kept.
 */
import { Texts } from "./idb.js";
import { isObject } from "./problem.js";
import type { Row } from "./rows.js";
import { after } from "./timer.js";

/** Rows by type, and when they were last known to be complete, as RFC 3339 in UTC. */
export interface Known {
  readonly rows: ReadonlyMap<string, readonly Row[]>;
  readonly asOf: string;
}

/** The kept rows of one stream. */
export interface Keeper {
  /** What was last kept for the person signed in; waits until it is known who that is. */
  load(): Promise<Known | undefined>;
  /** The rows are complete; `known` is asked when it is time to write. */
  changed(known: () => Known): void;
  /** Nobody looks any more. */
  left(): void;
  /** The person may not see it any more, or it is no more. */
  drop(): void;
}

export interface KeptRowsOptions {
  readonly database: IDBFactory;
  readonly base: string;
  readonly person: () => string | null | undefined;
}

/** A stream that is longer than this, in characters, is not kept. */
const LONGEST = 500_000;

/** Of one person's streams, as many are kept as have not more characters than this together, and not more than `MOST`. */
const LONGEST_TOGETHER = 5_000_000;
const MOST = 50;

/** How long rows are at rest before they are written, in milliseconds. */
const REST_MS = 1_000;

interface Watched {
  readonly by: string | null;
  known: () => Known;
  /** Set while something is to be written. */
  cancel: (() => void) | undefined;
}

export class KeptRows {
  readonly #options: KeptRowsOptions;
  readonly #texts: Texts;
  readonly #watched = new Map<string, Watched>();
  /** Streams that this page has written before: writing them again makes no more of them. */
  readonly #written = new Set<string>();
  #writing = 0;
  #untidy = false;
  #tidying = false;
  readonly #closed = new AbortController();
  #personKnown: () => void = () => undefined;
  readonly #known: Promise<void>;

  constructor(options: KeptRowsOptions) {
    this.#options = options;
    this.#texts = new Texts(options.database, "rows");
    this.#known = new Promise((resolve) => { this.#personKnown = resolve; });
    if (typeof document !== "object") return;
    // The last moment at which a page that is closed hears of it. Until now the rows were complete, whenever they last changed.
    const write = (): void => {
      if (document.hidden) for (const url of this.#watched.keys()) this.#write(url);
    };
    document.addEventListener("visibilitychange", write, { signal: this.#closed.signal });
  }

  /** It is known who is signed in. */
  personIs(): void {
    this.#personKnown();
  }

  /** The keeper of one stream. */
  of(url: string): Keeper {
    return {
      load: () => this.#load(url),
      changed: (known) => { this.#changed(url, known); },
      left: () => {
        this.#write(url);
        this.#watched.delete(url);
      },
      drop: () => { this.#drop(url); },
    };
  }

  /** Remove everybody's rows. */
  async forget(): Promise<void> {
    for (const { cancel } of this.#watched.values()) cancel?.();
    this.#watched.clear();
    await this.#texts.removeAll(`${JSON.stringify([this.#options.base]).slice(0, -1)},`);
  }

  close(): void {
    this.#closed.abort();
    if (this.#writing === 0) this.#texts.close();
  }

  async #load(url: string): Promise<Known | undefined> {
    await this.#known;
    const by = this.#person();
    if (by === undefined) return undefined;
    try {
      const known = parse(await this.#texts.get(this.#name(by, url)));
      return this.#person() === by ? known : undefined;
    } catch {
      return undefined;
    }
  }

  #changed(url: string, known: () => Known): void {
    const by = this.#person();
    if (by === undefined || this.#closed.signal.aborted) return;
    let watched = this.#watched.get(url);
    if (watched?.by !== by) {
      watched?.cancel?.();
      watched = { by, known, cancel: undefined };
      this.#watched.set(url, watched);
    }
    watched.known = known;
    watched.cancel ??= after(REST_MS, () => { this.#write(url); });
  }

  #write(url: string): void {
    const watched = this.#watched.get(url);
    if (watched === undefined) return;
    watched.cancel?.();
    watched.cancel = undefined;
    const { rows, asOf } = watched.known();
    const text = JSON.stringify({ asOf, rows: [...rows] });
    const name = this.#name(watched.by, url);
    const isNew = !this.#written.has(name);
    this.#written.add(name);
    this.#do(async () => {
      await this.#texts.update(name, () => (text.length > LONGEST ? null : text));
      if (isNew) await this.#tidy(watched.by);
    });
  }

  #drop(url: string): void {
    this.#watched.get(url)?.cancel?.();
    this.#watched.delete(url);
    const by = this.#person();
    if (by !== undefined) this.#do(() => this.#texts.update(this.#name(by, url), () => null));
  }

  /** Do what is worth trying, and no loss if it fails. */
  #do(work: () => Promise<unknown>): void {
    this.#writing += 1;
    work().catch(() => undefined).finally(() => {
      this.#writing -= 1;
      if (this.#closed.signal.aborted && this.#writing === 0) this.#texts.close();
    });
  }

  async #tidy(by: string | null): Promise<void> {
    this.#untidy = true;
    if (this.#tidying) return;
    this.#tidying = true;
    try {
      // Others may be written meanwhile.
      while (this.#isUntidy()) await this.#sweep(by);
    } finally {
      this.#tidying = false;
    }
  }

  #isUntidy(): boolean {
    const untidy = this.#untidy;
    this.#untidy = false;
    return untidy;
  }

  /** Remove the oldest of a person's streams where there are too many. */
  async #sweep(by: string | null): Promise<void> {
    const all = await this.#texts.all(`${JSON.stringify([this.#options.base, by]).slice(0, -1)},`);
    const newestFirst = [...all].map(([name, text]) => ({ name, size: text.length, asOf: parse(text)?.asOf ?? "" }))
      .sort((a, b) => (a.asOf < b.asOf ? 1 : -1));
    let [count, size] = [0, 0];
    for (const kept of newestFirst) {
      count += 1;
      size += kept.size;
      if (count > MOST || size > LONGEST_TOGETHER) await this.#texts.update(kept.name, () => null);
    }
  }

  #person(): string | null | undefined {
    const by = this.#options.person();
    return by === "" ? undefined : by;
  }

  #name(by: string | null, url: string): string {
    return JSON.stringify([this.#options.base, by, url]);
  }
}

function parse(text: string | null): Known | undefined {
  try {
    const parsed: unknown = JSON.parse(text ?? "null");
    if (!isObject(parsed)) return undefined;
    const { asOf, rows } = parsed;
    return typeof asOf === "string" && Array.isArray(rows) && rows.every(isList) ? { asOf, rows: new Map(rows) } : undefined;
  } catch {
    return undefined;
  }
}

function isList(entry: unknown): entry is [string, Row[]] {
  if (!Array.isArray(entry)) return false;
  const [type, rows] = entry as unknown[];
  return typeof type === "string" && Array.isArray(rows) && rows.every((row) => isObject(row) && typeof row["id"] === "string");
}
