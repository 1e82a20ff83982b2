/** What operators do to a run, and how it stands with what they asked for. */
import type { Signoff, VerbArguments } from "./client.js";
import { FedView } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import type { SignoffProblem } from "./problem.js";
import type { RunRow, Verbs } from "./protocol.js";
import type { Result } from "./transport.js";
import type { Readable } from "./view.js";

export interface VerbsSnapshot {
  /** What has been asked for and not been answered yet. */
  readonly pending: readonly (keyof Verbs)[];
  /** What was refused last, and why; gone with the next that is asked for. */
  readonly refused?: { readonly verb: keyof Verbs; readonly problem: SignoffProblem };
  /** What was done last. */
  readonly done?: keyof Verbs;
}

/** Each verb of the protocol (§10.4) as a function; pressed twice it is asked for once. */
export type VerbFunctions = {
  readonly [V in keyof Verbs]: (...body: VerbArguments<V>) => Promise<Result<{ readonly run: RunRow }>>;
};

/** A run's verbs to subscribe to and to call. Its functions may be passed around unbound. */
export interface VerbsView extends Readable<VerbsSnapshot>, VerbFunctions {}

const names = ["cancel", "terminate", "pause", "resume", "delete", "retry", "rewind", "fork"] as const satisfies readonly (keyof Verbs)[];

export interface VerbsOptions extends FedOptions {
  readonly runId: string;
  readonly act: Signoff["act"];
}

class LiveVerbs extends FedView<VerbsSnapshot> {
  readonly #options: VerbsOptions;
  readonly #pending = new Map<keyof Verbs, Promise<Result<{ readonly run: RunRow }>>>();
  #done: keyof Verbs | undefined;

  constructor(options: VerbsOptions) {
    super({ pending: [] }, options);
    this.#options = options;
  }

  do<V extends keyof Verbs>(verb: V, ...body: VerbArguments<V>): Promise<Result<{ readonly run: RunRow }>> {
    const present = this.#pending.get(verb);
    if (present !== undefined) return present;
    const asked = this.#ask(verb, ...body);
    this.#pending.set(verb, asked);
    this.departed();
    this.#tell();
    return asked;
  }

  protected override isBusy(): boolean {
    return this.#pending.size > 0;
  }

  protected override feed(): () => void {
    return () => undefined;
  }

  async #ask<V extends keyof Verbs>(verb: V, ...body: VerbArguments<V>): Promise<Result<{ readonly run: RunRow }>> {
    const told = await this.#options.act(verb, this.#options.runId, ...body);
    this.#pending.delete(verb);
    if (told.ok) this.#done = verb;
    this.#tell(told.ok ? undefined : { verb, problem: told.problem });
    this.landed();
    return told;
  }

  #tell(refused?: VerbsSnapshot["refused"]): void {
    this.publish({
      pending: [...this.#pending.keys()],
      ...(refused === undefined ? {} : { refused }),
      ...(this.#done === undefined ? {} : { done: this.#done }),
    });
  }
}

/** Make the view of one run's verbs. */
export function verbsView(options: VerbsOptions): VerbsView {
  const live = new LiveVerbs(options);
  const functions = Object.fromEntries(names.map((verb) => [verb, (...body: VerbArguments<typeof verb>) => live.do(verb, ...body)]));
  return Object.assign(live, functions as unknown as VerbFunctions);
}
