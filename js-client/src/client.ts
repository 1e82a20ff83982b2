/** The client: one server, its views, and the calls that are not views. */
import { submitBackoff } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { awaitPerson } from "./delivery.js";
import { inboxSnapshot } from "./inbox.js";
import type { InboxView } from "./inbox.js";
import { LiveInputView } from "./input.js";
import type { InputView } from "./input.js";
import { LiveStreams, defaultTiming } from "./live.js";
import type { Timing, WatchableStream, WhenMissing } from "./live.js";
import { Alarm, pageNetwork } from "./network.js";
import type { Network } from "./network.js";
import { badReply, isObject, networkProblem } from "./problem.js";
import type {
  EventRequest, ResultReply, RunRow, SendReply, StartReply, StartRequest, Verbs,
} from "./protocol.js";
import { awaitResult } from "./result.js";
import type { ResultOptions } from "./result.js";
import { runSnapshot } from "./run.js";
import type { RunView } from "./run.js";
import { runsSnapshot } from "./runs.js";
import type { RunsView } from "./runs.js";
import { SubmissionStore, memoryStorage, pageStorage } from "./storage.js";
import type { SubmissionStorage } from "./storage.js";
import { StreamView } from "./stream-view.js";
import { Transport } from "./transport.js";
import type { Reply, Result, TokenProvider } from "./transport.js";
import { LiveUndeliveredView } from "./undelivered.js";
import type { UndeliveredView } from "./undelivered.js";
import type { Registration } from "./view.js";

export interface SignoffOptions {
  /** The server's address, without a query; a relative one is taken from the page's. */
  readonly url: string;
  readonly token?: TokenProvider;
  /**
   * Who is signed in, where the token does not say: an opaque token, or a cookie. Unfinished answers are kept under this
   * name and sent under no other. Without it, the `sub` of a JWT is taken; if there is none to read, they live in memory.
   */
  readonly person?: string;
  readonly fetch?: typeof fetch;
  /** Where answers survive a reload until they are settled; the tab's sessionStorage unless given. */
  readonly storage?: SubmissionStorage;
  /** Waits and patience, in milliseconds; the defaults suit people. */
  readonly timing?: Partial<Timing> & { readonly submit?: Backoff };
  /** What is known of the network; the page's hints unless given. */
  readonly network?: Network;
}

export interface StartRun {
  readonly workflow: string;
  readonly input?: unknown;
  /** Starting the same id with the same workflow and input again gives the run that exists. */
  readonly runId?: string;
  readonly tags?: readonly string[];
}

/** What `act` takes after the run: the body, which may be left out where it need not have members. */
type VerbArguments<V extends keyof Verbs> =
  Readonly<Record<string, never>> extends Verbs[V]["body"] ? [body?: Verbs[V]["body"]] : [body: Verbs[V]["body"]];

/** A client of one server. Create it once, outside rendering. */
export interface Signoff {
  /** Watch one run. */
  readonly run: (runId: string) => RunView;
  /** Watch what waits for these principals, such as `user:alice` and `group:finance`. */
  readonly inbox: (principals: string | readonly string[]) => InboxView;
  /** Watch the runs of one workflow. */
  readonly runs: (workflow: string) => RunsView;
  /** Watch and answer one request; `key` is `name:n`. */
  readonly input: (runId: string, key: string) => InputView;
  readonly startRun: (start: StartRun) => Promise<Result<{ readonly run: RunRow; readonly created: boolean }>>;
  /**
   * Do something to a run: any verb of the protocol (§10.4), with what it takes.
   *
   * @example await signoff.act("terminate", "claim-1", { reason: "a duplicate" })
   */
  readonly act: <V extends keyof Verbs>(
    verb: V,
    runId: string,
    ...body: VerbArguments<V>
  ) => Promise<Result<{ readonly run: RunRow }>>;
  /** Ask a run to end: its code may clean up first. */
  readonly cancelRun: (runId: string, reason?: string) => Promise<Result<{ readonly run: RunRow }>>;
  /** End a run now, whatever its state, without running its code again. */
  readonly terminate: (runId: string, options?: { readonly reason?: string }) => Promise<Result<{ readonly run: RunRow }>>;
  /** Try a blocked run again. For operators. */
  readonly retry: (runId: string) => Promise<Result<{ readonly run: RunRow }>>;
  /**
   * Wait until a run is over: resolves with its output, undefined where neither the workflow shows it nor an operator asks.
   *
   * Rejects with a `RunEndedError` if it failed or was cancelled, and with a `SignoffError` where it cannot be followed.
   */
  readonly result: (runId: string, options?: ResultOptions) => Promise<unknown>;
  /** Send an event to a run; the same `id` again changes nothing. */
  readonly send: (
    runId: string,
    topic: string,
    event: { readonly id: string; readonly payload: unknown },
  ) => Promise<Result<{ readonly duplicate: boolean }>>;
  /** The signed-in person's answers that were refused while nobody looked. */
  readonly undelivered: UndeliveredView;
  /** Try at once whatever waits or failed: after signing in, or when a person asks for it. */
  readonly reconnect: () => void;
  /** Close every connection and stop sending; unfinished answers stay stored. For signing out: make another client then. */
  readonly close: () => void;
}

/** Make a client. Answers left unfinished by an earlier page are taken up again. */
export function createSignoff(options: SignoffOptions): Signoff {
  return new Client(options);
}

/** The run that a reply tells of. */
function runOf(reply: Reply<"run">): Result<{ readonly run: RunRow }> {
  if (!reply.ok) return reply;
  const { run } = reply.body;
  return isObject(run) ? { ok: true, run: run as unknown as RunRow } : { ok: false, problem: badReply };
}

class Client implements Signoff {
  readonly #transport: Transport;
  readonly #streams: LiveStreams;
  readonly #store: SubmissionStore;
  readonly #network: Alarm;
  readonly #timing: Timing;
  readonly #submit: Backoff;
  readonly #closed = new AbortController();
  readonly #undelivered: LiveUndeliveredView;
  /** The views handed out, by name. Nobody need say when a view that was never looked at is of no more use. */
  readonly #views = new Map<string, WeakRef<object>>();
  /** Those that somebody looks at, or that have something on its way. */
  readonly #needed = new Set<object>();
  readonly #swept = new FinalizationRegistry<string>((name) => {
    if (this.#views.get(name)?.deref() === undefined) this.#views.delete(name);
  });

  constructor({ url, token, person, fetch, storage, timing, network }: SignoffOptions) {
    this.#timing = { ...defaultTiming, ...timing };
    this.#submit = timing?.submit ?? submitBackoff;
    this.#transport = new Transport(url, token, fetch, { person, tokenTimeout: this.#timing.token });
    this.#network = new Alarm(network ?? pageNetwork);
    const kept = storage ?? pageStorage();
    this.#store = new SubmissionStore(kept ?? memoryStorage(), this.#transport.base, kept !== undefined);
    this.#undelivered = new LiveUndeliveredView(this.#store, () => this.#transport.knownPerson);
    this.#streams = new LiveStreams({ fetch: this.#transport.fetch, network: this.#network, timing: this.#timing });
    this.#transport.events = {
      onPerson: (now) => { this.#personIs(now); },
      onCredentials: () => { this.#network.ring("token"); },
    };
    const { knownPerson } = this.#transport;
    if (knownPerson !== undefined) this.#personIs(knownPerson);
    else if (this.#store.holdsAny) void awaitPerson(this.#delivering);
  }

  get undelivered(): UndeliveredView {
    return this.#undelivered;
  }

  readonly run = (runId: string): RunView =>
    this.#view(["run", runId], (use) => new StreamView(() => [this.#runStream(runId)], runSnapshot, use));

  readonly inbox = (principals: string | readonly string[]): InboxView => {
    const names = [...new Set([principals].flat())].sort();
    const open = () => names.map((name) => this.#stream("inbox", name, "empty"));
    const initial = names.length === 0 ? [] : undefined;
    return this.#view(["inbox", ...names], (use) => new StreamView(open, inboxSnapshot, use, initial));
  };

  readonly runs = (workflow: string): RunsView => {
    const open = () => [this.#stream("workflows", workflow, "empty")];
    return this.#view(["runs", workflow], (use) => new StreamView(open, runsSnapshot, use));
  };

  readonly input = (runId: string, key: string): InputView => this.#input(runId, key);

  readonly startRun: Signoff["startRun"] = async ({ workflow, input, runId, tags }) => {
    const body: StartRequest = { workflow, input: input ?? null, ...(runId === undefined ? {} : { run_id: runId }), ...(tags === undefined ? {} : { tags }) };
    const reply = await this.#transport.call<StartReply>("POST", ["v1", "runs"], body);
    const told = runOf(reply);
    return told.ok ? { ...told, created: reply.ok && reply.status === 201 } : told;
  };

  readonly act: Signoff["act"] = async (verb, runId, ...[body]) =>
    runOf(await this.#transport.call<Verbs[typeof verb]["reply"]>("POST", ["v1", "runs", runId, verb], body ?? {}));

  readonly cancelRun: Signoff["cancelRun"] = (runId, reason) =>
    this.act("cancel", runId, reason === undefined ? {} : { reason });

  readonly terminate: Signoff["terminate"] = (runId, { reason } = {}) =>
    this.act("terminate", runId, reason === undefined ? {} : { reason });

  readonly retry: Signoff["retry"] = (runId) => this.act("retry", runId);

  readonly result: Signoff["result"] = (runId, options = {}) => {
    const ask = () => this.#transport.call<ResultReply>("GET", ["v1", "runs", runId, "result"]);
    return awaitResult({ view: this.run(runId), ask, backoff: this.#submit, closed: this.#closed.signal }, options);
  };

  readonly send: Signoff["send"] = async (runId, topic, { id, payload }) => {
    const body: EventRequest = { id, payload };
    const reply = await this.#transport.call<SendReply>("POST", ["v1", "runs", runId, "events", topic], body);
    if (!reply.ok) return reply;
    const { duplicate } = reply.body;
    return typeof duplicate === "boolean" ? { ok: true, duplicate } : { ok: false, problem: badReply };
  };

  readonly reconnect = (): void => {
    this.#network.ring("reconnect");
  };

  readonly close = (): void => {
    this.#closed.abort();
    this.#streams.close();
  };

  get #delivering() {
    return { transport: this.#transport, network: this.#network, backoff: this.#submit, signal: this.#closed.signal };
  }

  /** Take up what this person left unfinished, and leave alone what others did. */
  #personIs(person: string | null): void {
    if (this.#closed.signal.aborted) return;
    for (const view of [...this.#needed]) {
      if (view instanceof LiveInputView) view.personIs(person);
    }
    for (const stored of this.#store.list(person)) {
      if (stored.outcome === undefined) this.#input(stored.runId, stored.key).resume(stored);
    }
    this.#undelivered.refresh();
  }

  #input(runId: string, key: string): LiveInputView {
    return this.#view(
      ["input", runId, key],
      (use) =>
        new LiveInputView({
          runId,
          key,
          ...use,
          ...this.#delivering,
          store: this.#store,
          onStored: () => { this.#undelivered.refresh(); },
          timing: this.#timing,
          grace: this.#timing.grace,
          openStream: () => this.#runStream(runId),
        }),
    );
  }

  #runStream(runId: string): WatchableStream {
    return this.#stream("runs", runId, "fail");
  }

  #stream(kind: string, name: string, whenMissing: WhenMissing): WatchableStream {
    let url: string;
    try {
      url = this.#transport.address("v1", "stream", kind, name);
    } catch (error) {
      return this.#streams.refused(networkProblem(error));
    }
    return this.#streams.at(url, whenMissing);
  }

  /** One view a name, so that asking for it in every render is free; forgotten once nobody looks. */
  #view<V extends object>(parts: readonly string[], create: (use: Registration) => V): V {
    const name = JSON.stringify(parts);
    const present = this.#views.get(name)?.deref() as V | undefined;
    if (present !== undefined) return present;
    const enter = (): void => {
      this.#views.set(name, new WeakRef(view));
      this.#swept.register(view, name);
    };
    const view = create({
      onNeeded: () => {
        this.#needed.add(view);
        if (this.#views.get(name)?.deref() === undefined) enter();
      },
      onIdle: () => {
        this.#needed.delete(view);
        if (this.#views.get(name)?.deref() === view) this.#views.delete(name);
      },
    });
    enter();
    return view;
  }
}
