/** Tells a quiet connection from a dead one: the server says something every few seconds, and every byte of it is heard. */
import type { Network } from "./network.js";
import { after } from "./timer.js";

export interface SilenceOptions {
  readonly fetch: typeof fetch;
  readonly network: Pick<Network, "hidden">;
  /** Milliseconds without a byte, before `ready` was said, after which the connection counts as dead. */
  readonly patience: number;
  /** The same from then on; longer than the server is ever silent. */
  readonly silence: number;
  /** Called once the connection counts as dead. */
  readonly onDead: () => void;
}

/** Watches over one connection, from when it is made. */
export class Silence {
  readonly #options: SilenceOptions;
  #ready = false;
  #over = false;
  /** When something was last heard, and for how long nothing need be. */
  #heardAt = Date.now();
  #allowance: number;
  #cancel: (() => void) | undefined;
  #completeAt: number | undefined;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#allowance = options.patience;
    this.#watch();
  }

  /** `fetch` that hears every byte: the server's keep-alive comments are all that tells a quiet connection from a dead one. */
  readonly fetch: typeof fetch = async (input, init) => {
    const reply = await this.#options.fetch(input, init);
    this.#hear();
    if (reply.body === null) return reply;
    const listening = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, onward) => {
        this.#hear();
        onward.enqueue(chunk);
      },
    });
    return new Response(reply.body.pipeThrough(listening), reply);
  };

  /** When something was last heard since all that there was had come, in milliseconds. */
  get completeAt(): number | undefined {
    return this.#completeAt;
  }

  /** All that there was has come: from now on silence may last longer. */
  ready(): void {
    this.#ready = true;
    this.#hear();
    this.#watch();
  }

  /** Call the connection dead unless something is heard within `ms`. */
  expect(ms: number): void {
    this.#heardAt = Date.now();
    this.#allowance = ms;
    this.#watch();
  }

  /** Watch no longer. */
  stop(): void {
    this.#over = true;
    this.#cancel?.();
  }

  #hear(): void {
    this.#heardAt = Date.now();
    if (this.#ready) this.#completeAt = this.#heardAt;
    this.#allowance = this.#ready ? this.#options.silence : this.#options.patience;
  }

  /** Look when the allowance would be used up, and again as long as it was not. */
  #watch(): void {
    this.#cancel?.();
    if (this.#over) return;
    // Either way round: a clock that was set is no reason to wait for an hour.
    const left = this.#allowance - Math.abs(Date.now() - this.#heardAt);
    this.#cancel = after(Math.max(left, 1), () => {
      // The client package pauses in the background; something is due again when the page comes to the front.
      if (this.#options.network.hidden) this.#heardAt = Date.now();
      if (Math.abs(Date.now() - this.#heardAt) < this.#allowance) this.#watch();
      else this.#options.onDead();
    });
  }
}
