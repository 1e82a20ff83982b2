/**
 * Tabs of one browser that have the same answer to send: one at a time sends it, and what it came to the others hear.
 *
 * A Web Lock says whose turn it is, for one try: a tab whose sign-in has ended must not keep another from sending, and one
 * that is closed or crashes gives its turn back. Where there are no locks (pages that did not come safely) each tab sends, and
 * the server counts the submission id once.
 */
import { pageDatabase } from "./idb.js";
import type { Outcome } from "./submission.js";
import { after } from "./timer.js";

/** Longer than a call may take: a tab that has its turn for longer is stopped, and no reason to wait. */
const PATIENCE_MS = 35_000;

/** What an answer came to, as told by the tab that sent it. */
export interface Settlement {
  readonly runId: string;
  readonly key: string;
  readonly submissionId: string;
  readonly outcome: Outcome;
}

export class Turns {
  readonly #base: string;
  #channel: BroadcastChannel | undefined;
  readonly #closed = new AbortController();
  /** Whether another tab may have something to send. */
  #others = true;
  #heard = 0;

  /** @param onSettled hears what other tabs' sending came to */
  constructor(base: string, onSettled: (settlement: Settlement) => void) {
    this.#base = base;
    // Without a database tabs share nothing to send, and Node.js, which has the rest, has no tabs: there it would keep each client.
    if (locksHere() === undefined || typeof BroadcastChannel !== "function" || pageDatabase() === undefined) return;
    this.#channel = new BroadcastChannel(`signoff:turns:${base}`);
    this.#channel.onmessage = ({ data }: MessageEvent<Settlement | typeof HERE>) => {
      if (data === HERE) this.#hear();
      else onSettled(data);
    };
    void this.#appear();
  }

  /** Do `work` while no other tab does any for the same person and request; undefined if the signal ended the wait. */
  async take<T>(by: string | null, runId: string, key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const locks = locksHere();
    if (locks === undefined) return work();
    const name = `signoff:answer:${JSON.stringify([this.#base, by, runId, key])}`;
    if (!this.#others && !signal.aborted) {
      // Granting a lock takes a message to the browser and back, for which a click's first frame is waited: 5 to 15 ms. A tab
      // that appears meanwhile waits all the same.
      const working = work();
      locks.request(name, () => working).catch(() => undefined);
      return working;
    }
    const waiting = new AbortController();
    const stop = (): void => { waiting.abort(); };
    const cancel = after(PATIENCE_MS, stop);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    const begun: Promise<T>[] = [];
    try {
      return await locks.request(name, { signal: waiting.signal }, () => {
        const working = work();
        begun.push(working);
        return working;
      });
    } catch {
      // Its own failure; or the wait was ended, which is not the signal's doing where another tab hangs or locks are forbidden.
      return await (begun[0] ?? (signal.aborted ? undefined : work()));
    } finally {
      cancel();
      signal.removeEventListener("abort", stop);
      void this.#look();
    }
  }

  /** Tell the other tabs. */
  tell(settlement: Settlement): void {
    this.#channel?.postMessage(settlement);
  }

  close(): void {
    this.#closed.abort();
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Hold a lock that all tabs share, for as long as this one is there, and tell them. */
  async #appear(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#closed.signal.addEventListener("abort", () => { resolve(); });
    });
    const appeared = async (): Promise<void> => {
      this.#channel?.postMessage(HERE);
      await this.#look();
      await gone;
    };
    await locksHere()?.request(this.#name, { mode: "shared", signal: this.#closed.signal }, appeared).catch(() => undefined);
  }

  #hear(): void {
    this.#heard++;
    this.#others = true;
  }

  /** Find out whether this tab is the only one; who appears meanwhile is heard. */
  async #look(): Promise<void> {
    const heard = this.#heard;
    try {
      const { held } = (await locksHere()?.query()) ?? {};
      if (held !== undefined && heard === this.#heard) this.#others = held.filter(({ name }) => name === this.#name).length !== 1;
    } catch {
      // Whoever does not know waits for a turn.
    }
  }

  get #name(): string {
    return `signoff:here:${this.#base}`;
  }
}

/** What a tab says when it has appeared. */
const HERE = "here";

function locksHere(): LockManager | undefined {
  const found = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
  return typeof found?.request === "function" ? found : undefined;
}
