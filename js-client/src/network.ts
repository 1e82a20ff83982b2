/**
 * What the browser tells about its connection: hints to hurry or to label a wait, never proof.
 *
 * `navigator.onLine` is false on a laptop without wifi whose server is on localhost, and true
 * behind a dead router, so nothing here forbids an attempt.
 */

/** The hints of one environment; outside browsers it is always online and visible. */
export interface Network {
  /** False when the browser believes there is no network at all. */
  readonly online: boolean;
  /** True when the page is in the background. */
  readonly hidden: boolean;
  /** Call `listener` whenever a new attempt is more promising than before. */
  onWake(listener: (reason: WakeReason) => void): () => void;
}

/**
 * The network came back, the page came to the front, or its window got the focus; the server takes other
 * credentials than before, or the application asks for it.
 */
export type WakeReason = "online" | "visible" | "focus" | "token" | "reconnect";

/** A network's hints, and those this client has itself. */
export class Alarm implements Network {
  readonly #network: Network;
  readonly #listeners = new Set<(reason: WakeReason) => void>();

  constructor(network: Network) {
    this.#network = network;
  }

  get online(): boolean {
    return this.#network.online;
  }

  get hidden(): boolean {
    return this.#network.hidden;
  }

  onWake(listener: (reason: WakeReason) => void): () => void {
    const entry = (reason: WakeReason): void => { listener(reason); };
    const stop = this.#network.onWake(entry);
    this.#listeners.add(entry);
    return () => {
      stop();
      this.#listeners.delete(entry);
    };
  }

  /** Wake everybody. */
  ring(reason: WakeReason): void {
    for (const listener of [...this.#listeners]) listener(reason);
  }
}

/** The hints of the page this runs in. */
export const pageNetwork: Network = {
  get online() {
    return typeof navigator !== "object" || (navigator as { onLine?: boolean }).onLine !== false;
  },
  get hidden() {
    return typeof document === "object" && document.hidden;
  },
  onWake(listener) {
    const abort = new AbortController();
    const { signal } = abort;
    if (typeof window === "object") {
      window.addEventListener("online", () => { listener("online"); }, { signal });
      window.addEventListener("focus", () => { listener("focus"); }, { signal });
    }
    if (typeof document === "object") {
      const onVisibility = (): void => {
        if (!document.hidden) listener("visible");
      };
      document.addEventListener("visibilitychange", onVisibility, { signal });
    }
    return () => { abort.abort(); };
  },
};
