/**
 * Where answers and drafts outlive the browser's being closed: IndexedDB, read at once by a copy in memory that all tabs keep alike.
 *
 * IndexedDB answers later, and a reload may come now: until it has taken what is written, the tab's sessionStorage holds it
 * too, and where there is no IndexedDB (some private windows) it stays there.
 */
import { Texts, pageDatabase } from "./idb.js";
import type { Shelf } from "./idb.js";
import { memoryStorage, pageStorage } from "./storage.js";
import type { Kept, SharedStorage, SubmissionStorage } from "./storage.js";

/** How one text follows from another: null is none, undefined leaves it. */
export type Change = (present: string | null) => string | null | undefined;

interface Written {
  readonly name: string;
  readonly text: string | null;
}

export interface BrowserStorageOptions {
  readonly database: IDBFactory;
  readonly shelf: Shelf;
  /** What holds each text until the database has it; undefined where the browser has or allows none. */
  readonly ahead: SubmissionStorage | undefined;
  /** What the names of all texts begin with. */
  readonly prefix: string;
  /** Called when another tab has changed something, or what is kept where has changed. */
  readonly onChange: () => void;
}

/** What stands in the tab's storage before a text that is gone, until the database knows. */
const GONE = "gone ";

/** How the database takes what a page has left: what is gone goes unless there is another by now, and nothing is overwritten. */
function leftover(text: string): Change {
  if (!text.startsWith(GONE)) return (present) => present ?? text;
  return (present) => (present === text.slice(GONE.length) ? null : undefined);
}

export class BrowserStorage implements SharedStorage {
  readonly #options: BrowserStorageOptions;
  readonly #texts: Texts;
  readonly #copy = memoryStorage();
  readonly #channel: BroadcastChannel | undefined;
  /** How many changes of a name the database has yet to take. */
  readonly #writing = new Map<string, number>();
  readonly #pending = new Set<Promise<void>>();
  #kept: Kept = "browser";
  #closed = false;
  /** Resolves when what was there before has been read. */
  readonly ready: Promise<void>;

  constructor(options: BrowserStorageOptions) {
    this.#options = options;
    this.#texts = new Texts(options.database, options.shelf);
    if (typeof BroadcastChannel === "function") {
      this.#channel = new BroadcastChannel(`signoff:${options.shelf}`);
      this.#channel.onmessage = ({ data }: MessageEvent<Written>) => { this.#heard(data); };
    }
    const left = this.#ahead((ahead) => entriesOf(ahead, options.prefix)) ?? [];
    for (const [name, text] of left) if (!text.startsWith(GONE)) this.#copy.setItem(name, text);
    this.ready = this.reload().then(() => {
      // What a page left before the database had it, or a version that knew no database.
      for (const [name, text] of left) if (this.#kept === "browser") this.#write(name, leftover(text));
    });
  }

  /** Where texts are now. */
  get kept(): Kept {
    return this.#kept;
  }

  get length(): number {
    return this.#copy.length;
  }

  key(index: number): string | null {
    return this.#copy.key(index);
  }

  getItem(name: string): string | null {
    return this.#copy.getItem(name);
  }

  setItem(name: string, text: string): void {
    this.update(name, () => text);
  }

  removeItem(name: string): void {
    this.update(name, () => null);
  }

  /** Change a text here at once, and in the database by what stands there then. */
  update(name: string, change: Change): void {
    const before = this.#copy.getItem(name);
    const next = change(before);
    if (next !== undefined) {
      put(this.#copy, name, next);
      const held = this.#ahead((ahead) => {
        put(ahead, name, next === null && before !== null && this.#kept === "browser" ? GONE + before : next);
        return true;
      });
      if (held !== true && this.#kept !== "browser") this.#keptIn("memory");
    }
    if (this.#kept === "browser") this.#write(name, change);
  }

  /** The text as all tabs know it. */
  async reread(name: string): Promise<string | null> {
    if (this.#kept !== "browser" || this.#writing.has(name)) return this.#copy.getItem(name);
    try {
      return await this.#texts.get(name);
    } catch {
      return this.#copy.getItem(name);
    }
  }

  /** Wait until the database has taken, or refused, what was changed so far. */
  async written(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /** Read again what other tabs may have written. */
  async reload(): Promise<void> {
    const { prefix, onChange } = this.#options;
    try {
      const found = await this.#texts.all(prefix);
      for (const name of namesOf(this.#copy, prefix)) {
        if (!found.has(name) && !this.#isAhead(name)) this.#copy.removeItem(name);
      }
      for (const [name, text] of found) if (!this.#isAhead(name)) this.#copy.setItem(name, text);
    } catch {
      this.#lose();
    }
    if (!this.#closed) onChange();
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close();
    if (this.#writing.size === 0) this.#texts.close();
  }

  /** True while this tab knows better than the database. */
  #isAhead(name: string): boolean {
    return this.#writing.has(name) || this.#ahead((ahead) => ahead.getItem(name) !== null) === true;
  }

  #write(name: string, change: Change): void {
    this.#writing.set(name, (this.#writing.get(name) ?? 0) + 1);
    const writing = this.#texts.update(name, change).then(
      (text) => {
        if (this.#done(name) > 0) return;
        put(this.#copy, name, text);
        this.#ahead((ahead) => { ahead.removeItem(name); });
        if (this.#closed) return;
        this.#channel?.postMessage({ name, text } satisfies Written);
      },
      () => {
        this.#done(name);
        this.#lose();
      },
    ).finally(() => {
      this.#pending.delete(writing);
      if (this.#closed && this.#writing.size === 0) this.#texts.close();
    });
    this.#pending.add(writing);
  }

  #done(name: string): number {
    const left = (this.#writing.get(name) ?? 1) - 1;
    if (left === 0) this.#writing.delete(name);
    else this.#writing.set(name, left);
    return left;
  }

  #heard({ name, text }: Written): void {
    if (!name.startsWith(this.#options.prefix) || this.#writing.has(name)) return;
    put(this.#copy, name, text);
    this.#options.onChange();
  }

  /** The database is of no use: what it was to hold stays in the tab's storage, or lasts as long as the page. */
  #lose(): void {
    const { prefix } = this.#options;
    const held = this.#ahead((ahead) => {
      for (const name of [...namesOf(ahead, prefix), ...namesOf(this.#copy, prefix)]) put(ahead, name, this.#copy.getItem(name));
      return true;
    });
    this.#keptIn(held === true ? "storage" : "memory");
  }

  #keptIn(kept: Kept): void {
    if (this.#kept === kept) return;
    this.#kept = kept;
    if (!this.#closed) this.#options.onChange();
  }

  /** Do something with the tab's storage; undefined if it refuses. */
  #ahead<T>(act: (ahead: SubmissionStorage) => T): T | undefined {
    const { ahead } = this.#options;
    try {
      return ahead === undefined ? undefined : act(ahead);
    } catch {
      return undefined;
    }
  }
}

function put(storage: SubmissionStorage, name: string, text: string | null): void {
  if (text === null) storage.removeItem(name);
  else storage.setItem(name, text);
}

function namesOf(storage: SubmissionStorage, prefix: string): string[] {
  const names = Array.from({ length: storage.length }, (_item, index) => storage.key(index));
  return names.filter((name) => name?.startsWith(prefix) === true) as string[];
}

function entriesOf(storage: SubmissionStorage, prefix: string): [string, string][] {
  return namesOf(storage, prefix).map((name) => [name, storage.getItem(name) ?? ""]);
}

/** Where texts of one server are kept, for as long as a page is there. */
export interface Keeping {
  readonly storage: SubmissionStorage | SharedStorage;
  /** True if the storage outlives the page. */
  readonly durable: boolean;
  /** Resolves when what was there before has been read. */
  readonly ready: Promise<void>;
  /** Read again what other tabs may have written. */
  readonly reload: () => Promise<void>;
  readonly close: () => void;
}

/** Keep texts whose names begin so in this storage, else in the best there is: IndexedDB, the tab's, the page's memory. */
export function keepTexts(shelf: Shelf, given: SubmissionStorage | undefined, prefix: string, onChange: () => void): Keeping {
  const database = given === undefined ? pageDatabase() : undefined;
  if (database === undefined) {
    const kept = given ?? pageStorage();
    const done = Promise.resolve();
    return { storage: kept ?? memoryStorage(), durable: kept !== undefined, ready: done, reload: () => done, close: () => undefined };
  }
  const storage = new BrowserStorage({ database, shelf, ahead: pageStorage(), prefix, onChange });
  return { storage, durable: true, ready: storage.ready, reload: () => storage.reload(), close: () => { storage.close(); } };
}
