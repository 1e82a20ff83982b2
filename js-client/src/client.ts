/** The client: one server, its views, and the calls that are not views. */
import { submitBackoff } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { keepTexts } from "./browser-storage.js";
import type { Keeping } from "./browser-storage.js";
import { Carriers } from "./carriers.js";
import type { Connections } from "./carriers.js";
import { awaitPerson } from "./delivery.js";
import { LiveDraftView } from "./draft.js";
import { inputFiles } from "./files.js";
import type { InputFiles } from "./files.js";
import { Handed } from "./handed.js";
import type { HandedRows } from "./handed.js";
import { pageDatabase } from "./idb.js";
import { inboxSnapshot } from "./inbox.js";
import type { InboxView } from "./inbox.js";
import { LiveInputView } from "./input.js";
import type { InputView } from "./input.js";
import { DraftShelf } from "./kept-drafts.js";
import { KeptRows } from "./kept-rows.js";
import { LiveStreams, defaultTiming } from "./live.js";
import type { Timing, WatchableStream } from "./live.js";
import { moreViews } from "./more-views.js";
import type { MoreViews } from "./more-views.js";
import { Alarm, pageNetwork } from "./network.js";
import type { Network } from "./network.js";
import { badReply, isObject, networkProblem } from "./problem.js";
import type {
  EventRequest, InputReply, InputRow, InputVerbs, ResultReply, RunRow, SendReply, StartReply, StartRequest, Verbs,
} from "./protocol.js";
import { awaitResult } from "./result.js";
import { readOnce } from "./read-once.js";
import type { ResultOptions } from "./result.js";
import { runSnapshot } from "./run.js";
import type { RunView } from "./run.js";
import { runsSnapshot } from "./runs.js";
import type { RunsView } from "./runs.js";
import { ANSWERS, SubmissionStore, prefixOf } from "./storage.js";
import type { SubmissionStorage } from "./storage.js";
import { StreamView } from "./stream-view.js";
import type { Source } from "./stream-view.js";
import { Transport } from "./transport.js";
import type { Reply, Result, TokenProvider } from "./transport.js";
import { Turns } from "./turns.js";
import { LiveUndeliveredView } from "./undelivered.js";
import type { UndeliveredView } from "./undelivered.js";
import { View } from "./view.js";
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
  /**
   * How many connections live streams take: one for all `"tabs"` of the browser, one for this `"page"`, or one for each
   * `"stream"`. Unless given, the first of these that is possible here; outside pages, the last.
   */
  readonly connections?: Connections;
  /**
   * Where answers are kept until they are settled, and drafts until they are saved. Unless given, the browser's IndexedDB: they
   * survive the browser's being closed, and every tab knows of them. Where there is none, the tab's sessionStorage.
   */
  readonly storage?: SubmissionStorage;
  /**
   * Keep the last rows of what people look at in the browser, so that a page that is opened offline shows what was known then,
   * with its age (`asOf`). Off unless asked for: it leaves on the device what they saw, apart for each person, until
   * `forget()` is called.
   */
  readonly keep?: boolean;
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
export type VerbArguments<V extends keyof Verbs> =
  Readonly<Record<string, never>> extends Verbs[V]["body"] ? [body?: Verbs[V]["body"]] : [body: Verbs[V]["body"]];

/** The same of `actOnInput`. */
type InputVerbArguments<V extends keyof InputVerbs> =
  Readonly<Record<string, never>> extends InputVerbs[V]["body"] ? [body?: InputVerbs[V]["body"]] : [body: InputVerbs[V]["body"]];

/** A client of one server. Create it once, outside rendering. */
export interface Signoff extends MoreViews {
  /** Watch one run. */
  readonly run: (runId: string) => RunView;
  /** Watch what waits for these principals, such as `user:alice` and `group:finance`. */
  readonly inbox: (principals: string | readonly string[]) => InboxView;
  /** Watch the runs of one workflow. */
  readonly runs: (workflow: string) => RunsView;
  /** Watch and answer one request; `key` is `name:n`. */
  readonly input: (runId: string, key: string) => InputView;
  /** Send and read the files of one request, which an answer refers to. */
  readonly files: (runId: string, key: string) => InputFiles;
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
  /**
   * Do something to a request beside answering it: any verb of the protocol (§7.6), with what it takes.
   *
   * @example await signoff.actOnInput("claim", "claim-1", "approve:0", { for: "30m" })
   */
  readonly actOnInput: <V extends keyof InputVerbs>(
    verb: V,
    runId: string,
    key: string,
    ...body: InputVerbArguments<V>
  ) => Promise<Result<{ readonly input: InputRow }>>;
  /**
   * `fetch` at an address below the server's, with the person's token, for what has no method here.
   *
   * @example const doctor = await (await signoff.fetch("v1/doctor")).json()
   */
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
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
  /** The signed-in person's answers that wait to be sent, and those that were refused while nobody looked. */
  readonly undelivered: UndeliveredView;
  /**
   * Begin with rows that a server has read for this page, until they have come themselves.
   *
   * Does nothing outside pages, where a client may be everybody's. `<SignoffProvider rows={…}>` calls it.
   */
  readonly hand: (rows: HandedRows) => void;
  /** Try at once whatever waits or failed: after signing in, or when a person asks for it. */
  readonly reconnect: () => void;
  /** Remove what `keep` has left in this browser and what was typed and not saved, of everybody. Answers that wait stay. */
  readonly forget: () => Promise<void>;
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
  readonly #carriers: Carriers;
  readonly #store: SubmissionStore;
  readonly #keeping: Keeping;
  readonly #drafts: DraftShelf;
  readonly #turns: Turns;
  readonly #rows: KeptRows | undefined;
  readonly #handed = new Handed();
  /** Who was last known to be signed in. */
  #person: string | null | undefined;
  readonly #stopListening: () => void;
  readonly #network: Alarm;
  readonly #timing: Timing;
  readonly #submit: Backoff;
  readonly #closed = new AbortController();
  readonly #undelivered: LiveUndeliveredView;
  /** True once it is being found out who is signed in. */
  #asking = false;
  /** The views handed out, by name. Nobody need say when a view that was never looked at is of no more use. */
  readonly #views = new Map<string, WeakRef<object>>();
  /** Those that somebody looks at, or that have something on its way. */
  readonly #needed = new Set<object>();
  readonly output: MoreViews["output"];
  readonly messages: MoreViews["messages"];
  readonly rows: MoreViews["rows"];
  readonly outcome: MoreViews["outcome"];
  readonly verbs: MoreViews["verbs"];
  readonly claim: MoreViews["claim"];
  readonly votes: MoreViews["votes"];
  readonly comments: MoreViews["comments"];
  readonly draft: MoreViews["draft"];
  readonly wizard: MoreViews["wizard"];
  readonly #swept = new FinalizationRegistry<string>((name) => {
    if (this.#views.get(name)?.deref() === undefined) this.#views.delete(name);
  });

  constructor({ url, token, person, fetch, storage, timing, network, connections, keep = false }: SignoffOptions) {
    this.#timing = { ...defaultTiming, ...timing };
    this.#submit = timing?.submit ?? submitBackoff;
    const plain: typeof globalThis.fetch = fetch ?? ((...args) => globalThis.fetch(...args));
    this.#carriers = new Carriers(() => this.#transport.base, plain, connections);
    this.#transport = new Transport(url, token, this.#carriers.fetch, { person, tokenTimeout: this.#timing.token, ownFetch: fetch === undefined });
    this.#network = new Alarm(network ?? pageNetwork);
    const { base } = this.#transport;
    const database = pageDatabase();
    if (database !== undefined) this.#rows = new KeptRows({ database, base, person: () => this.#transport.knownPerson });
    this.#keeping = keepTexts("answers", storage, prefixOf(ANSWERS, base), () => { this.#storeChanged(); });
    this.#store = new SubmissionStore(this.#keeping.storage, base, this.#keeping.durable);
    this.#drafts = new DraftShelf(storage, base, {
      onChange: () => { this.#eachDraft((view) => { view.shelfChanged(); }); },
      onSaved: (saved) => { this.#eachDraft((view) => { view.savedElsewhere(saved); }); },
    });
    this.#turns = new Turns(base, (settlement) => {
      for (const view of [...this.#needed]) {
        if (view instanceof LiveInputView) view.settledElsewhere(settlement);
      }
    });
    this.#undelivered = new LiveUndeliveredView(this.#store, () => this.#transport.knownPerson);
    const keeperOf = (url: string) => (keep ? this.#rows?.of(url) : undefined);
    this.#streams = new LiveStreams({ fetch: this.#transport.fetch, network: this.#network, timing: this.#timing, handed: this.#handed, keeperOf });
    const more = moreViews({
      transport: this.#transport, network: this.#network, timing: this.#timing, backoff: this.#submit, closed: this.#closed.signal, shelf: this.#drafts,
      source: (...of) => this.#source(...of), view: (parts, create) => this.#view(parts, create),
      run: this.run, input: this.input, act: this.act, actOnInput: this.actOnInput,
    });
    ({
      output: this.output, messages: this.messages, rows: this.rows, outcome: this.outcome, verbs: this.verbs, claim: this.claim, votes: this.votes,
      comments: this.comments, draft: this.draft, wizard: this.wizard,
    } = more);
    this.#transport.events = {
      onPerson: (now) => { this.#personIs(now); },
      onCredentials: () => { this.#network.ring("token"); },
    };
    this.#stopListening = this.#network.onWake((reason) => {
      // A page that was asleep has not heard what other tabs did.
      if (reason !== "visible") return;
      void this.#keeping.reload();
      void this.#drafts.refresh().then(() => { this.#takeUpDrafts(); });
    });
    void this.#drafts.ready.then(() => {
      if (this.#transport.knownPerson === undefined) this.#storeChanged();
      else this.#takeUpDrafts();
    });
    const { knownPerson } = this.#transport;
    if (knownPerson !== undefined) this.#personIs(knownPerson);
    else this.#storeChanged();
  }

  get undelivered(): UndeliveredView {
    return this.#undelivered;
  }

  readonly run = (runId: string): RunView =>
    this.#view(["run", runId], (use) => new StreamView([this.#source("runs", runId)], runSnapshot, use));

  readonly inbox = (principals: string | readonly string[]): InboxView => {
    const names = [...new Set([principals].flat())].sort();
    const sources = names.map((name) => this.#source("inbox", name));
    return this.#view(["inbox", ...names], (use) => new StreamView(sources, inboxSnapshot, use));
  };

  readonly runs = (workflow: string): RunsView =>
    this.#view(["runs", workflow], (use) => new StreamView([this.#source("workflows", workflow)], runsSnapshot, use));

  readonly input = (runId: string, key: string): InputView => this.#input(runId, key);

  readonly files: Signoff["files"] = (runId, key) =>
    this.#view(["files", runId, key], () => inputFiles(this.#transport, this.#submit, this.#closed.signal, runId, key));

  readonly startRun: Signoff["startRun"] = async ({ workflow, input, runId, tags }) => {
    const body: StartRequest = { workflow, input: input ?? null, ...(runId === undefined ? {} : { run_id: runId }), ...(tags === undefined ? {} : { tags }) };
    const reply = await this.#transport.call<StartReply>("POST", ["v1", "runs"], body);
    const told = runOf(reply);
    return told.ok ? { ...told, created: reply.ok && reply.status === 201 } : told;
  };

  readonly act: Signoff["act"] = async (verb, runId, ...[body]) =>
    runOf(await this.#transport.call<Verbs[typeof verb]["reply"]>("POST", ["v1", "runs", runId, verb], body ?? {}));

  readonly actOnInput: Signoff["actOnInput"] = async (verb, runId, key, ...[body]) => {
    const path = ["v1", "runs", runId, "inputs", key, verb];
    const reply = await this.#transport.call<InputReply>("POST", path, body ?? {});
    if (!reply.ok) return reply;
    const { input } = reply.body;
    return isObject(input) ? { ok: true, input: input as unknown as InputRow } : { ok: false, problem: badReply };
  };

  readonly fetch: Signoff["fetch"] = (path, init) =>
    this.#transport.fetch(`${this.#transport.base}/${path.replace(/^\/+/, "")}`, init);

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

  readonly hand = (rows: HandedRows): void => {
    if (typeof document !== "object") return;
    const news = this.#handed.take(rows);
    if (news.length === 0) return;
    for (const view of [...this.#views.values()]) {
      const present = view.deref();
      if (present instanceof View) present.handed(news);
    }
    // A page is just being rendered: what is on screen must not change before that is done.
    queueMicrotask(() => { this.#streams.begin(); });
  };

  readonly reconnect = (): void => {
    this.#network.ring("reconnect");
  };

  readonly forget = async (): Promise<void> => {
    await Promise.all([this.#rows?.forget(), this.#drafts.forget()]);
  };

  readonly close = (): void => {
    this.#closed.abort();
    this.#streams.close();
    this.#carriers.close();
    this.#stopListening();
    this.#rows?.close();
    this.#turns.close();
    this.#keeping.close();
    this.#drafts.close();
  };

  get #delivering() {
    return { transport: this.#transport, network: this.#network, backoff: this.#submit, signal: this.#closed.signal };
  }

  /** Other tabs have left or settled something, or it is known now what an earlier page left. */
  #storeChanged(): void {
    if (this.#closed.signal.aborted) return;
    const { knownPerson } = this.#transport;
    if (knownPerson !== undefined) this.#takeUp(knownPerson);
    else if ((this.#store.holdsAny || this.#drafts.holdsAny) && !this.#asking) {
      this.#asking = true;
      void awaitPerson(this.#delivering);
    }
  }

  /** Take up what this person left unfinished, and leave alone what others did. */
  #personIs(person: string | null): void {
    if (this.#closed.signal.aborted) return;
    if (this.#person !== undefined && this.#person !== person) this.#handed.clear();
    this.#person = person;
    for (const view of [...this.#needed]) {
      if (view instanceof View) view.personIs(person);
    }
    this.#rows?.personIs();
    this.#takeUp(person);
    this.#takeUpDrafts();
  }

  #takeUp(person: string | null): void {
    for (const stored of this.#store.list(person)) {
      if (stored.outcome === undefined) this.#input(stored.runId, stored.key).resume(stored);
    }
    this.#undelivered.refresh();
  }

  /** Save what this person typed on an earlier page, or in a tab that is gone. */
  #takeUpDrafts(): void {
    const { knownPerson: person } = this.#transport;
    if (this.#closed.signal.aborted || person === undefined || person === null) return;
    for (const { runId, key } of this.#drafts.list(person)) {
      const view = this.draft(runId, key);
      if (view instanceof LiveDraftView) view.resume();
    }
  }

  #eachDraft(act: (view: LiveDraftView) => void): void {
    for (const view of [...this.#needed]) if (view instanceof LiveDraftView) act(view);
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
          turns: this.#turns,
          onStored: () => { this.#undelivered.refresh(); },
          timing: this.#timing,
          grace: this.#timing.grace,
          openStream: () => this.#source("runs", runId).open(),
        }),
    );
  }

  /** One stream of the server. Runs are made before they are watched; whatever else there is not is empty. */
  #source(kind: string, name: string): Source {
    const path = `${kind}/${name}`;
    const whenMissing = kind === "runs" ? "fail" : "empty";
    const address = (): string => this.#transport.address("v1", "stream", kind, name);
    const open = (): WatchableStream => {
      try {
        return this.#streams.at(path, address(), whenMissing);
      } catch (error) {
        return this.#streams.refused(networkProblem(error));
      }
    };
    const read = async () =>
      readOnce({ name: path, url: address(), whenMissing, fetch: this.#transport.fetch, patience: this.#timing.patience });
    return { name: path, open, read };
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
    const { rows } = this.#handed;
    if (rows.length > 0 && view instanceof View) view.handed(rows);
    return view;
  }
}
