/**
 * Where an unfinished answer survives a reload.
 *
 * The default is the tab's sessionStorage. Pass `localStorage` to survive a closed tab: two tabs
 * that resume the same answer send the same submission id, and the server counts it once.
 */

/** What is needed of a storage; `sessionStorage` and `localStorage` have it. */
export interface SubmissionStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** An answer that has been given and not yet settled. */
export interface StoredSubmission {
  readonly runId: string;
  readonly key: string;
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  readonly seenOffset: string;
  /** Whose answer it is: the token's `sub`, or null without one. Nobody else's tab session may send it. */
  readonly by: string | null;
}

/** The unfinished answers of one server, one a request. Never throws: a full or forbidden storage is no storage. */
export class SubmissionStore {
  readonly #storage: SubmissionStorage;
  readonly #prefix: string;

  constructor(storage: SubmissionStorage, base: string) {
    this.#storage = storage;
    this.#prefix = `signoff:answer:${base}:`;
  }

  load(runId: string, key: string): StoredSubmission | undefined {
    return this.#read(this.#name(runId, key));
  }

  save(submission: StoredSubmission): void {
    try {
      this.#storage.setItem(this.#name(submission.runId, submission.key), JSON.stringify(submission));
    } catch {
      // Quota or privacy mode: the answer still goes out, it only will not outlive the page.
    }
  }

  /** Remove an answer that is settled, unless another one has taken its place. */
  remove({ runId, key, submissionId }: Pick<StoredSubmission, "runId" | "key" | "submissionId">): void {
    try {
      if (this.load(runId, key)?.submissionId === submissionId) this.#storage.removeItem(this.#name(runId, key));
    } catch {
      // As above: what could not be stored need not be removed.
    }
  }

  /** All unfinished answers found, in no particular order. */
  list(): StoredSubmission[] {
    try {
      return Array.from({ length: this.#storage.length }, (_, index) => this.#storage.key(index))
        .filter((name) => name?.startsWith(this.#prefix) === true)
        .map((name) => this.#read(name ?? ""))
        .filter((found) => found !== undefined);
    } catch {
      return [];
    }
  }

  #name(runId: string, key: string): string {
    return `${this.#prefix}${runId}/${key}`;
  }

  #read(name: string): StoredSubmission | undefined {
    try {
      const parsed: unknown = JSON.parse(this.#storage.getItem(name) ?? "null");
      return isStored(parsed) ? parsed : undefined;
    } catch {
      return undefined;
    }
  }
}

function isStored(value: unknown): value is StoredSubmission {
  if (typeof value !== "object" || value === null) return false;
  const found = value as Record<keyof StoredSubmission, unknown>;
  const texts = [found.runId, found.key, found.submissionId, found.action, found.seenOffset];
  return texts.every((text) => typeof text === "string") && (found.by === null || typeof found.by === "string");
}

/** The tab's sessionStorage, or memory where there is none (a server, a sandboxed frame). */
export function defaultStorage(): SubmissionStorage {
  try {
    // Merely touching it throws where cookies are blocked.
    if (typeof sessionStorage === "object") return sessionStorage;
  } catch {
    // Fall through to memory.
  }
  return memoryStorage();
}

/** A storage that lasts as long as the object does. */
export function memoryStorage(): SubmissionStorage {
  const items = new Map<string, string>();
  return {
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => { items.set(key, value); },
    removeItem: (key) => { items.delete(key); },
  };
}
