/** A run that asks page by page: which pages there are, which one is open, and the way back (Workflow Protocol §7.7). */
import type { HandedRows } from "./handed.js";
import type { InputView } from "./input.js";
import { FedView } from "./fed-view.js";
import type { FedOptions } from "./fed-view.js";
import { isOpen } from "./input-source.js";
import { localProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { InputRow } from "./protocol.js";
import { inputKey } from "./rows.js";
import type { RunOutcome, RunSnapshot, RunView } from "./run.js";
import type { Submission } from "./submission.js";
import { stableList } from "./view.js";
import type { ConnectionState, Readable } from "./view.js";

export interface WizardPage {
  /** The request's key, `name:n`. */
  readonly key: string;
  readonly name: string;
  readonly title: string;
  /** From 1. */
  readonly step: number;
  readonly status: "open" | "answered";
  readonly request: InputRow;
}

export interface WizardSnapshot {
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  /** How the run ended; missing while it goes on. */
  readonly outcome?: RunOutcome;
  /** Those that were reached, in the order of their steps; the last is the one that is open, if any is. */
  readonly pages: readonly WizardPage[];
  /** The one that is open; missing between two pages, before the first and after the last. */
  readonly page?: WizardPage;
  /** The step that is open, or was last; 0 before the first. */
  readonly step: number;
  /** How many there are; null: nobody knows. */
  readonly of: number | null;
  /** How much is done, from 0 to 1; undefined where nobody knows how many there are. */
  readonly progress?: number;
  /** The page that `back` leads to; missing where there is no way back. */
  readonly previous?: string;
}

/** A wizard to subscribe to. Its functions may be passed around unbound. */
export interface WizardView extends Readable<WizardSnapshot> {
  /**
   * Go back to the page before; resolves with what came of it and never rejects.
   *
   * @param value is whatever is filled in of the page that is left: it comes up again when that page does
   */
  readonly back: (value?: unknown) => Promise<Submission>;
}

export interface WizardOptions extends FedOptions {
  readonly run: () => RunView;
  readonly input: (key: string) => InputView;
  /** The requests that are pages of it, by name; all that are pages, unless given. */
  readonly names: readonly string[];
}

const NOTHING: WizardSnapshot = { connection: "connecting", pages: [], step: 0, of: null };

export class LiveWizardView extends FedView<WizardSnapshot> implements WizardView {
  readonly #options: WizardOptions;
  readonly #pages = new WeakMap<InputRow, WizardPage>();
  #going: Promise<Submission> | undefined;

  constructor(options: WizardOptions) {
    super(NOTHING, options);
    this.#options = options;
  }

  readonly back: WizardView["back"] = (value = null) => {
    if (this.#going !== undefined) return this.#going;
    const { page, previous } = this.getSnapshot();
    if (page === undefined || previous === undefined) {
      return Promise.resolve({ status: "refused", problem: localProblem("no_way_back", "There is no way back from here") });
    }
    const going = this.#options.input(page.key).answer({ action: "back", value, seen: page.request }).finally(() => {
      this.#going = undefined;
      this.landed();
    });
    this.#going = going;
    this.departed();
    return going;
  };

  protected override isBusy(): boolean {
    return this.#going !== undefined;
  }

  protected override feed(): () => void {
    const run = this.#options.run();
    const update = (): void => { this.show(this.#shown(run.getSnapshot())); };
    const stop = run.subscribe(update);
    update();
    return stop;
  }

  protected override beginning(handed: HandedRows): WizardSnapshot | undefined {
    const run = this.#options.run().getInitialSnapshot(handed);
    return run.asOf === undefined ? undefined : this.#shown(run);
  }

  #shown({ connection, error, outcome, inputs }: RunSnapshot): WizardSnapshot {
    const before = this.getSnapshot();
    const found = new Map<number, WizardPage>();
    for (const row of inputs) {
      if (row.wizard === null || !this.#counts(row)) continue;
      const page = this.#page(row, row.wizard.step);
      const present = found.get(page.step);
      if (present === undefined || present.status === "answered") found.set(page.step, page);
    }
    const reached = [...found.values()].sort((a, b) => a.step - b.step);
    const page = reached.find(({ status }) => status === "open");
    // After a way back, what was answered beyond is asked anew when its turn comes.
    const pages = stableList(before.pages, page === undefined ? reached : reached.filter(({ step }) => step <= page.step));
    const last = pages.at(-1);
    const step = last?.step ?? 0;
    const of = last?.request.wizard?.of ?? null;
    const done = page === undefined ? step : step - 1;
    const previous = page?.request.wizard?.back ?? undefined;
    return {
      connection,
      ...(error === undefined ? {} : { error }),
      ...(outcome === undefined ? {} : { outcome }),
      pages,
      ...(page === undefined ? {} : { page }),
      step,
      of,
      ...(outcome === "completed" ? { progress: 1 } : of === null || of === 0 ? {} : { progress: Math.min(1, done / of) }),
      ...(previous === undefined ? {} : { previous }),
    };
  }

  #counts(row: InputRow): boolean {
    const { names } = this.#options;
    return (isOpen(row) || row.status === "answered") && (names.length === 0 || names.includes(row.name));
  }

  #page(row: InputRow, step: number): WizardPage {
    const { name, title } = row;
    const known = this.#pages.get(row) ?? { key: inputKey(row), name, title, step, status: isOpen(row) ? "open" : "answered", request: row };
    this.#pages.set(row, known);
    return known;
  }
}
