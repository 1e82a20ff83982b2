/** What people say about a request; what is said here stands among it at once, and is delivered under an id of its own. */
import { delay } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { pause } from "./delivery.js";
import { FedView, stopAll } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import { newId } from "./ids.js";
import type { WatchableStream } from "./live.js";
import type { Network } from "./network.js";
import { isPassing, networkProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { CommentRow, DecidedBy, InputCommentRequest, InputReply, InputRow } from "./protocol.js";
import { inputKey } from "./rows.js";
import { overall, rowsOf } from "./stream-view.js";
import { personChanged } from "./transport.js";
import type { Reply, Transport } from "./transport.js";
import { stableList } from "./view.js";
import type { ConnectionState, Readable } from "./view.js";

export interface Comment {
  /** Its own among those of the request. */
  readonly id: string;
  /** Plain text. */
  readonly text: string;
  /** By whom; missing of one that is on its way, which is this page's. */
  readonly by?: DecidedBy;
  /** When; missing likewise. */
  readonly at?: string;
  readonly status: "said" | "sending" | "failed";
  /** Why it was not taken. */
  readonly problem?: SignoffProblem;
}

export interface CommentsSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** In the order in which they came; this page's that are on their way at the end. */
  readonly comments: readonly Comment[];
}

/** The comments on a request to subscribe to and to add to. Its functions may be passed around unbound. */
export interface CommentsView extends Readable<CommentsSnapshot> {
  /** Say something; resolves with what came of it and never rejects. Tried again while the server cannot be reached. */
  readonly add: (text: string) => Promise<Comment>;
  /** Send one that failed again. */
  readonly retry: (id: string) => Promise<Comment | undefined>;
  /** Put one away that failed. */
  readonly dismiss: (id: string) => void;
}

export interface CommentsOptions extends FedOptions {
  readonly runId: string;
  readonly key: string;
  /** The run's stream, and the inboxes that have its comments for those who may not read the run. */
  readonly open: () => readonly [run: WatchableStream, ...inboxes: WatchableStream[]];
  readonly transport: Transport;
  readonly network: Network;
  readonly backoff: Backoff;
  readonly closed: AbortSignal;
}

export class LiveCommentsView extends FedView<CommentsSnapshot> implements CommentsView {
  readonly #options: CommentsOptions;
  #streams: readonly WatchableStream[] = [];
  readonly #rows = new WeakMap<CommentRow, Comment>();
  /** Of this page: on their way, failed, or said and not seen yet. */
  #own: readonly Comment[] = [];
  /** Who has said each of those, once it is known: it is said under no other name. */
  readonly #authors = new Map<string, string | null>();
  /** Of which request each of those is, by when it was asked, as far as it was known: it is said of no other. */
  readonly #of = new Map<string, string | undefined>();
  #askedAt: string | undefined;

  constructor(options: CommentsOptions) {
    super({ connection: "connecting", comments: [] }, options);
    this.#options = options;
  }

  readonly add: CommentsView["add"] = (text) => {
    const comment: Comment = { id: newId(), text, status: "sending" };
    const by = this.#options.transport.knownPerson;
    if (by !== undefined) this.#authors.set(comment.id, by);
    this.#of.set(comment.id, this.#askedAt);
    this.#own = [...this.#own, comment];
    return this.#send(comment);
  };

  readonly retry: CommentsView["retry"] = async (id) => {
    const failed = this.#own.find((one) => one.id === id && one.status === "failed");
    return failed === undefined ? undefined : await this.#send({ id, text: failed.text, status: "sending" });
  };

  readonly dismiss: CommentsView["dismiss"] = (id) => {
    this.#own = this.#own.filter((one) => one.id !== id || one.status !== "failed");
    this.#update();
    this.landed();
  };

  /** What another person has said and was not delivered is neither shown nor sent any longer. */
  override personIs(person: string | null): void {
    this.#own = this.#own.filter(({ id }) => !this.#authors.has(id) || this.#authors.get(id) === person);
    this.#update();
    this.landed();
  }

  protected override isBusy(): boolean {
    // One that failed is kept for whoever wrote it, who may come back to the page.
    return this.#own.some(({ status }) => status !== "said");
  }

  protected override feed(): () => void {
    this.#streams = this.#options.open();
    const stops = this.#streams.map((stream) => stream.retain(() => { this.#update(); }));
    this.#update();
    return stopAll(stops);
  }

  async #send(comment: Comment): Promise<Comment> {
    this.#set(comment);
    this.departed();
    const { network, backoff, closed } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const told = await this.#post(comment);
      let now: Comment = comment;
      if (told.ok) now = { ...comment, status: "said" };
      else if (!isPassing(told.problem.status) || isLocal(told.problem)) now = { ...comment, status: "failed", problem: told.problem };
      if (now.status !== "sending" || closed.aborted) {
        this.#set(now);
        this.landed();
        return now;
      }
      await pause(delay(backoff, attempt, told.ok ? 0 : told.problem.retryAfterMs), { network, signal: closed });
    }
  }

  async #post({ id, text }: Comment): Promise<Reply<keyof InputReply>> {
    const { transport, runId, key } = this.#options;
    try {
      const by = this.#authors.has(id) ? (this.#authors.get(id) ?? null) : await transport.person();
      this.#authors.set(id, by);
      const askedAt = this.#of.get(id);
      const body: InputCommentRequest = { text, comment_id: id, ...(askedAt === undefined ? {} : { asked_at: askedAt }) };
      return await transport.call<InputReply>("POST", ["v1", "runs", runId, "inputs", key, "comment"], body, by);
    } catch (error) {
      return { ok: false, problem: networkProblem(error) };
    }
  }

  /** Show how one of them stands now; one that is not there any more stays away. */
  #set(comment: Comment): void {
    this.#own = this.#own.map((one) => (one.id === comment.id ? comment : one));
    this.#update();
  }

  #update(): void {
    const [run, ...inboxes] = this.#streams.map(({ state }) => state);
    // Who may not read the run has its comments in the inbox.
    const states = run?.error?.status === 403 && inboxes.length > 0 ? inboxes : run === undefined ? [] : [run];
    const { runId, key } = this.#options;
    const found = new Map<string, CommentRow>();
    for (const state of states) {
      this.#askedAt = rowsOf<InputRow>(state.rows, "input").find((row) => row.run_id === runId && inputKey(row) === key)?.asked_at ?? this.#askedAt;
      for (const row of rowsOf<CommentRow>(state.rows, "comment")) {
        if (row.run_id === runId && row.input === key) found.set(row.id.slice(row.id.lastIndexOf("/") + 1), row);
      }
    }
    const rows = [...found.values()];
    this.#own = this.#own.filter(({ id }) => !rows.some((row) => row.comment_id === id));
    const comments = stableList(this.getSnapshot().comments, [...rows.map((row) => this.#said(row)), ...this.#own]);
    const { connection, error } = states.length === 0 ? { connection: this.getSnapshot().connection } : overall(states);
    this.show({ connection, ...(error === undefined ? {} : { error }), comments });
  }

  #said(row: CommentRow): Comment {
    const known = this.#rows.get(row) ?? { id: row.id, text: row.text, by: row.by, at: row.at, status: "said" };
    this.#rows.set(row, known);
    return known;
  }
}

/** True for what this client found itself and time does not mend. */
function isLocal({ code }: SignoffProblem): boolean {
  return ["invalid_name", "no_address", "not_json", personChanged.code].includes(code);
}
