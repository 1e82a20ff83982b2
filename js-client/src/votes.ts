/** How many have agreed on a request with a quorum, and who. */
import { FedView } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import { isPerson } from "./claim.js";
import type { SignoffProblem } from "./problem.js";
import type { Quorum, VoteOf } from "./protocol.js";
import type { RequestView } from "./request.js";
import type { ConnectionState, Readable } from "./view.js";

export interface VotesSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** How many have to agree; null: whoever answers first decides. */
  readonly quorum: Quorum | null;
  /** Those that hold, in the order in which they came. */
  readonly votes: readonly VoteOf[];
  /** How many have chosen each of the request's actions, and how many more are needed that do. */
  readonly tally: Readonly<Record<string, { readonly votes: number; readonly missing: number }>>;
  /** The signed-in person's own. */
  readonly mine?: VoteOf;
}

/** The votes on a request to subscribe to. */
export type VotesView = Readable<VotesSnapshot>;

export interface VotesOptions extends FedOptions {
  readonly request: () => RequestView;
  readonly person: () => string | null | undefined;
}

export class LiveVotesView extends FedView<VotesSnapshot> implements VotesView {
  readonly #options: VotesOptions;

  constructor(options: VotesOptions) {
    super({ connection: "connecting", quorum: null, votes: [], tally: {} }, options);
    this.#options = options;
  }

  override personIs(): void {
    this.#update();
  }

  protected override feed(): () => void {
    const stop = this.#options.request().subscribe(() => { this.#update(); });
    this.#update();
    return stop;
  }

  #update(): void {
    const { connection, error, request } = this.#options.request().getSnapshot();
    const { votes, quorum, tally } = this.getSnapshot();
    const same = request?.votes === votes && request.quorum === quorum;
    const mine = request?.votes.find(({ by }) => isPerson(by, this.#options.person()));
    this.show({
      connection,
      ...(error === undefined ? {} : { error }),
      quorum: request?.quorum ?? null,
      votes: request?.votes ?? votes,
      tally: same || request === undefined ? tally : tallyOf(request.actions, request.votes, request.quorum),
      ...(mine === undefined ? {} : { mine }),
    });
  }
}

function tallyOf(actions: readonly string[], votes: readonly VoteOf[], quorum: Quorum | null): VotesSnapshot["tally"] {
  return Object.fromEntries(actions.map((action) => {
    const cast = votes.filter((vote) => vote.action === action).length;
    const need = quorum === null || quorum.veto.includes(action) ? 1 : quorum.need;
    return [action, { votes: cast, missing: Math.max(0, need - cast) }];
  }));
}
