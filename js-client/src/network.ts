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

/** The network came back, or the page came to the front. */
export type WakeReason = "online" | "visible";

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
