/**
 * The answers that are not where they should be: those that wait to be sent, and those that were refused while nobody looked.
 */
import type { Kept, StoredSubmission, SubmissionStore } from "./storage.js";
import type { Failed } from "./submission.js";
import { View, stableList } from "./view.js";
import type { Readable } from "./view.js";

/** An answer that waits to be sent. */
export interface QueuedAnswer {
  readonly runId: string;
  /** The request's key, `name:n`. */
  readonly key: string;
  readonly submissionId: string;
  readonly action: string;
  readonly value: unknown;
  /** When the person gave it, as RFC 3339 in UTC; `""` if an older version of the page has kept it. */
  readonly givenAt: string;
  /** How often it was sent in vain. */
  readonly tries: number;
}

/** An answer that did not count, and whose author could not be told. */
export interface UndeliveredAnswer extends QueuedAnswer {
  readonly outcome: Failed;
  /** When the refusal came, as RFC 3339 in UTC. */
  readonly at: string;
}

export interface UndeliveredSnapshot {
  /** Those of the person signed in, the oldest first. Empty while it is not known who that is. */
  readonly answers: readonly UndeliveredAnswer[];
  /**
   * The person's answers that have been sent in vain so far, the oldest first. They go out by themselves when the network is back,
   * and whatever tab has queued them, all show them.
   */
  readonly queued: readonly QueuedAnswer[];
  /**
   * How long answers are kept until they are settled. Not `browser`: there is no IndexedDB, as in some private windows, or
   * it is full. `memory`: they do not outlive the page, since no storage takes them, or the token does not tell whose they are.
   */
  readonly kept: Kept;
}

/** What waits and what was refused, to subscribe to. Its methods may be passed around unbound. */
export interface UndeliveredView extends Readable<UndeliveredSnapshot> {
  /** The person has read a refusal: it is forgotten for good. What waits to be sent is left alone. */
  readonly dismiss: (submissionId: string) => void;
}

export class LiveUndeliveredView extends View<UndeliveredSnapshot> implements UndeliveredView {
  readonly #store: SubmissionStore;
  readonly #person: () => string | null | undefined;
  #stopListening: (() => void) | undefined;

  constructor(store: SubmissionStore, person: () => string | null | undefined) {
    super({ answers: [], queued: [], kept: store.kept });
    this.#store = store;
    this.#person = person;
  }

  readonly dismiss = (submissionId: string): void => {
    for (const stored of this.#stored()) {
      if (isSettled(stored) && stored.submissionId === submissionId) this.#store.remove(stored);
    }
    this.refresh();
  };

  /** Look again at what is stored, and for whom. */
  refresh(): void {
    const now = this.getSnapshot();
    const stored = this.#stored();
    const refused = stored.filter(isSettled).map((one) => ({ ...queuedOf(one), outcome: one.outcome, at: one.at ?? "" }));
    const waiting = stored.filter((one) => !isSettled(one) && (one.tries ?? 0) > 0).map(queuedOf);
    refused.sort((a, b) => (a.at < b.at ? -1 : 1));
    waiting.sort((a, b) => (a.givenAt < b.givenAt ? -1 : 1));
    const answers = sameItems(now.answers, refused);
    const queued = sameItems(now.queued, waiting);
    const { kept } = this.#store;
    if (answers !== now.answers || queued !== now.queued || kept !== now.kept) this.publish({ answers, queued, kept });
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

  #stored(): StoredSubmission[] {
    const person = this.#person();
    return person === undefined ? [] : this.#store.list(person);
  }
}

type Settled = StoredSubmission & { readonly outcome: Failed };

function isSettled(stored: StoredSubmission): stored is Settled {
  return stored.outcome !== undefined;
}

function queuedOf({ runId, key, submissionId, action, value, givenAt = "", tries = 0 }: StoredSubmission): QueuedAnswer {
  return { runId, key, submissionId, action, value, givenAt, tries };
}

/** The list as it is, with the very items that are still the same. */
function sameItems<A extends QueuedAnswer>(previous: readonly A[], next: readonly A[]): readonly A[] {
  const known = new Map(previous.map((answer) => [answer.submissionId, answer]));
  const kept = next.map((answer) => {
    const before = known.get(answer.submissionId);
    return before?.tries === answer.tries ? before : answer;
  });
  return stableList(previous, kept);
}
