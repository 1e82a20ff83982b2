/** What is known of a draft, and what may be done to it. */
import type { SignoffProblem } from "./problem.js";
import type { Kept } from "./storage.js";
import type { ConnectionState, Readable } from "./view.js";

/**
 * How a draft stands. `waiting`: the server cannot be reached; it is saved by itself when it can. `conflict`: something else
 * was saved elsewhere since this was begun, and the person has to `choose`. `off`: none is saved, because nobody is signed in
 * (what is typed is kept on the device alone) or the request is not open.
 */
export type DraftStatus = "loading" | "empty" | "unsaved" | "saving" | "waiting" | "saved" | "conflict" | "failed" | "off";

/** What was saved elsewhere while something else was typed here. */
export interface OtherDraft<T = unknown> {
  readonly value: T;
  /** As RFC 3339 in UTC. */
  readonly savedAt: string;
}

export interface DraftSnapshot<T = unknown> {
  /** Of the stream that brings what is saved elsewhere. */
  readonly connection: ConnectionState;
  readonly error?: SignoffProblem;
  readonly status: DraftStatus;
  /** What is filled in; undefined: nothing. */
  readonly value?: T;
  /** When it was last saved, as RFC 3339 in UTC. */
  readonly savedAt?: string;
  /** Set while `value` is not saved: when it was typed, as RFC 3339 in UTC, by this device's clock. */
  readonly typedAt?: string;
  /** Set with `typedAt`: how long it is kept until it is saved. */
  readonly kept?: Kept;
  /** It came from another page or device since this one saved: to be put into the form. */
  readonly elsewhere: boolean;
  /** The request has changed since it was saved. */
  readonly outdated: boolean;
  /** Set while `status` is `conflict`: what was saved elsewhere. */
  readonly other?: OtherDraft<T>;
  /** Why it is not saved. */
  readonly problem?: SignoffProblem;
}

/** A draft to subscribe to and to save. Its functions may be passed around unbound. */
export interface DraftView<T = unknown> extends Readable<DraftSnapshot<T>> {
  /**
   * This is filled in now; it is saved when nothing more comes for a second, and every five seconds while it does.
   *
   * What the request calls secret is not: it lasts as long as the page.
   */
  readonly save: (value: T) => void;
  /** Save what is not saved yet at once; false if that did not succeed. */
  readonly flush: () => Promise<boolean>;
  /** Throw away what was filled in; false if something else was saved elsewhere meanwhile, which stays. */
  readonly discard: () => Promise<boolean>;
  /** End a conflict: save what is typed here over what was saved elsewhere, or take that instead. */
  readonly choose: (which: "mine" | "other") => Promise<boolean>;
}
