/** One request as it stands, for what is done about it beside answering: looking at it here shows it to nobody. */
import { FedView } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import { InputSource } from "./input-source.js";
import type { SourceOptions } from "./input-source.js";
import type { SignoffProblem } from "./problem.js";
import type { InputRow } from "./protocol.js";
import type { ConnectionState } from "./view.js";

export interface RequestSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  readonly request?: InputRow;
}

export class RequestView extends FedView<RequestSnapshot> {
  readonly #source: InputSource;
  /** The row of a reply, and the one that the stream showed at that time. */
  #replied: { readonly row: InputRow; readonly over: InputRow | undefined } | undefined;

  constructor(options: FedOptions & SourceOptions) {
    super({ connection: "connecting" }, options);
    this.#source = new InputSource(options);
  }

  /** A reply has told how the request stands; it is shown until the stream shows anything else. */
  told(row: InputRow): void {
    this.#replied = { row, over: this.#source.state.row };
    this.#update();
  }

  protected override feed(): () => void {
    const stop = this.#source.open(() => { this.#update(); });
    this.#update();
    return stop;
  }

  #update(): void {
    const { connection, error, row } = this.#source.state;
    if (this.#replied?.over !== row) this.#replied = undefined;
    const request = this.#replied?.row ?? row;
    this.show({ connection, ...(error === undefined ? {} : { error }), ...(request === undefined ? {} : { request }) });
  }
}
