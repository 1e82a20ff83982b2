/**
 * A view: something a screen can subscribe to and read as one immutable snapshot.
 *
 * Snapshots are replaced, never changed, and stay the same object while nothing changed, which is
 * what React's useSyncExternalStore and every other framework's signals ask for.
 */

import type { HandedRows, Read } from "./handed.js";

/** How a view stands with its stream(s). */
export type ConnectionState = "connecting" | "live" | "reconnecting" | "ended" | "failed";

/** A readable, subscribable value. Its methods may be passed around unbound. */
export interface Readable<S> {
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => S;
  /**
   * What it shows wherever nothing can be known, as while rendering on a server.
   *
   * @param handed is what was read for the page, and is shown then
   */
  readonly getInitialSnapshot: (handed?: HandedRows) => S;
}

/** A readable value that can be read once, without watching it. */
export interface ReadableOnce<S> extends Readable<S> {
  /**
   * Read it as it is now, on a server that renders a page: `rows` are for `<SignoffProvider rows={…}>` in the browser.
   *
   * Rejects with a SignoffError where it may not be read, is not there, or the server cannot be reached.
   */
  readonly read: () => Promise<Read<S>>;
}

/** How a view tells whoever hands it out whether it is in use. */
export interface Registration {
  /** Somebody looks, or something is on its way: the view must stay. */
  readonly onNeeded: () => void;
  /** Nobody looks, and nothing is on its way. */
  readonly onIdle: () => void;
}

/** Keeps the listeners of one view and tells its owner of the first to come and the last to go. */
export class View<S> implements Readable<S> {
  #snapshot: S;
  readonly #initial: S;
  readonly #listeners = new Set<() => void>();
  /** What was shown of each handover: a snapshot stays the same object. */
  readonly #ofHanded = new WeakMap<HandedRows, { readonly snapshot: S }>();

  constructor(initial: S) {
    this.#snapshot = initial;
    this.#initial = initial;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // A function of its own, so that one listener may subscribe twice.
    const entry = (): void => { listener(); };
    this.#listeners.add(entry);
    if (this.#listeners.size === 1) this.onFirst();
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.onLast();
    };
  };

  readonly getSnapshot = (): S => this.#snapshot;

  readonly getInitialSnapshot = (handed?: HandedRows): S => {
    if (handed === undefined) return this.#initial;
    const known = this.#ofHanded.get(handed) ?? { snapshot: this.beginning(handed) ?? this.#initial };
    this.#ofHanded.set(handed, known);
    return known.snapshot;
  };

  /** Rows were handed to the page: begin with them, unless somebody looks, who hears of them from the streams. */
  handed(rows: HandedRows): void {
    const begun = this.watched ? undefined : this.beginning(rows);
    if (begun !== undefined) this.publish(begun);
  }

  /** What to show of rows that were handed to the page; undefined if nothing of it was. */
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  protected beginning(_handed: HandedRows): S | undefined {
    return undefined;
  }

  /** Somebody (else) is signed in. */
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  personIs(_person: string | null): void {
    // Most views are the same for everybody.
  }

  /** True while somebody looks. */
  protected get watched(): boolean {
    return this.#listeners.size > 0;
  }

  protected publish(snapshot: S): void {
    this.#snapshot = snapshot;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // One screen's fault is not the others', nor the answer's that is just being delivered.
        report(error);
      }
    }
  }

  /** Start what feeds the view. */
  protected onFirst(): void {
    // Nothing feeds a plain view.
  }

  /** Stop what feeds the view. */
  protected onLast(): void {
    // As above.
  }
}

/** Return `previous` if it holds the same items in the same order, so that nothing rerenders for nothing. */
export function stableList<T>(previous: readonly T[] | undefined, next: readonly T[]): readonly T[] {
  const same = previous?.length === next.length && next.every((item, index) => item === previous[index]);
  return same ? previous : next;
}

/** Tell the page of an error as if nobody had caught it. */
function report(error: unknown): void {
  // Node has no reportError.
  if (typeof reportError === "function") reportError(error);
  else queueMicrotask(() => { throw error; });
}
