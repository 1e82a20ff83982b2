/**
 * Where an answer is kept until it is settled, and a late refusal until it was read.
 *
 * The default is the browser's IndexedDB (browser-storage.ts), which outlives its being closed; any storage of texts will do.
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

/**
 * How long what is kept lasts: `browser` outlives the browser's being closed, `storage` lasts as long as the storage that was
 * given or the tab's sessionStorage does, `memory` as long as the page.
 */
export type Kept = "browser" | "storage" | "memory";

/** A storage that other pages change, too: what is written depends on what is there at that moment. */
export interface SharedStorage extends SubmissionStorage {
  readonly kept: Kept;
  update(name: string, change: (present: string | null) => string | null | undefined): void;
  reread(name: string): Promise<string | null>;
  written(): Promise<void>;
}

/** An answer that has been given and not yet settled, or settled while nobody looked. */
export interface StoredSubmission {
  readonly runId: string;
  readonly key: string;
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  readonly seenOffset: string;
  /** Which request it is for, by when it was asked; what an older client has kept does not say. */
  readonly askedAt?: string;
  /** Whose answer it is: the token's `sub`, null without one, `""` if it cannot be told. Nobody else may send it. */
  readonly by: string | null;
  /** When it was given, as RFC 3339 in UTC. */
  readonly givenAt?: string;
  /** How often it was sent in vain. */
  readonly tries?: number;
  /** What it came to, if that was a refusal that nobody has read. */
  readonly outcome?: Failed;
  /** When that was, as RFC 3339 in UTC. */
  readonly at?: string;
}

/** Whose text it is, and about which request. */
export interface Owned {
  readonly runId: string;
  readonly key: string;
  readonly by: string | null;
}

/** What the names of all texts of one kind begin with that are for one server. */
export function prefixOf(kind: string, base: string): string {
  return `${kind}${JSON.stringify([base]).slice(0, -1)},`;
}

export interface PersonalTextsOptions<T extends Owned> {
  readonly storage: SubmissionStorage | SharedStorage;
  /** What the names begin with, before the server's address. */
  readonly kind: string;
  readonly base: string;
  /** False if the storage lasts no longer than the page. */
  readonly durable: boolean;
  /** True for what a page has kept that is still of use. */
  readonly isOne: (value: unknown) => value is T;
}

/**
 * What people have given or typed for one server, one item a person and request.
 *
 * Never throws. What the storage does not take (full, forbidden, or nobody to keep it for) is kept in memory, and `kept` says
 * so from then on.
 */
export class PersonalTexts<T extends Owned> {
  readonly #options: PersonalTextsOptions<T>;
  readonly #memory = memoryStorage();
  #durable: boolean;

  constructor(options: PersonalTextsOptions<T>) {
    this.#options = options;
    this.#durable = options.durable;
  }

  /** How long what is kept now lasts; `memory` once something could not be kept elsewhere. */
  get kept(): Kept {
    const { storage } = this.#options;
    if (!this.#durable) return "memory";
    return isShared(storage) ? storage.kept : "storage";
  }

  /** True if there may be some of anybody. */
  get holdsAny(): boolean {
    return this.#allNames().length > 0;
  }

  load(owner: Owned): T | undefined {
    return this.#read(this.#name(owner));
  }

  /** All of one person, in no particular order. */
  list(by: string | null): T[] {
    const { kind, base } = this.#options;
    const names = this.#names(`${kind}${JSON.stringify([base, by]).slice(0, -1)},`);
    return names.map((name) => this.#read(name)).filter((found) => found !== undefined);
  }

  save(item: T): void {
    const { storage } = this.#options;
    const name = this.#name(item);
    const text = JSON.stringify(item);
    try {
      // Nobody could be told from the next person at this browser.
      if (item.by === "") throw new Error("nobody to keep it for");
      storage.setItem(name, text);
      this.#memory.removeItem(name);
    } catch {
      this.#durable = false;
      this.#memory.setItem(name, text);
      // An older one must not come back in this one's place.
      this.#changeIn(storage, name, () => null);
    }
  }

  /** Change an item by what stands there at that moment: null removes it, undefined leaves it. */
  change(owner: Owned, change: (present: T | undefined) => T | null | undefined): void {
    const name = this.#name(owner);
    for (const storage of [this.#options.storage, this.#memory]) {
      this.#changeIn(storage, name, (text) => {
        const next = change(this.#parse(name, text));
        return next === null || next === undefined ? next : JSON.stringify(next);
      });
    }
  }

  /** The item as other tabs know it, too. */
  async reload(owner: Owned): Promise<T | undefined> {
    const { storage } = this.#options;
    const name = this.#name(owner);
    if (!isShared(storage) || this.#memory.getItem(name) !== null) return this.#read(name);
    return this.#parse(name, await storage.reread(name));
  }

  /** Wait until what was changed so far is where other tabs find it. */
  async written(): Promise<void> {
    const { storage } = this.#options;
    if (isShared(storage)) await storage.written();
  }

  /** Remove everybody's; or only what is of no more use. */
  async clear(which: "all" | "useless" = "all"): Promise<void> {
    for (const name of this.#allNames()) {
      if (which === "useless" && this.#read(name) !== undefined) continue;
      for (const storage of [this.#options.storage, this.#memory]) this.#changeIn(storage, name, () => null);
    }
    await this.written();
  }

  #name({ by, runId, key }: Owned): string {
    const { kind, base } = this.#options;
    return kind + JSON.stringify([base, by, runId, key]);
  }

  #allNames(): string[] {
    return this.#names(prefixOf(this.#options.kind, this.#options.base));
  }

  #names(prefix: string): string[] {
    const found = new Set<string>();
    for (const storage of [this.#options.storage, this.#memory]) {
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

  #read(name: string): T | undefined {
    try {
      return this.#parse(name, this.#memory.getItem(name) ?? this.#options.storage.getItem(name));
    } catch {
      return undefined;
    }
  }

  #parse(name: string, text: string | null): T | undefined {
    try {
      const parsed: unknown = JSON.parse(text ?? "null");
      // Somebody else's under this name would be sent, or shown, as this person's.
      return this.#options.isOne(parsed) && this.#name(parsed) === name ? parsed : undefined;
    } catch {
      return undefined;
    }
  }

  #changeIn(storage: SubmissionStorage | SharedStorage, name: string, change: (present: string | null) => string | null | undefined): void {
    try {
      if (isShared(storage)) {
        storage.update(name, change);
        return;
      }
      const next = change(storage.getItem(name));
      if (next === null) storage.removeItem(name);
      else if (next !== undefined) storage.setItem(name, next);
    } catch {
      // What could not be stored need not be removed.
    }
  }
}

/** What the names of all answers begin with. */
export const ANSWERS = "signoff:answer:";

/** The unsettled answers of one server. Never throws. */
export class SubmissionStore {
  readonly #texts: PersonalTexts<StoredSubmission>;

  constructor(storage: SubmissionStorage | SharedStorage, base: string, durable = true) {
    this.#texts = new PersonalTexts({ storage, kind: ANSWERS, base, durable, isOne: isStored });
  }

  /** How long an answer lasts that is given now; `memory` once one could not be kept elsewhere. */
  get kept(): Kept {
    return this.#texts.kept;
  }

  /** The answer of a person to a request. */
  load(by: string | null, runId: string, key: string): StoredSubmission | undefined {
    return this.#texts.load({ by, runId, key });
  }

  save(submission: StoredSubmission): void {
    this.#texts.save(submission);
  }

  /** Remove an answer, unless another one has taken its place. */
  remove(answer: Pick<StoredSubmission, "by" | "runId" | "key" | "submissionId">): void {
    this.#texts.change(answer, (present) => (present?.submissionId === answer.submissionId ? null : undefined));
  }

  /** Count one more try that came to nothing; gives the answer as it is kept now. */
  tried<A extends StoredSubmission>(answer: A): A {
    this.#texts.change(answer, (present) => {
      if (present?.submissionId !== answer.submissionId || present.outcome !== undefined) return undefined;
      return { ...present, tries: (present.tries ?? 0) + 1 };
    });
    return { ...answer, tries: this.#texts.load(answer)?.tries ?? (answer.tries ?? 0) + 1 };
  }

  /** The answer to the same request as other tabs know it, too. */
  reload(owner: Pick<StoredSubmission, "by" | "runId" | "key">): Promise<StoredSubmission | undefined> {
    return this.#texts.reload(owner);
  }

  /** Wait until what was changed so far is where other tabs find it. */
  written(): Promise<void> {
    return this.#texts.written();
  }

  /** All answers of one person, in no particular order. */
  list(by: string | null): StoredSubmission[] {
    return this.#texts.list(by);
  }

  /** True if there may be answers of anybody. */
  get holdsAny(): boolean {
    return this.#texts.holdsAny;
  }
}

export function isShared(storage: SubmissionStorage | SharedStorage): storage is SharedStorage {
  return "reread" in storage;
}

function isStored(value: unknown): value is StoredSubmission {
  if (!isObject(value)) return false;
  const { runId, key, submissionId, action, seenOffset, askedAt = "", by, outcome, at = "", givenAt = "", tries = 0 } = value;
  const texts = [runId, key, submissionId, action, seenOffset, askedAt, by === null ? "" : by, at, givenAt];
  if (typeof tries !== "number" || !texts.every((text) => typeof text === "string")) return false;
  return outcome === undefined || isFailed(outcome);
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
