import type { Network, WakeReason } from "../../src/index.js";

/** The page's hints, worked by hand. */
export class HandNetwork implements Network {
  online = true;
  hidden = false;
  readonly #listeners = new Set<(reason: WakeReason) => void>();

  onWake(listener: (reason: WakeReason) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  wake(reason: WakeReason): void {
    for (const listener of [...this.#listeners]) listener(reason);
  }
}

/** A real fetch that keeps count of what passes through it. */
export function countingFetch(): { readonly fetch: typeof fetch; readonly requests: CountedRequest[] } {
  const requests: CountedRequest[] = [];
  const counted: typeof fetch = (input, init) => {
    const url = input instanceof Request ? input.url : input.toString();
    requests.push({ url, init, authorization: new Headers(init?.headers).get("Authorization") });
    return globalThis.fetch(input, init);
  };
  return { fetch: counted, requests };
}

export interface CountedRequest {
  readonly url: string;
  readonly init: RequestInit | undefined;
  readonly authorization: string | null;
}

/** Short waits, so that tests that must see a retry need not be patient. */
export const quick = {
  grace: 30,
  patience: 2_000,
  wake: 1_000,
  confirm: 2_000,
  live: { first: 10, most: 40, factor: 2 },
  poll: 30,
  notFoundTries: 3,
  submit: { first: 10, most: 40, factor: 2 },
} as const;

/** Waits so long that only a wake-up can end them. */
export const never = { first: 3_600_000, most: 3_600_000, factor: 1 } as const;
