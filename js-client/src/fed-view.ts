/** Views that are fed from somewhere for as long as they are watched, and a moment longer. */
import { after } from "./timer.js";
import { View } from "./view.js";
import type { Registration } from "./view.js";

export interface FedOptions extends Registration {
  /** How long a view nobody looks at is fed on, in milliseconds: React's StrictMode and page changes come back at once. */
  readonly grace: number;
}

export abstract class FedView<S extends object> extends View<S> {
  readonly #options: FedOptions;
  #stop: (() => void) | undefined;
  #cancelRest: (() => void) | undefined;

  constructor(initial: S, options: FedOptions) {
    super(initial);
    this.#options = options;
  }

  /** Begin to feed the view; the returned function ends it. It may publish at once. */
  protected abstract feed(): () => void;

  /** True while something is on its way that must be kept, watched or not. */
  protected isBusy(): boolean {
    return false;
  }

  protected override onFirst(): void {
    this.#cancelRest?.();
    this.#options.onNeeded();
    this.#stop ??= this.feed();
  }

  protected override onLast(): void {
    this.#cancelRest = after(this.#options.grace, () => {
      this.#stop?.();
      this.#stop = undefined;
      this.landed();
    });
  }

  /** Feed the view anew, if it is fed. */
  protected restart(): void {
    if (this.#stop === undefined) return;
    this.#stop();
    this.#stop = this.feed();
  }

  /** Something is on its way: the view must stay. */
  protected departed(): void {
    this.#options.onNeeded();
  }

  /** Nothing may be on its way any more. */
  protected landed(): void {
    if (!this.watched && this.#stop === undefined && !this.isBusy()) this.#options.onIdle();
  }

  /** Publish, unless every member is what it was. */
  protected show(next: S): void {
    const now = this.getSnapshot() as Record<string, unknown>;
    const then = next as Record<string, unknown>;
    const names = new Set([...Object.keys(now), ...Object.keys(then)]);
    if ([...names].some((name) => now[name] !== then[name])) this.publish(next);
  }
}

/** Stop all of these. */
export function stopAll(stops: readonly (() => void)[]): () => void {
  return () => { for (const stop of stops) stop(); };
}
