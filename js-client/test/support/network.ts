import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
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

/** A way to a server that can die in silence: open, as far as both ends can tell, and nothing comes through. */
export class SilentProxy {
  /** How many pieces came from the server. */
  pieces = 0;
  dials = 0;
  readonly #pairs = new Set<{ readonly ends: readonly Socket[]; dead: boolean }>();
  readonly #server = createServer((near) => {
    this.dials += 1;
    const far = connect(Number(new URL(this.#target).port), "127.0.0.1");
    const pair = { ends: [near, far], dead: false };
    this.#pairs.add(pair);
    const pipe = (from: Socket, to: Socket, count: number): void => {
      from.on("data", (piece) => {
        this.pieces += count;
        if (!pair.dead) to.write(piece);
      });
      from.on("close", () => { if (!pair.dead) to.destroy(); });
      from.on("error", () => undefined);
    };
    pipe(near, far, 0);
    pipe(far, near, 1);
  });
  #target = "";

  async start(target: string): Promise<string> {
    this.#target = target;
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Let nothing more through on the connections there are; new ones are well. */
  kill(): void {
    for (const pair of this.#pairs) pair.dead = true;
  }

  async stop(): Promise<void> {
    for (const { ends } of this.#pairs) for (const end of ends) end.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
