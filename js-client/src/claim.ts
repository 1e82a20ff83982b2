/** Who works on a request, so that nobody else answers it meanwhile (Workflow Protocol §7.11). */
import type { Signoff } from "./client.js";
import { FedView, stopAll } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import { isOpen } from "./input-source.js";
import type { Network } from "./network.js";
import type { SignoffProblem } from "./problem.js";
import type { Claim, DecidedBy, InputRow } from "./protocol.js";
import type { RequestView } from "./request.js";
import { after } from "./timer.js";
import type { Result } from "./transport.js";
import type { ConnectionState, Readable } from "./view.js";

export interface ClaimSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** Who has it; `unknown` until the request is there. */
  readonly holder: "unknown" | "nobody" | "me" | "another";
  /** By whom. */
  readonly by?: DecidedBy;
  /** Until when, as RFC 3339 in UTC. */
  readonly until?: string;
  /** Nobody answers without a claim. */
  readonly required: boolean;
  readonly pending?: "claim" | "release";
  /** Why the last of these was refused. */
  readonly problem?: SignoffProblem;
}

export interface ClaimOptions {
  /** For how long: seconds, or a text such as `30m`. */
  readonly for?: number | string;
  /** Whether to claim anew before it ends, while somebody looks and the page is in front; true unless given. */
  readonly renew?: boolean;
}

/** A claim to subscribe to, to take and to give back. Its functions may be passed around unbound. */
export interface ClaimView extends Readable<ClaimSnapshot> {
  /** Claim, or claim for longer. */
  readonly claim: (options?: ClaimOptions) => Promise<Result<{ readonly input: InputRow }>>;
  /** Give it back; operators give back another's, with a reason. */
  readonly release: (reason?: string) => Promise<Result<{ readonly input: InputRow }>>;
}

export interface LiveClaimOptions extends FedOptions {
  readonly runId: string;
  readonly key: string;
  readonly request: () => RequestView;
  readonly act: Signoff["actOnInput"];
  readonly network: Network;
  /** Who is signed in, as far as it is known. */
  readonly person: () => string | null | undefined;
}

/** When to claim anew where the clocks differ so much that a claim seems over, in milliseconds. */
const SKEWED_MS = 30_000;

export class LiveClaimView extends FedView<ClaimSnapshot> implements ClaimView {
  readonly #options: LiveClaimOptions;
  #pending: { readonly what: "claim" | "release"; readonly promise: Promise<Result<{ readonly input: InputRow }>> } | undefined;
  #problem: SignoffProblem | undefined;
  /** How to claim anew; undefined: not. */
  #renewal: ClaimOptions | undefined;
  /** Who was signed in when it was last heard of; undefined: not known yet. */
  #claimer: string | null | undefined;
  /** The claim that the timer is set for. */
  #timed: Claim | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: LiveClaimOptions) {
    super({ connection: "connecting", holder: "unknown", required: false }, options);
    this.#options = options;
  }

  readonly claim: ClaimView["claim"] = (options = {}) => {
    this.#renewal = options.renew === false ? undefined : options;
    this.#claimer = this.#options.person();
    const which = this.#which();
    return this.#do("claim", () => this.#send(options, which));
  };

  readonly release: ClaimView["release"] = (reason) => {
    this.#renewal = undefined;
    const { runId, key, act } = this.#options;
    const which = this.#which();
    return this.#do("release", () => act("release", runId, key, { ...which, ...(reason === undefined ? {} : { reason }) }));
  };

  override personIs(person: string | null): void {
    if (this.#claimer !== undefined && this.#claimer !== person) {
      // Whoever is signed in now has not asked for it.
      this.#renewal = undefined;
      this.#problem = undefined;
    }
    this.#claimer = person;
    this.#update();
  }

  protected override isBusy(): boolean {
    return this.#pending !== undefined;
  }

  protected override feed(): () => void {
    const { request, network } = this.#options;
    const stops = [
      request().subscribe(() => { this.#update(); }),
      network.onWake((reason) => {
        if (reason === "visible" && this.getSnapshot().holder === "me" && this.#renewal !== undefined) this.#renew();
      }),
      () => { this.#setTimer(undefined); },
    ];
    this.#update();
    return stopAll(stops);
  }

  /** Which request is claimed, by when it was asked; nothing until that is known. */
  #which(): Partial<Pick<InputRow, "asked_at">> {
    const asked = this.#options.request().getSnapshot().request?.asked_at;
    return asked === undefined ? {} : { asked_at: asked };
  }

  #send({ for: time }: ClaimOptions, which: Partial<Pick<InputRow, "asked_at">>): Promise<Result<{ readonly input: InputRow }>> {
    const { runId, key, act } = this.#options;
    return act("claim", runId, key, { ...which, ...(time === undefined ? {} : { for: time }) });
  }

  #do(what: "claim" | "release", ask: () => Promise<Result<{ readonly input: InputRow }>>): Promise<Result<{ readonly input: InputRow }>> {
    if (this.#pending?.what === what) return this.#pending.promise;
    // What is asked for second is done second.
    const before = this.#pending?.promise ?? Promise.resolve();
    const promise = before.then(ask).then((told) => {
      if (this.#pending?.promise === promise) this.#pending = undefined;
      this.#problem = told.ok ? undefined : told.problem;
      if (!told.ok && what === "claim") this.#renewal = undefined;
      if (told.ok) this.#options.request().told(told.input);
      this.#update();
      this.landed();
      return told;
    });
    this.#pending = { what, promise };
    this.#problem = undefined;
    this.departed();
    this.#update();
    return promise;
  }

  #renew(): void {
    const renewal = this.#renewal;
    if (renewal === undefined || this.#options.network.hidden || this.#pending !== undefined) return;
    void this.#send(renewal, this.#which()).then((told) => {
      if (told.ok) this.#options.request().told(told.input);
      // Not reached: once more while there is time. Refused: the row says who has it.
      else if (told.problem.status === 0) this.#timed = undefined;
      this.#update();
    });
  }

  #update(): void {
    const { connection, error, request } = this.#options.request().getSnapshot();
    // When it is over the worker says so in the row; this machine's clock may be another.
    const claim = request !== undefined && isOpen(request) ? (request.claim ?? undefined) : undefined;
    const holder = request === undefined ? "unknown" : claim === undefined ? "nobody" : this.#isMe(claim.by) ? "me" : "another";
    this.#setTimer(holder === "me" && this.watched ? claim : undefined);
    this.show({
      connection,
      ...(error === undefined ? {} : { error }),
      holder,
      ...(claim === undefined ? {} : { by: claim.by, until: claim.until }),
      required: request?.claim_required === true,
      ...(this.#pending === undefined ? {} : { pending: this.#pending.what }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    });
  }

  /** Claim anew when half of the claim is over. */
  #setTimer(claim: Claim | undefined): void {
    if (claim === this.#timed) return;
    this.#timed = claim;
    this.#cancelTimer?.();
    if (claim === undefined) return;
    const left = Date.parse(claim.until) - Date.now();
    this.#cancelTimer = after(left > 0 ? left / 2 : SKEWED_MS, () => { this.#renew(); });
  }

  #isMe(by: DecidedBy): boolean {
    return isPerson(by, this.#options.person());
  }
}

/** True if a deed is the signed-in person's; without a sign-in, the machine's operator's. */
export function isPerson(by: DecidedBy, person: string | null | undefined): boolean {
  if (person === undefined || person === "") return false;
  return person === null ? by.kind === "operator" : by.id === `user:${person}`;
}
