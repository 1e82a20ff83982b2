/**
 * What a person has filled in of a request and not sent: saved while they type, there again on their other devices.
 *
 * What is typed here comes first until it is saved; then whatever was saved last, wherever that was. Until the server has it,
 * it is kept on the device (kept-drafts.ts). It takes the place of the draft that it was typed over and of no other: where
 * something newer was saved elsewhere meanwhile, both stay, and the person says which. A draft ends with its request, and is
 * of none that stands in its place later.
 */
import { delay } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { isForAnother, pause } from "./delivery.js";
import type { DraftSnapshot, DraftStatus, DraftView, OtherDraft } from "./draft-snapshot.js";
import { FedView, stopAll } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import { newId } from "./ids.js";
import { isOpen } from "./input-source.js";
import { writeJson } from "./json.js";
import type { DraftShelf, KeptDraft, SavedDraft } from "./kept-drafts.js";
import type { WatchableStream } from "./live.js";
import type { Network } from "./network.js";
import { badReply, isObject, isPassing } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { DraftReply, DraftRequest, DraftRow, InputRow } from "./protocol.js";
import type { RequestView } from "./request.js";
import { withoutSecrets } from "./secrets.js";
import { rowsOf } from "./stream-view.js";
import { after } from "./timer.js";
import type { Transport } from "./transport.js";
import type { ConnectionState } from "./view.js";

export interface DraftOptions extends FedOptions {
  readonly runId: string;
  readonly key: string;
  readonly request: () => RequestView;
  /** The stream of a person's drafts. */
  readonly open: (person: string) => WatchableStream;
  readonly shelf: DraftShelf;
  readonly transport: Transport;
  readonly network: Network;
  readonly backoff: Backoff;
  readonly closed: AbortSignal;
  /** How long to wait for more before what was typed is saved, and how long at most, in milliseconds. */
  readonly timing: { readonly draft: number; readonly draftMost: number };
}

/** What was typed and is not saved; `value` undefined: what is saved is to be thrown away. */
interface Typed extends Pick<KeptDraft, "id" | "over" | "typedAt"> {
  readonly value: unknown;
  /** What of it may leave the page, and for which request it is; missing until the row of that is known. */
  readonly told?: Pick<KeptDraft, "value" | "askedAt" | "revised">;
  /** Since when something is not saved, in milliseconds. */
  readonly since: number;
}

/** How many of the texts whose replies were lost are remembered. */
const MOST_SENT = 4;

/** What the server says where nobody will ever want the draft; others say the like of themselves, such as a proxy. */
const ENDS: readonly string[] = ["run_not_found", "input_not_found", "already_decided", "expired", "withdrawn", "stale"];

const NOTHING: DraftSnapshot = { connection: "connecting", status: "loading", elsewhere: false, outdated: false };

export class LiveDraftView extends FedView<DraftSnapshot> implements DraftView {
  readonly #options: DraftOptions;
  #stream: WatchableStream | undefined;
  /** Whose drafts; null: nobody's. */
  #person: string | null | undefined;
  #typed: Typed | undefined;
  /** The id of what the device keeps, as far as this page knows. */
  #shelved: string | undefined;
  /** What stands in the way of what was typed. */
  #conflict: DraftRow | undefined;
  /** What was sent since the last reply: it may have arrived. */
  #sent: readonly string[] = [];
  /** What this page has saved last, secrets included, and for which state of the request it was typed. */
  #whole: { readonly savedAt: string; readonly value: unknown; readonly revised: string | undefined } | undefined;
  /** What a reply told last, until the stream has shown it; null: thrown away. */
  #told: DraftRow | null | undefined;
  /** When that was, by the server's clock. */
  #toldAt: string | undefined;
  /** Up to which this page knows that the form has it. */
  #ownAt: string | undefined;
  /** What is saved. */
  #saved: DraftRow | undefined;
  #saving: Promise<boolean> | undefined;
  #away = false;
  #problem: SignoffProblem | undefined;
  #cancelSave: (() => void) | undefined;

  constructor(options: DraftOptions) {
    super(NOTHING, options);
    this.#options = options;
  }

  readonly save = (value: unknown): void => {
    this.#type(JSON.parse(writeJson(value)));
    const { draft, draftMost } = this.#options.timing;
    const since = this.#typed?.since ?? 0;
    this.#saveIn(Math.min(draft, since + draftMost - Date.now()));
  };

  readonly flush = async (): Promise<boolean> => {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    // Typed on while it was saved: that is saved next.
    while (this.isBusy()) {
      this.#saving ??= this.#post().finally(() => {
        this.#saving = undefined;
        this.#away = false;
        this.#update();
        this.landed();
      });
      this.#update();
      if (!(await this.#saving)) return false;
    }
    return this.#typed === undefined;
  };

  readonly discard = (): Promise<boolean> => {
    if (this.#conflict !== undefined) return this.choose("other").then(() => false);
    this.#type(undefined);
    return this.flush();
  };

  readonly choose = async (which: "mine" | "other"): Promise<boolean> => {
    const [typed, other] = [this.#typed, this.#other()];
    if (typed === undefined || other === undefined) return false;
    this.#conflict = undefined;
    if (which === "other") {
      this.#yield(other);
      this.#update();
      return true;
    }
    this.#retype({ ...typed, id: newId(), over: other.saved_at });
    this.departed();
    this.#update();
    return this.flush();
  };

  /** An earlier page has left a text, or another tab may not be able to save its own. */
  resume(): void {
    this.#adopt();
    void this.flush();
  }

  /** Another tab has typed or saved something. */
  shelfChanged(): void {
    // Whoever typed it saves it, unless their tab is closed or crashes.
    if (this.#adopt()) this.#saveIn(3 * this.#options.timing.draftMost);
    this.#update();
  }

  /** Another tab has saved something, or thrown it away. */
  savedElsewhere({ runId, key, by, id, over, draft }: SavedDraft): void {
    const { runId: run, key: own } = this.#options;
    if (runId !== run || key !== own || by !== this.#by()) return;
    this.#hear(draft);
    if (this.#typed?.id === id) this.#drop();
    else if (this.#typed?.over === over) this.#retype({ ...this.#typed, over: draft?.saved_at ?? null });
    this.#update();
  }

  /** Somebody else is signed in: what was typed is not theirs to see. */
  override personIs(person: string | null): void {
    if (this.#person === undefined || this.#person === person) return;
    this.#drop();
    this.#person = this.#told = this.#toldAt = this.#ownAt = this.#saved = this.#whole = undefined;
    this.publish(NOTHING);
    this.restart();
  }

  protected override isBusy(): boolean {
    return this.#typed !== undefined && this.#problem === undefined && this.#conflict === undefined && this.#by() !== null;
  }

  protected override feed(): () => void {
    const stops: (() => void)[] = [this.#options.request().subscribe(() => { this.#update(); })];
    let over = false;
    const open = async (): Promise<void> => {
      const person = await this.#who();
      if (over || person === undefined) return;
      this.#person = person;
      if (person !== null && person !== "") {
        this.#stream = this.#options.open(person);
        stops.push(this.#stream.retain(() => { this.#update(); }));
      }
      this.#adopt();
      void this.flush();
      this.#update();
    };
    void open();
    if (typeof document === "object") {
      // The page may not come back.
      const onHidden = (): void => { if (document.hidden) void this.flush(); };
      document.addEventListener("visibilitychange", onHidden);
      stops.push(() => { document.removeEventListener("visibilitychange", onHidden); });
    }
    this.#update();
    return () => {
      over = true;
      this.#stream = undefined;
      stopAll(stops)();
      if (this.isBusy()) void this.flush();
    };
  }

  async #who(): Promise<string | null | undefined> {
    const { transport, network, backoff, closed } = this.#options;
    for (let attempt = 0; !closed.aborted; attempt++) {
      try {
        return await transport.person();
      } catch {
        await pause(delay(backoff, attempt), { network, signal: closed });
      }
    }
    return undefined;
  }

  /** Whose what is typed is, as far as that is known. */
  #by(): string | null | undefined {
    return this.#person === undefined ? this.#options.transport.knownPerson : this.#person;
  }

  #type(value: unknown): void {
    const before = this.#typed;
    this.#person = this.#by();
    this.#typed = {
      id: newId(), value, over: before === undefined ? (this.#saved?.saved_at ?? null) : before.over,
      typedAt: new Date().toISOString(), since: before?.since ?? Date.now(),
    };
    this.#problem = undefined;
    this.departed();
    this.#update();
  }

  /** What was typed stands over something else now. */
  #retype(typed: Typed): void {
    this.#typed = typed;
    this.#shelved = undefined;
    this.#shelve();
  }

  #saveIn(ms: number): void {
    this.#cancelSave?.();
    this.#cancelSave = after(Math.max(0, ms), () => void this.flush());
  }

  /** Keep what was typed on the device, once it is known whose it is and what of it is secret. */
  #shelve(): void {
    const { runId, key, shelf } = this.#options;
    const [typed, by] = [this.#typed, this.#by()];
    if (typed?.told === undefined || typed.id === this.#shelved || by === undefined || by === "") return;
    const { id, value, over, typedAt, told } = typed;
    this.#shelved = id;
    shelf.save({ runId, key, by, id, over, typedAt, ...told });
    if (value === undefined && by === null) this.#settled(typed, null);
  }

  /** Take up what the device keeps, if another page has typed it; true if this one knows of it only now. */
  #adopt(): boolean {
    const { runId, key, shelf } = this.#options;
    const [typed, by] = [this.#typed, this.#by()];
    if (by === undefined || by === "") return false;
    const kept = shelf.load({ by, runId, key });
    if (kept === undefined) {
      if (typed !== undefined && typed.id === this.#shelved && this.#problem === undefined) this.#drop();
      return false;
    }
    this.#person = by;
    if (typed !== undefined && kept.id !== typed.id && kept.typedAt < typed.typedAt) return false;
    const { id, over, typedAt, askedAt, revised, value } = kept;
    this.#typed = { id, over, typedAt, told: { value, askedAt, revised }, value: id === typed?.id ? typed.value : value, since: typed?.since ?? Date.now() };
    this.#shelved = id;
    if (id !== typed?.id || over !== typed.over) this.#conflict = this.#problem = undefined;
    this.departed();
    return id !== typed?.id;
  }

  async #post(): Promise<boolean> {
    const { transport, runId, key, network, backoff, closed } = this.#options;
    const person = this.#person === undefined ? await this.#who() : this.#person;
    for (let attempt = 0; !closed.aborted; attempt++) {
      const typed = this.#typed;
      if (typed === undefined || !this.isBusy()) return typed === undefined;
      if (this.#by() !== person) return this.#forNext();
      if (typed.told === undefined) return false;
      const value = typed.told.value ?? null;
      const body: DraftRequest = { value, over: typed.over, asked_at: typed.told.askedAt };
      const before = this.#sent;
      this.#sent = [...before, writeJson(value)].slice(-MOST_SENT);
      // Never under another person's name.
      const reply = await transport.call<DraftReply>("POST", ["v1", "runs", runId, "inputs", key, "draft"], body, person);
      // Meanwhile it became another's page: what was said of a draft is not for them.
      if (this.#by() !== person) return this.#forNext();
      if (reply.ok) {
        const { draft, saved } = reply.body;
        if (draft !== null && !isDraft(draft)) return this.#fail(typed, badReply);
        if (saved !== false || draft === null) {
          this.#settled(typed, draft);
          return true;
        }
        // One of ours, whose reply was lost.
        if (before.includes(writeJson(draft.value))) this.#retype({ ...this.#typed ?? typed, over: draft.saved_at });
        else if (!(await this.#settledByAnother(typed))) return this.#refuse(typed, draft);
        continue;
      }
      const { problem } = reply;
      if (isForAnother({ status: "refused", problem })) return false;
      if (!this.#passes(problem)) {
        if (ENDS.includes(problem.code)) this.#options.shelf.settle({ ...typed, runId, key, by: person ?? null }, null);
        return this.#fail(typed, problem);
      }
      this.#away = true;
      this.#update();
      await pause(delay(backoff, attempt, problem.retryAfterMs), { network, signal: closed });
    }
    return false;
  }

  /** Somebody else is signed in by now, and may have typed something. */
  #forNext(): false {
    this.#sent = [];
    if (this.isBusy()) this.#saveIn(0);
    return false;
  }

  #passes({ status, code }: SignoffProblem): boolean {
    if (status === 0) return code === "network" || code === "token_unavailable";
    // An expired token speaks of the sign-in, not of the draft: it waits for a better one.
    return isPassing(status) || (status === 401 && this.#options.transport.signsIn);
  }

  /** What was typed is saved, or thrown away. */
  #settled(typed: Typed, draft: DraftRow | null): void {
    const { runId, key, shelf } = this.#options;
    this.#sent = [];
    this.#hear(draft);
    this.#whole = draft === null ? undefined : { savedAt: draft.saved_at, value: typed.value, revised: typed.told?.revised };
    this.#ownAt = this.#toldAt;
    const by = this.#by();
    if (by !== undefined && by !== "") shelf.settle({ ...typed, runId, key, by }, draft);
    if (this.#typed?.id === typed.id) this.#drop();
    else if (this.#typed !== undefined) this.#retype({ ...this.#typed, over: draft?.saved_at ?? null });
  }

  /** True if another tab has saved what was typed here, or what it was typed over. */
  async #settledByAnother(typed: Typed): Promise<boolean> {
    const { runId, key, shelf } = this.#options;
    const by = this.#by();
    if (by === undefined || by === "" || this.#shelved === undefined) return false;
    await shelf.reload({ by, runId, key });
    this.#adopt();
    return this.#typed?.id !== typed.id || this.#typed.over !== typed.over;
  }

  /** Something else was saved elsewhere: nothing is lost until the person has chosen. */
  #refuse(typed: Typed, other: DraftRow): false {
    if (typed.value === undefined) this.#yield(other);
    else this.#conflict = other;
    return false;
  }

  /** What is saved elsewhere takes the place of what was typed. */
  #yield(other: DraftRow): void {
    const { runId, key, shelf } = this.#options;
    const [typed, by] = [this.#typed, this.#by()];
    this.#hear(other);
    this.#ownAt = "";
    if (typed !== undefined && typeof by === "string" && by !== "") shelf.settle({ ...typed, runId, key, by }, other);
    this.#drop();
  }

  #hear(draft: DraftRow | null): void {
    this.#toldAt = draft?.saved_at ?? this.#saved?.saved_at ?? this.#toldAt;
    this.#told = draft;
  }

  #fail(typed: Typed, problem: SignoffProblem): false {
    // What was typed since then, or for another request, is yet to be tried.
    if (this.#typed?.id === typed.id) this.#problem = problem;
    return false;
  }

  #drop(): void {
    this.#cancelSave?.();
    this.#sent = [];
    this.#typed = this.#shelved = this.#conflict = this.#problem = undefined;
  }

  #update(): void {
    const { runId, key, shelf } = this.#options;
    const { request } = this.#options.request().getSnapshot();
    this.#place(request);
    this.#end(request);
    this.#shelve();
    const stream = this.#stream?.state;
    const nobody = this.#person === null || this.#person === "";
    const connection = nobody ? "ended" : (stream?.connection ?? "connecting");
    const error = stream?.error;
    const about = { connection, ...(error === undefined ? {} : { error }) } as const;
    if (request !== undefined && !isOpen(request)) {
      this.show({ ...about, status: "off", elsewhere: false, outdated: false });
      return;
    }
    const newest = this.#newest(stream === undefined ? undefined : rowsOf<DraftRow>(stream.rows, "draft").find((row) => row.run_id === runId && row.input === key));
    const saved = request === undefined || newest?.asked_at === request.asked_at ? newest : undefined;
    this.#saved = saved;
    const typed = this.#typed;
    const other = this.#other();
    const elsewhere = typed === undefined && saved !== undefined && this.#ownAt !== undefined && saved.saved_at > this.#ownAt;
    const known = this.#whole !== undefined && this.#whole.savedAt === saved?.saved_at ? this.#whole : saved;
    const { value, revised } = typed === undefined ? known ?? {} : { value: typed.value, revised: typed.told?.revised };
    this.show({
      ...about,
      status: this.#status(connection, value),
      ...(value === undefined ? {} : { value }),
      ...(saved === undefined ? {} : { savedAt: saved.saved_at }),
      ...(typed === undefined ? {} : { typedAt: typed.typedAt, kept: this.#shelved === typed.id ? shelf.kept : "memory" }),
      elsewhere,
      outdated: value !== undefined && revised !== undefined && request !== undefined && revised !== request.revised,
      ...(other === undefined ? {} : { other: otherOf(other) }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    });
  }

  /** What was typed before anything was known of its request is for the first that is known. */
  #place(request: InputRow | undefined): void {
    const typed = this.#typed;
    if (request === undefined || typed === undefined || typed.told !== undefined) return;
    const { asked_at: askedAt, revised } = request;
    this.#typed = { ...typed, told: { value: withoutSecrets(typed.value, request), askedAt, revised } };
    this.#saveIn(this.#options.timing.draft);
  }

  /** What was typed goes with its request: once that is answered, by whomever, or another stands in its place. */
  #end(request: InputRow | undefined): void {
    const { runId, key, shelf } = this.#options;
    const [typed, by] = [this.#typed, this.#by()];
    if (typed?.told === undefined || request === undefined) return;
    const { askedAt } = typed.told;
    if (askedAt === request.asked_at && isOpen(request)) return;
    // Another tab may know of a later request than this page.
    if (askedAt <= request.asked_at && by !== undefined && by !== "") shelf.settle({ ...typed, runId, key, by }, null);
    this.#drop();
  }

  /** What stands in the way, as it was saved last. */
  #other(): DraftRow | undefined {
    const [found, saved] = [this.#conflict, this.#saved];
    return found !== undefined && saved !== undefined && saved.saved_at > found.saved_at ? saved : found;
  }

  /** What was saved last; the stream may not have heard of what a reply told. */
  #newest(streamed: DraftRow | undefined): DraftRow | undefined {
    if (this.#told === undefined) return streamed;
    const at = this.#toldAt ?? "";
    const caughtUp = streamed === undefined ? this.#told === null : streamed.saved_at > at || (this.#told !== null && streamed.saved_at === at);
    if (!caughtUp) return this.#told ?? undefined;
    this.#told = undefined;
    return streamed;
  }

  #status(connection: ConnectionState, value: unknown): DraftStatus {
    if (this.#problem !== undefined) return "failed";
    if (this.#conflict !== undefined) return "conflict";
    if (this.#by() === null) return "off";
    if (this.#saving !== undefined) return this.#away ? "waiting" : "saving";
    if (this.#typed !== undefined) return "unsaved";
    if (value !== undefined) return "saved";
    if (this.#person === null || this.#person === "") return "off";
    return connection === "connecting" ? "loading" : "empty";
  }
}

/** The same object for the same row, so that nothing rerenders for nothing. */
const others = new WeakMap<DraftRow, OtherDraft>();

function otherOf(row: DraftRow): OtherDraft {
  const other = others.get(row) ?? { value: row.value, savedAt: row.saved_at };
  others.set(row, other);
  return other;
}

function isDraft(value: unknown): value is DraftRow {
  return isObject(value) && typeof value["saved_at"] === "string";
}
