/** The client: one server, its views, and the calls that are not views. */
import { submitBackoff } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { inboxSnapshot } from "./inbox.js";
import type { InboxView } from "./inbox.js";
import { LiveInputView } from "./input.js";
import type { InputView } from "./input.js";
import { LiveStreams, defaultTiming } from "./live.js";
import type { Timing } from "./live.js";
import { pageNetwork } from "./network.js";
import type { Network } from "./network.js";
import type { RunRow } from "./rows.js";
import { runSnapshot } from "./run.js";
import type { RunView } from "./run.js";
import { runsSnapshot } from "./runs.js";
import type { RunsView } from "./runs.js";
import { SubmissionStore, defaultStorage } from "./storage.js";
import type { SubmissionStorage } from "./storage.js";
import { StreamView } from "./stream-view.js";
import { Transport } from "./transport.js";
import type { Result, TokenProvider } from "./transport.js";
import type { Registration } from "./view.js";

export interface SignoffOptions {
  /** The server's address; a relative one is taken from the page's. */
  readonly url: string;
  readonly token?: TokenProvider;
  readonly fetch?: typeof fetch;
  /** Where unfinished answers survive a reload; the tab's sessionStorage unless given. */
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
  readonly cancelRun: (runId: string, reason?: string) => Promise<Result<{ readonly run: RunRow }>>;
  /** Send an event to a run; the same `id` again changes nothing. */
  readonly send: (
    runId: string,
    topic: string,
    event: { readonly id: string; readonly payload: unknown },
  ) => Promise<Result<{ readonly duplicate: boolean }>>;
  /** Close every connection and stop sending; unfinished answers stay stored. For signing out: make another client then. */
  readonly close: () => void;
}

/** Make a client. Answers left unfinished by an earlier page are taken up again. */
export function createSignoff(options: SignoffOptions): Signoff {
  return new Client(options);
}

class Client implements Signoff {
  readonly #transport: Transport;
  readonly #streams: LiveStreams;
  readonly #store: SubmissionStore;
  readonly #network: Network;
  readonly #timing: Timing;
  readonly #submit: Backoff;
  readonly #closed = new AbortController();
  readonly #views = new Map<string, unknown>();

  constructor({ url, token, fetch, storage, timing, network }: SignoffOptions) {
    this.#transport = new Transport(url, token, fetch);
    this.#network = network ?? pageNetwork;
    this.#timing = { ...defaultTiming, ...timing };
    this.#submit = timing?.submit ?? submitBackoff;
    this.#store = new SubmissionStore(storage ?? defaultStorage(), this.#transport.base);
    this.#streams = new LiveStreams({ fetch: this.#transport.fetch, network: this.#network, timing: this.#timing });
    for (const { runId, key } of this.#store.list()) this.input(runId, key);
  }

  readonly run = (runId: string): RunView =>
    this.#view(`run ${runId}`, (use) => new StreamView(() => [this.#runStream(runId)], runSnapshot, use));

  readonly inbox = (principals: string | readonly string[]): InboxView => {
    const names = [...new Set([principals].flat())].sort();
    const open = () => names.map((name) => this.#streams.at(this.#streamUrl("inbox", name), "empty"));
    return this.#view(`inbox ${names.join(" ")}`, (use) => new StreamView(open, inboxSnapshot, use));
  };

  readonly runs = (workflow: string): RunsView => {
    const open = () => [this.#streams.at(this.#streamUrl("workflows", workflow), "empty")];
    return this.#view(`runs ${workflow}`, (use) => new StreamView(open, runsSnapshot, use));
  };

  readonly input = (runId: string, key: string): InputView =>
    this.#view(
      `input ${runId} ${key}`,
      (use) =>
        new LiveInputView({
          runId,
          key,
          ...use,
          transport: this.#transport,
          network: this.#network,
          backoff: this.#submit,
          signal: this.#closed.signal,
          store: this.#store,
          timing: this.#timing,
          grace: this.#timing.grace,
          openStream: () => this.#runStream(runId),
        }),
    );

  readonly startRun: Signoff["startRun"] = async ({ workflow, input, runId, tags }) => {
    const body = { workflow, input: input ?? null, ...(runId === undefined ? {} : { run_id: runId }), ...(tags === undefined ? {} : { tags }) };
    const reply = await this.#transport.call("POST", this.#transport.address("v1", "runs"), body);
    return reply.ok ? { ok: true, run: reply.body["run"] as RunRow, created: reply.status === 201 } : reply;
  };

  readonly cancelRun: Signoff["cancelRun"] = async (runId, reason) => {
    const address = this.#transport.address("v1", "runs", runId, "cancel");
    const reply = await this.#transport.call("POST", address, reason === undefined ? {} : { reason });
    return reply.ok ? { ok: true, run: reply.body["run"] as RunRow } : reply;
  };

  readonly send: Signoff["send"] = async (runId, topic, { id, payload }) => {
    const address = this.#transport.address("v1", "runs", runId, "events", topic);
    const reply = await this.#transport.call("POST", address, { id, payload });
    return reply.ok ? { ok: true, duplicate: reply.body["duplicate"] === true } : reply;
  };

  readonly close = (): void => {
    this.#closed.abort();
    this.#streams.close();
  };

  #runStream(runId: string) {
    return this.#streams.at(this.#streamUrl("runs", runId), "fail");
  }

  #streamUrl(kind: string, name: string): string {
    return this.#transport.address("v1", "stream", kind, name);
  }

  /** One view a name, so that asking for it in every render is free; forgotten once nobody looks. */
  #view<V>(name: string, create: (use: Registration) => V): V {
    const present = this.#views.get(name) as V | undefined;
    if (present !== undefined) return present;
    const view = create({
      onWatched: () => {
        if (!this.#views.has(name)) this.#views.set(name, view);
      },
      onIdle: () => {
        if (this.#views.get(name) === view) this.#views.delete(name);
      },
    });
    this.#views.set(name, view);
    return view;
  }
}
