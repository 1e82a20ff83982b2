/** The answers that were refused while nobody looked: given, their page gone, and turned down later. */
import type { StoredSubmission, SubmissionStore } from "./storage.js";
import type { Failed } from "./submission.js";
import { View, stableList } from "./view.js";
import type { Readable } from "./view.js";

/** An answer that did not count, and whose author could not be told. */
export interface UndeliveredAnswer {
  readonly runId: string;
  /** The request's key, `name:n`. */
  readonly key: string;
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  readonly outcome: Failed;
  /** When the refusal came, as RFC 3339 in UTC. */
  readonly at: string;
}

export interface UndeliveredSnapshot {
  /** Those of the person signed in, the oldest first. Empty while it is not known who that is. */
  readonly answers: readonly UndeliveredAnswer[];
  /**
   * Where answers are kept until they are settled: `memory` means that they do not outlive the page, since the
   * storage is full or forbidden, or the token does not tell whose they are.
   */
  readonly kept: "storage" | "memory";
}

/** The list of refusals nobody has read, to subscribe to. Its methods may be passed around unbound. */
export interface UndeliveredView extends Readable<UndeliveredSnapshot> {
  /** The person has read it: it is forgotten for good. */
  readonly dismiss: (submissionId: string) => void;
}

export class LiveUndeliveredView extends View<UndeliveredSnapshot> implements UndeliveredView {
  readonly #store: SubmissionStore;
  readonly #person: () => string | null | undefined;
  #stopListening: (() => void) | undefined;

  constructor(store: SubmissionStore, person: () => string | null | undefined) {
    super({ answers: [], kept: "storage" });
    this.#store = store;
    this.#person = person;
  }

  readonly dismiss = (submissionId: string): void => {
    for (const stored of this.#stored()) {
      if (stored.submissionId === submissionId) this.#store.remove(stored);
    }
    this.refresh();
  };

  /** Look again at what is stored, and for whom. */
  refresh(): void {
    const now = this.getSnapshot();
    const known = new Map(now.answers.map((answer) => [answer.submissionId, answer]));
    const found = this.#stored().map((stored) => known.get(stored.submissionId) ?? undelivered(stored));
    found.sort((a, b) => (a.at < b.at ? -1 : 1));
    const answers = stableList(now.answers, found);
    const kept = this.#store.durable ? "storage" : "memory";
    if (answers !== now.answers || kept !== now.kept) this.publish({ answers, kept });
  }

  protected override onFirst(): void {
    this.refresh();
    if (typeof window !== "object") return;
    // Another tab on the same storage has dismissed one, or met another refusal.
    const listening = new AbortController();
    window.addEventListener("storage", () => { this.refresh(); }, { signal: listening.signal });
    this.#stopListening = () => { listening.abort(); };
  }

  protected override onLast(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  #stored(): Settled[] {
    const person = this.#person();
    return person === undefined ? [] : this.#store.list(person).filter(isSettled);
  }
}

type Settled = StoredSubmission & { readonly outcome: Failed };

function isSettled(stored: StoredSubmission): stored is Settled {
  return stored.outcome !== undefined;
}

function undelivered({ runId, key, submissionId, action, value, outcome, at = "" }: Settled): UndeliveredAnswer {
  return { runId, key, submissionId, action, value, outcome, at };
}
