/**
 * Tabs of one browser that share one connection: one of them has it, and the others hear through it.
 *
 * Which tab that is, a lock says (Web Locks): who holds it leads, and when it is closed or crashes the browser gives the
 * lock to the next. What is asked and what comes goes over a BroadcastChannel, which pages of this origin alone can hear;
 * each read brings its own tab's credentials. No tab waits for another that does not answer: it reads by itself, and looks
 * again now and then whether one leads that answers at once.
 */
import { PageCarrier } from "./carrier.js";
import type { Carrier, LiveRead, ReadEvents } from "./carrier.js";
import { after } from "./timer.js";

/** How long a tab waits, in milliseconds. */
interface Waits {
  /** To learn which tab leads, before it reads by itself. */
  readonly leader: number;
  /** For the leading tab to answer. */
  readonly answer: number;
  /** To look again, when it reads by itself, whether one leads that answers at once. */
  readonly again: number;
}

const WAITS: Waits = { leader: 1_000, answer: 3_000, again: 5_000 };

/** True where tabs can share: a page with locks, which are there where the page came safely (HTTPS or this machine). */
export function canShare(): boolean {
  if (typeof document !== "object" || typeof BroadcastChannel !== "function") return false;
  return typeof (navigator as { locks?: LockManager | null }).locks?.request === "function";
}

type Told =
  | { readonly kind: "leads"; readonly from: string }
  | { readonly kind: "who"; readonly from: string }
  | { readonly kind: "carry"; readonly from: string; readonly to: string; readonly id: string; readonly read: LiveRead }
  | { readonly kind: "leave"; readonly from: string; readonly to: string; readonly id: string }
  | { readonly kind: "taken"; readonly to: string; readonly id: string }
  | { readonly kind: "opened"; readonly to: string; readonly id: string; readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "body"; readonly to: string; readonly id: string; readonly text: string }
  | { readonly kind: "ended"; readonly to: string; readonly id: string }
  | { readonly kind: "failed"; readonly to: string; readonly id: string; readonly unsupported: boolean };

interface Asked {
  readonly read: LiveRead;
  readonly events: ReadEvents;
  /** Whether the leading tab has taken it on. */
  taken: boolean;
  cancelWait: (() => void) | undefined;
  /** Reads over this tab's own connection instead. */
  readonly byItself: () => void;
}

/** Carries the reads of this tab over the connection of whichever tab leads. */
export class TabsCarrier implements Carrier {
  readonly #name: string;
  readonly #own: PageCarrier;
  readonly #channel: BroadcastChannel;
  readonly #waits: Waits;
  readonly #me = crypto.randomUUID();
  readonly #stop = new AbortController();
  /** Which tab leads: this one, another, or not known yet. */
  #leader: string | undefined;
  #present = false;
  #count = 0;
  readonly #asked = new Map<string, Asked>();
  /** What this tab reads by itself although another may lead: each begins anew, over that one's connection. */
  readonly #apart = new Map<string, () => void>();
  #cancelLook: (() => void) | undefined;
  #lookedAt = 0;
  /** As the leading tab: what gives up the reads of others, by tab and name. */
  readonly #serving = new Map<string, Map<string, () => void>>();

  constructor(base: string, fetchImpl: typeof fetch, waits = WAITS) {
    this.#waits = waits;
    this.#name = `signoff:${base}`;
    this.#own = new PageCarrier(base, fetchImpl);
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Told>) => { this.#hear(data); };
    // Held for as long as this tab is there, so that whoever leads learns of its end; nothing is asked for before.
    this.#hold(`${this.#name}:${this.#me}`, () => {
      this.#present = true;
      for (const [id, asked] of this.#asked) this.#ask(id, asked);
    });
    this.#hold(this.#name, () => { this.#lead(); });
    this.#tell({ kind: "who", from: this.#me });
  }

  carry(read: LiveRead, events: ReadEvents): () => void {
    const id = `${++this.#count}`;
    let giveUp = (): void => {
      this.#forget(id);
      if (this.#leader !== undefined && this.#leader !== this.#me) this.#tell({ kind: "leave", from: this.#me, to: this.#leader, id });
    };
    const byItself = (): void => {
      giveUp();
      giveUp = this.#leader === this.#me ? this.#own.carry(read, events) : this.#readApart(id, read, events);
    };
    if (this.#leader === this.#me) {
      byItself();
    } else {
      const asked: Asked = { read, events, taken: false, cancelWait: undefined, byItself };
      this.#asked.set(id, asked);
      asked.cancelWait = after(this.#leader === undefined ? this.#waits.leader : this.#waits.answer, byItself);
      this.#ask(id, asked);
    }
    return () => { giveUp(); };
  }

  close(): void {
    this.#stop.abort();
    this.#cancelLook?.();
    this.#apart.clear();
    for (const id of [...this.#asked.keys()]) this.#forget(id);
    if (this.#leader !== undefined) this.#tell({ kind: "leave", from: this.#me, to: this.#leader, id: "" });
    this.#channel.close();
    this.#own.close();
  }

  #hold(name: string, whenHeld: () => void): void {
    const released = new Promise<void>((resolve) => {
      this.#stop.signal.addEventListener("abort", () => { resolve(); });
    });
    const hold = (): Promise<void> => {
      whenHeld();
      return released;
    };
    navigator.locks.request(name, { signal: this.#stop.signal }, hold).catch(() => undefined);
  }

  #lead(): void {
    this.#leader = this.#me;
    this.#apart.clear();
    this.#tell({ kind: "leads", from: this.#me });
    this.#follow();
  }

  /** There is a tab that leads, or another than before: what the last one had taken on is lost with it. */
  #follow(): void {
    for (const [id, asked] of [...this.#asked]) {
      if (asked.taken) {
        this.#forget(id);
        asked.events.onFailed(false);
      } else if (this.#leader === this.#me) {
        asked.byItself();
      } else {
        this.#ask(id, asked);
      }
    }
  }

  /** Read over this tab's own connection until another leads that answers at once. */
  #readApart(id: string, read: LiveRead, events: ReadEvents): () => void {
    const stop = this.#own.carry(read, {
      ...events,
      onEnded: () => { this.#apart.delete(id); events.onEnded(); },
      onFailed: (unsupported) => { this.#apart.delete(id); events.onFailed(unsupported); },
    });
    this.#apart.set(id, () => { stop(); events.onFailed(false); });
    this.#lookAgain();
    return () => { this.#apart.delete(id); stop(); };
  }

  #lookAgain(): void {
    this.#cancelLook ??= after(this.#waits.again, () => {
      this.#cancelLook = undefined;
      if (this.#apart.size === 0) return;
      this.#lookedAt = performance.now();
      this.#tell({ kind: "who", from: this.#me });
      this.#lookAgain();
    });
  }

  /** Another tab leads, and has just said so: if it was quick, what this one reads by itself goes over to it. */
  #join(): void {
    if (performance.now() - this.#lookedAt > this.#waits.leader) return;
    const apart = [...this.#apart.values()];
    this.#apart.clear();
    for (const begin of apart) begin();
  }

  #ask(id: string, { read }: Asked): void {
    if (this.#present && this.#leader !== undefined) this.#tell({ kind: "carry", from: this.#me, to: this.#leader, id, read });
  }

  #forget(id: string): void {
    this.#asked.get(id)?.cancelWait?.();
    this.#asked.delete(id);
  }

  #tell(told: Told): void {
    if (!this.#stop.signal.aborted || told.kind === "leave") this.#channel.postMessage(told);
  }

  #hear(told: Told): void {
    if (told.kind === "leads") {
      if (this.#leader !== told.from) {
        this.#leader = told.from;
        this.#follow();
      }
      this.#join();
    } else if (told.kind === "who") {
      if (this.#leader === this.#me) this.#tell({ kind: "leads", from: this.#me });
    } else if (told.to === this.#me) {
      if (told.kind === "carry") this.#serve(told.from, told.id, told.read);
      else if (told.kind === "leave") this.#release(told.from, told.id);
      else this.#answered(told);
    }
  }

  #answered(told: Exclude<Told, { readonly from: string }>): void {
    const asked = this.#asked.get(told.id);
    if (asked === undefined) return;
    asked.taken = true;
    asked.cancelWait?.();
    const { events } = asked;
    if (told.kind === "opened") events.onOpened(told.status, told.headers);
    else if (told.kind === "body") events.onBody(told.text);
    else if (told.kind === "ended" || told.kind === "failed") {
      this.#forget(told.id);
      if (told.kind === "ended") events.onEnded();
      else events.onFailed(told.unsupported);
    }
  }

  // -- as the leading tab ---------------------------------------------------------------------------------------------

  #serve(tab: string, id: string, read: LiveRead): void {
    if (this.#leader !== this.#me) return;
    let reads = this.#serving.get(tab);
    if (reads === undefined) {
      reads = new Map();
      this.#serving.set(tab, reads);
      this.#awaitEnd(tab);
    }
    if (reads.has(id)) return;
    const to = { to: tab, id };
    this.#tell({ kind: "taken", ...to });
    const over = (told: Told): void => {
      this.#serving.get(tab)?.delete(id);
      this.#tell(told);
    };
    reads.set(id, this.#own.carry(read, {
      onOpened: (status, headers) => { this.#tell({ kind: "opened", ...to, status, headers }); },
      onBody: (text) => { this.#tell({ kind: "body", ...to, text }); },
      onEnded: () => { over({ kind: "ended", ...to }); },
      onFailed: (unsupported) => { over({ kind: "failed", ...to, unsupported }); },
    }));
  }

  #release(tab: string, id: string): void {
    const reads = this.#serving.get(tab);
    const ids = id === "" ? [...(reads?.keys() ?? [])] : [id];
    for (const one of ids) {
      reads?.get(one)?.();
      reads?.delete(one);
    }
    if (id === "") this.#serving.delete(tab);
  }

  /** A tab that is there holds the lock of its name: who gets that lock, gets it when the tab is gone. */
  #awaitEnd(tab: string): void {
    const { signal } = this.#stop;
    navigator.locks.request(`${this.#name}:${tab}`, { signal }, () => { this.#release(tab, ""); }).catch(() => undefined);
  }
}
