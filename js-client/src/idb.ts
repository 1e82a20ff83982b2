/**
 * Texts by name in IndexedDB, which outlives the browser's being closed: one database a page's origin.
 *
 * Every method rejects where the browser forbids it, has no room, or does not answer in time; whoever asks knows what to do
 * without.
 */
import { within } from "./timer.js";

/** What is kept: answers on their way, rows as they were last known, and what was typed and is not saved. */
export type Shelf = "answers" | "rows" | "drafts";

const SHELVES: readonly Shelf[] = ["answers", "rows", "drafts"];
const DATABASE = "signoff";
const VERSION = 2;

/** How long the database may take, in milliseconds: some browsers never open it after a crash. */
const PATIENCE_MS = 5_000;

/** One shelf of the database; opened when it is first used, and anew after the browser has closed it. */
export class Texts {
  readonly #factory: IDBFactory;
  readonly #shelf: Shelf;
  #opened: Promise<IDBDatabase> | undefined;

  constructor(factory: IDBFactory, shelf: Shelf) {
    this.#factory = factory;
    this.#shelf = shelf;
  }

  /** All names that begin so, with their texts. */
  async all(prefix: string): Promise<Map<string, string>> {
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    return this.#run("readonly", async (shelf) => {
      const [names, texts] = await Promise.all([settled(shelf.getAllKeys(range)), settled(shelf.getAll(range))]);
      return new Map(names.flatMap((name, index) => {
        const text: unknown = texts[index];
        return typeof name === "string" && typeof text === "string" ? [[name, text] as const] : [];
      }));
    });
  }

  /**
   * Read a text, and put another in its place, in one transaction.
   *
   * @param change is given the present text, null if there is none, and gives the next: null to remove it, undefined to
   *   leave it
   * @return the text there is now
   */
  async update(name: string, change: (present: string | null) => string | null | undefined): Promise<string | null> {
    return this.#run("readwrite", async (shelf) => {
      const found: unknown = await settled<unknown>(shelf.get(name));
      const present = typeof found === "string" ? found : null;
      const next = change(present);
      if (next === undefined || next === present) return present;
      if (next === null) shelf.delete(name);
      else shelf.put(next, name);
      return next;
    });
  }

  /** The text of a name; null if there is none. */
  async get(name: string): Promise<string | null> {
    const found: unknown = await this.#run("readonly", (shelf) => settled<unknown>(shelf.get(name)));
    return typeof found === "string" ? found : null;
  }

  /** Remove all names that begin so. */
  async removeAll(prefix: string): Promise<void> {
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    await this.#run("readwrite", async (shelf) => { await settled(shelf.delete(range)); });
  }

  close(): void {
    void this.#opened?.then((database) => { database.close(); }, () => undefined);
    this.#opened = undefined;
  }

  async #run<T>(mode: IDBTransactionMode, work: (shelf: IDBObjectStore) => Promise<T>): Promise<T> {
    this.#opened ??= this.#open();
    const opened = this.#opened;
    try {
      return await within(PATIENCE_MS, transact(await opened, this.#shelf, mode, work), () => new Error("IndexedDB does not answer"));
    } catch (error) {
      // The next one tries with a connection of its own.
      if (this.#opened === opened) this.close();
      throw error;
    }
  }

  #open(version: number | null = VERSION): Promise<IDBDatabase> {
    const opening = new Promise<IDBDatabase>((resolve, reject) => {
      const request = this.#factory.open(DATABASE, version ?? undefined);
      request.onupgradeneeded = () => {
        const { objectStoreNames } = request.result;
        for (const name of SHELVES) if (!objectStoreNames.contains(name)) request.result.createObjectStore(name);
      };
      request.onsuccess = () => {
        const database = request.result;
        const over = (): void => {
          database.close();
          this.#opened = undefined;
        };
        // Another version of the page wants to change it, or the person has cleared the site's data.
        database.onversionchange = over;
        database.onclose = over;
        resolve(database);
      };
      request.onerror = () => {
        // A page of a newer release has added shelves: those of this one are still there.
        if (version !== null && request.error?.name === "VersionError") resolve(this.#open(null));
        else reject(failure(request.error));
      };
    });
    return within(PATIENCE_MS, opening, () => new Error("IndexedDB does not open"));
  }
}

/** Do the work of one transaction; resolves once it is committed. */
async function transact<T>(
  database: IDBDatabase, name: Shelf, mode: IDBTransactionMode, work: (shelf: IDBObjectStore) => Promise<T>,
): Promise<T> {
  const transaction = database.transaction(name, mode);
  const committed = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => { resolve(); };
    transaction.onabort = () => { reject(failure(transaction.error)); };
  });
  const [result] = await Promise.all([work(transaction.objectStore(name)), committed]);
  return result;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => { resolve(request.result); };
    request.onerror = () => { reject(failure(request.error)); };
  });
}

function failure(error: DOMException | null): Error {
  return error ?? new Error("IndexedDB refused");
}

/** The page's IndexedDB; undefined where there is none, or it may not be touched. */
export function pageDatabase(): IDBFactory | undefined {
  try {
    const found = (globalThis as { indexedDB?: IDBFactory | null }).indexedDB;
    return typeof IDBKeyRange === "function" ? (found ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}
