/** What somebody fills in is saved as they type, and what they filled in elsewhere comes up here. */
import { useEffect, useRef } from "react";
import type { ReactElement } from "react";
import type { UseDraft } from "../use-draft.js";
import { useArming } from "../arming.js";
import type { AutoFormDraft } from "./groups.js";
import { Shown } from "./shown.js";
import type { AutoFormWords } from "./words.js";

/**
 * Follow a draft.
 *
 * @param put puts what came from elsewhere into the form; undefined: as at the beginning
 * @return saves what is filled in now; undefined: nothing
 */
export function useAutosave(draft: UseDraft | undefined, put: (value: AutoFormDraft | undefined) => void): (next: AutoFormDraft | undefined) => void {
  // What the form has, as text: what is saved is shown at once, before that is rendered.
  const form = useRef(written(draft?.value));
  const seen = useRef(draft?.value);
  useEffect(() => {
    if (draft === undefined || draft.value === seen.current) return;
    const { value, status } = draft;
    seen.current = value;
    if (written(value) === form.current || (value === undefined && status !== "empty")) return;
    form.current = written(value);
    put(draftOf(value));
  });
  return (next) => {
    if (draft === undefined) return;
    form.current = written(next);
    if (next === undefined) void draft.discard();
    else draft.save(next);
  };
}

/** What was saved, if it is what a form can be filled with; anybody may have saved it. */
export function draftOf(value: unknown): AutoFormDraft | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as AutoFormDraft) : undefined;
}

function written(value: unknown): string {
  return JSON.stringify(value ?? null);
}

export interface SavedProps {
  readonly draft: UseDraft;
  readonly words: AutoFormWords;
  readonly when: (time: string) => string;
}

/** Where what was filled in is, below what can be pressed. */
export function Saved({ draft, words, when }: SavedProps): ReactElement | null {
  const { status, other, value, typedAt, savedAt, kept, problem, outdated } = draft;
  if (status === "conflict" && other !== undefined) return <Conflict key={other.savedAt} draft={draft} other={other} words={words} when={when} />;
  if (value === undefined) return null;
  const old = outdated ? ` ${words.draftOutdated}` : "";
  if (status === "failed") return <p className="signoff-draft signoff-error" role="status">{words.draftFailed} <bdi>{problem?.title}</bdi></p>;
  if (typedAt !== undefined && (status === "waiting" || status === "off")) {
    const where = kept === "browser" ? words.draftKept(when(typedAt), status === "waiting") : kept === "storage" ? words.draftInTab : words.draftInPage;
    return <p className="signoff-draft signoff-faint" role="status">{where}{old}</p>;
  }
  if (typedAt !== undefined) return <p className="signoff-draft signoff-faint">{words.draftSaving}</p>;
  if (savedAt === undefined) return null;
  return <p className="signoff-draft signoff-faint">{words.draftSaved(when(savedAt))}{old}</p>;
}

function Conflict({ draft: { choose, value }, other, words, when }: SavedProps & { readonly other: NonNullable<UseDraft["other"]> }): ReactElement {
  const { armed, guard } = useArming(other.savedAt);
  return (
    <div className="signoff-notice signoff-draft" data-tone="bad" role="alert">
      <p className="signoff-notice-title">{words.draftConflict}</p>
      <p>{words.draftConflictText(when(other.savedAt))}</p>
      <details>
        <summary>{words.draftOther}</summary>
        <Shown value={only(other.value)} before={only(value)} words={words} />
      </details>
      <p className="signoff-actions">
        <button type="button" className="signoff-button" aria-disabled={!armed} {...guard(() => void choose("mine"))}>{words.draftMine}</button>
        <button type="button" className="signoff-button" aria-disabled={!armed} {...guard(() => void choose("other"))}>{words.draftTheirs}</button>
      </p>
    </div>
  );
}

/** Where only one action was filled in, what was filled in. */
function only(value: unknown): unknown {
  const parts = Object.values(draftOf(value) ?? {});
  return parts.length === 1 ? parts[0] : value;
}
