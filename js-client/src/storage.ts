/**
 * Where an answer survives a reload until it is settled, and a late refusal until it was read.
 *
 * The default is the tab's sessionStorage. Pass `localStorage` to survive a closed tab: two tabs
 * that resume the same answer send the same submission id, and the server counts it once.
 *
 * Every item's name holds the person whose answer it is, so that whoever uses the browser next
 * neither sees nor overwrites it.
 */
import { isObject } from "./problem.js";
import type { Failed } from "./submission.js";

/** What is needed of a storage; `sessionStorage` and `localStorage` have it. */
export interface SubmissionStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** An answer that has been given and not yet settled, or settled while nobody looked. */
export interface StoredSubmission {
  readonly runId: string;
  readonly key: string;
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  readonly seenOffset: string;
  /** Whose answer it is: the token's `sub`, null without one, `""` if it cannot be told. Nobody else may send it. */
  readonly by: string | null;
  /** What it came to, if that was a refusal that nobody has read. */
  readonly outcome?: Failed;
  /** When that was, as RFC 3339 in UTC. */
  readonly at?: string;
}

const PREFIX = "signoff:answer:";

/**
 * The unsettled answers of one server, one a person and request.
 *
 * Never throws. What the storage does not take (full, forbidden, or nobody to keep it for) is kept
 * in memory, and `durable` is false from then on.
 */
export class SubmissionStore {
  readonly #storage: SubmissionStorage;
  readonly #base: string;
  readonly #memory = memoryStorage();
  #durable: boolean;

  constructor(storage: SubmissionStorage, base: string, durable = true) {
    this.#storage = storage;
    this.#base = base;
    this.#durable = durable;
  }

  /** False if an answer would not outlive, or has not outlived, the page. */
  get durable(): boolean {
    return this.#durable;
  }

  /** The answer of a person to a request. */
  load(by: string | null, runId: string, key: string): StoredSubmission | undefined {
    return this.#read(this.#name(by, runId, key));
  }

  save(submission: StoredSubmission): void {
    const name = this.#name(submission.by, submission.runId, submission.key);
    const text = JSON.stringify(submission);
    try {
      // Nobody could be told from the next person at this browser.
      if (submission.by === "") throw new Error("nobody to keep it for");
      this.#storage.setItem(name, text);
      this.#memory.removeItem(name);
    } catch {
      this.#durable = false;
      this.#memory.setItem(name, text);
      // An older answer must not come back in this one's place.
      this.#forget(name);
    }
  }

  /** Remove an answer, unless another one has taken its place. */
  remove({ by, runId, key, submissionId }: Pick<StoredSubmission, "by" | "runId" | "key" | "submissionId">): void {
    if (this.load(by, runId, key)?.submissionId !== submissionId) return;
    const name = this.#name(by, runId, key);
    this.#memory.removeItem(name);
    this.#forget(name);
  }

  /** All answers of one person, in no particular order. */
  list(by: string | null): StoredSubmission[] {
    const names = this.#names(`${PREFIX}${JSON.stringify([this.#base, by]).slice(0, -1)},`);
    return names.map((name) => this.#read(name)).filter((found) => found !== undefined);
  }

  /** True if there may be answers of anybody. */
  get holdsAny(): boolean {
    return this.#names(`${PREFIX}${JSON.stringify([this.#base]).slice(0, -1)},`).length > 0;
  }

  #name(by: string | null, runId: string, key: string): string {
    return PREFIX + JSON.stringify([this.#base, by, runId, key]);
  }

  #names(prefix: string): string[] {
    const found = new Set<string>();
    for (const storage of [this.#storage, this.#memory]) {
      try {
        for (let index = 0; index < storage.length; index++) {
          const name = storage.key(index);
          if (name?.startsWith(prefix) === true) found.add(name);
        }
      } catch {
        this.#durable = false;
      }
    }
    return [...found];
  }

  #read(name: string): StoredSubmission | undefined {
    try {
      const parsed: unknown = JSON.parse(this.#memory.getItem(name) ?? this.#storage.getItem(name) ?? "null");
      // Somebody else's answer under this name would be sent, or shown, as this person's.
      return isStored(parsed) && this.#name(parsed.by, parsed.runId, parsed.key) === name ? parsed : undefined;
    } catch {
      return undefined;
    }
  }

  #forget(name: string): void {
    try {
      this.#storage.removeItem(name);
    } catch {
      // What could not be stored need not be removed.
    }
  }
}

function isStored(value: unknown): value is StoredSubmission {
  if (!isObject(value)) return false;
  const { runId, key, submissionId, action, seenOffset, by, outcome, at } = value;
  const texts = [runId, key, submissionId, action, seenOffset, by === null ? "" : by, at === undefined ? "" : at];
  return texts.every((text) => typeof text === "string") && (outcome === undefined || isFailed(outcome));
}

function isFailed(value: unknown): value is Failed {
  if (!isObject(value)) return false;
  switch (value["status"]) {
    case "stale":
      return isObject(value["row"]);
    case "decided":
      return isObject(value["row"]) && typeof value["outcome"] === "string";
    case "invalid":
      return isProblem(value["problem"]) && Array.isArray(value["errors"]);
    case "refused":
      return isProblem(value["problem"]);
    default:
      return false;
  }
}

function isProblem(value: unknown): boolean {
  return isObject(value) && typeof value["title"] === "string" && typeof value["code"] === "string";
}

/** The tab's sessionStorage; undefined where there is none (a server, a sandboxed frame). */
export function pageStorage(): SubmissionStorage | undefined {
  try {
    // Merely touching it throws where cookies are blocked.
    if (typeof sessionStorage === "object" && (sessionStorage as unknown) !== null) return sessionStorage;
  } catch {
    // As if there were none.
  }
  return undefined;
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
