/** The views of a client beside those of runs, inboxes and requests: what is written, decided, said and done about them. */
import type { Backoff } from "./backoff.js";
import { LiveClaimView } from "./claim.js";
import type { ClaimView } from "./claim.js";
import type { Signoff } from "./client.js";
import { LiveCommentsView } from "./comments.js";
import type { CommentsView } from "./comments.js";
import { LiveDraftView } from "./draft.js";
import type { DraftView } from "./draft-snapshot.js";
import type { InputView } from "./input.js";
import type { DraftShelf } from "./kept-drafts.js";
import type { Timing, WatchableStream } from "./live.js";
import type { Network } from "./network.js";
import { LiveOutcomeView } from "./outcome.js";
import type { OutcomeView } from "./outcome.js";
import { LiveOutputView } from "./output.js";
import type { MessagesOptions, MessagesView, OutputView } from "./output.js";
import type { ResultReply } from "./protocol.js";
import { RequestView } from "./request.js";
import type { Row } from "./rows.js";
import type { RunView } from "./run.js";
import { StreamView } from "./stream-view.js";
import type { Source } from "./stream-view.js";
import type { Transport } from "./transport.js";
import { readSnapshot, rowsSnapshot } from "./typed-rows.js";
import type { RowsView, StandardSchema } from "./typed-rows.js";
import { verbsView } from "./verbs.js";
import type { VerbsView } from "./verbs.js";
import type { Registration } from "./view.js";
import { LiveVotesView } from "./votes.js";
import type { VotesView } from "./votes.js";
import { LiveWizardView } from "./wizard.js";
import type { WizardView } from "./wizard.js";

export interface MoreViews {
  /** Watch what a step says while it runs: an output of a run, `runs/{runId}/out/{name}`. */
  readonly output: <T = unknown>(runId: string, name: string) => OutputView<T>;
  /**
   * Watch the messages of any stream of the server as they come: one of yours, or, for operators, a run's journal.
   *
   * @param path is below `/v1/stream/`, such as `runs/claim-1/journal`
   */
  readonly messages: <T = unknown>(path: string, options?: MessagesOptions) => MessagesView<T>;
  /**
   * Watch the rows of one type of a run, such as those its workflow publishes.
   *
   * @param schema reads them: any validator that follows Standard Schema and does not answer later
   */
  readonly rows: (<R extends Row = Row>(runId: string, type: string) => RowsView<R>) & (<T>(runId: string, type: string, schema: StandardSchema<T>) => RowsView<T>);
  /** Watch how a run ends; `result` is the same as a promise. */
  readonly outcome: <T = unknown>(runId: string) => OutcomeView<T>;
  /** What operators may do to a run, each verb a function, with what is on its way. */
  readonly verbs: (runId: string) => VerbsView;
  /** Watch, take and give back the claim of a request. */
  readonly claim: (runId: string, key: string) => ClaimView;
  /** Watch the votes on a request. */
  readonly votes: (runId: string, key: string) => VotesView;
  /**
   * Watch and add to the comments on a request.
   *
   * @param principals are those of the person, whose inboxes have the comments where the run may not be read
   */
  readonly comments: (runId: string, key: string, principals?: string | readonly string[]) => CommentsView;
  /** Watch and save what the signed-in person has filled in of a request; until it is saved, the device keeps it. */
  readonly draft: <T = unknown>(runId: string, key: string) => DraftView<T>;
  /** Watch a run that asks page by page; `names` are those of its pages, if there are others. */
  readonly wizard: (runId: string, names?: string | readonly string[]) => WizardView;
}

/** What these views need of their client. */
export interface Host {
  readonly transport: Transport;
  readonly network: Network;
  readonly timing: Timing;
  readonly backoff: Backoff;
  readonly closed: AbortSignal;
  readonly shelf: DraftShelf;
  readonly source: (kind: string, name: string) => Source;
  readonly view: <V extends object>(parts: readonly string[], create: (use: Registration) => V) => V;
  readonly run: (runId: string) => RunView;
  readonly input: (runId: string, key: string) => InputView;
  readonly act: Signoff["act"];
  readonly actOnInput: Signoff["actOnInput"];
}

/** Make the views of a client. */
export function moreViews(host: Host): MoreViews {
  const { transport, network, timing, backoff, closed, view } = host;
  const { grace } = timing;
  const runStream = (runId: string): WatchableStream => host.source("runs", runId).open();
  const person = (): string | null | undefined => transport.knownPerson;
  const request = (runId: string, key: string): RequestView =>
    view(["request", runId, key], (use) => new RequestView({ ...use, grace, runId, key, transport, network, timing, openStream: () => runStream(runId) }));
  const schemas = new WeakMap<object, string>();
  let schemaCount = 0;
  const nameOf = (schema: object | undefined): string => {
    if (schema === undefined) return "";
    const name = schemas.get(schema) ?? `${++schemaCount}`;
    schemas.set(schema, name);
    return name;
  };
  const rows = (runId: string, type: string, schema?: StandardSchema): RowsView => {
    const project = rowsSnapshot(type);
    return view(["rows", runId, type, nameOf(schema)], (use) => {
      let plain: ReturnType<typeof project> | undefined;
      const read: typeof project = (states, previous) => {
        const next = project(states, plain);
        if (next === plain && previous !== undefined) return previous;
        plain = next;
        return schema === undefined ? next : (readSnapshot(next, schema, previous) as ReturnType<typeof project>);
      };
      return new StreamView([host.source("runs", runId)], read, use);
    });
  };
  return {
    output: <T>(runId: string, name: string) =>
      view(["output", runId, name], (use) => new LiveOutputView({
        ...use, grace, network, timing, closed, fetch: transport.fetch,
        address: () => transport.address("v1", "stream", "runs", runId, "out", name),
        openRun: () => runStream(runId),
      })) as OutputView<T>,
    messages: <T>(path: string, { from = "start", keep }: MessagesOptions = {}) =>
      view(["messages", path, from, String(keep)], (use) => new LiveOutputView({
        ...use, grace, network, timing, closed, fetch: transport.fetch, from,
        ...(keep === undefined ? {} : { keep }),
        address: () => transport.address("v1", "stream", ...path.split("/")),
      })) as MessagesView<T>,
    rows: rows as MoreViews["rows"],
    outcome: <T>(runId: string) =>
      view(["outcome", runId], (use) => new LiveOutcomeView({
        ...use, grace, backoff, closed, view: host.run(runId),
        ask: () => transport.call<ResultReply>("GET", ["v1", "runs", runId, "result"]),
      })) as OutcomeView<T>,
    verbs: (runId) => view(["verbs", runId], (use) => verbsView({ ...use, grace, runId, act: host.act })),
    claim: (runId, key) =>
      view(["claim", runId, key], (use) => new LiveClaimView({ ...use, grace, runId, key, network, person, act: host.actOnInput, request: () => request(runId, key) })),
    votes: (runId, key) => view(["votes", runId, key], (use) => new LiveVotesView({ ...use, grace, person, request: () => request(runId, key) })),
    comments: (runId, key, principals = []) => {
      const names = [...new Set([principals].flat())].sort();
      return view(["comments", runId, key, ...names], (use) => new LiveCommentsView({
        ...use, grace, runId, key, transport, network, backoff, closed,
        open: () => [runStream(runId), ...names.map((name) => host.source("inbox", name).open())],
      }));
    },
    draft: <T>(runId: string, key: string) =>
      view(["draft", runId, key], (use) => new LiveDraftView({
        ...use, grace, runId, key, transport, network, backoff, closed, timing, shelf: host.shelf,
        request: () => request(runId, key),
        open: (name) => host.source("drafts", `user:${name}`).open(),
      })) as DraftView<T>,
    wizard: (runId, names = []) => {
      const own = [...new Set([names].flat())].sort();
      return view(["wizard", runId, ...own], (use) => new LiveWizardView({ ...use, grace, names: own, run: () => host.run(runId), input: (key) => host.input(runId, key) }));
    },
  };
}
