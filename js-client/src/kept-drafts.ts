/**
 * What people have typed and the server does not have yet, kept on the device: it survives a reload and the browser's being
 * closed.
 *
 * One text a person and request, shared by all tabs: whichever is typed in last. Its name holds whose it is, so that whoever
 * uses the browser next neither sees it nor sends it. What nobody has come back to for a month is removed.
 */
import { keepTexts } from "./browser-storage.js";
import type { Keeping } from "./browser-storage.js";
import { isObject } from "./problem.js";
import type { DraftRow } from "./protocol.js";
import { PersonalTexts, isShared, prefixOf } from "./storage.js";
import type { Kept, Owned, SubmissionStorage } from "./storage.js";

/** A text that is not saved. */
export interface KeptDraft {
  readonly runId: string;
  readonly key: string;
  /** Whose: as of answers. */
  readonly by: string | null;
  /** Another one each time something is typed. */
  readonly id: string;
  /** Without what is secret; missing: what is saved is to be thrown away. */
  readonly value?: unknown;
  /** When the draft was saved that it was typed over; null: there was none. */
  readonly over: string | null;
  /** Which request it was typed for, of all that stand at its place one after the other, and in which state. */
  readonly askedAt: string;
  readonly revised: string;
  /** As RFC 3339 in UTC, by this device's clock. */
  readonly typedAt: string;
}

/** A draft that some tab has saved, or thrown away, as it tells the others. */
export interface SavedDraft extends Pick<KeptDraft, "runId" | "key" | "by" | "id" | "over"> {
  readonly draft: DraftRow | null;
}

export interface ShelfEvents {
  /** Another tab has typed something, or it is known what was there. */
  readonly onChange: () => void;
  /** Another tab has saved something; before it is removed here. */
  readonly onSaved: (saved: SavedDraft) => void;
}

const DRAFTS = "signoff:draft:";
const LONGEST_MS = 30 * 86_400_000;

export class DraftShelf {
  readonly #keeping: Keeping;
  readonly #texts: PersonalTexts<KeptDraft>;
  #channel: BroadcastChannel | undefined;
  /** Resolves when what an earlier page left has been read. */
  readonly ready: Promise<void>;

  constructor(given: SubmissionStorage | undefined, base: string, { onChange, onSaved }: ShelfEvents) {
    this.#keeping = keepTexts("drafts", given, prefixOf(DRAFTS, base), onChange);
    const { storage, durable, ready } = this.#keeping;
    this.#texts = new PersonalTexts({ storage, kind: DRAFTS, base, durable, isOne: isKept });
    if (isShared(storage) && typeof BroadcastChannel === "function") {
      this.#channel = new BroadcastChannel(`signoff:saved:${base}`);
      this.#channel.onmessage = ({ data }: MessageEvent<SavedDraft>) => { onSaved(data); };
    }
    this.ready = ready.then(() => { void this.#texts.clear("useless"); });
  }

  /** How long a text lasts that is typed now. */
  get kept(): Kept {
    return this.#texts.kept;
  }

  /** True if there may be texts of anybody. */
  get holdsAny(): boolean {
    return this.#texts.holdsAny;
  }

  load(owner: Owned): KeptDraft | undefined {
    return this.#texts.load(owner);
  }

  /** All texts of one person. */
  list(by: string | null): KeptDraft[] {
    return this.#texts.list(by);
  }

  save(draft: KeptDraft): void {
    this.#texts.save(draft);
  }

  /** The server has it, or nobody wants it any more: what was typed over the same since then is typed over what is there now. */
  settle(draft: Pick<KeptDraft, "by" | "runId" | "key" | "id" | "over">, now: DraftRow | null): void {
    const { by, runId, key, id, over } = draft;
    this.#channel?.postMessage({ by, runId, key, id, over, draft: now } satisfies SavedDraft);
    this.#texts.change(draft, (present) => {
      if (present === undefined || present.id === id) return null;
      return present.over === over ? { ...present, over: now?.saved_at ?? null } : undefined;
    });
  }

  /** Read again what other tabs may have done to one text. */
  reload(owner: Owned): Promise<KeptDraft | undefined> {
    return this.#texts.reload(owner);
  }

  /** Read again what other tabs may have done. */
  refresh(): Promise<void> {
    return this.#keeping.reload();
  }

  /** Remove everybody's. */
  async forget(): Promise<void> {
    await this.ready;
    await this.#texts.clear();
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#keeping.close();
  }
}

/** True for a text that is not too old: what nobody came back to for a month is of no more use. */
function isKept(value: unknown): value is KeptDraft {
  if (!isObject(value)) return false;
  const { runId, key, by, id, over, typedAt, askedAt, revised } = value;
  if (![runId, key, by ?? "", id, over ?? "", typedAt, askedAt, revised].every((text) => typeof text === "string")) return false;
  return Date.now() - Date.parse(typedAt as string) < LONGEST_MS;
}
