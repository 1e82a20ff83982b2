/** What a person typed and has not sent. It outlives a reload, not the tab. */

import type { InputRow } from "@signoff/client";
import { useCallback, useMemo, useState } from "react";
import { type Written, write } from "../form/answer";
import { type Draft, type Misfit, begin } from "../form/begin";
import { type Schema, isObject } from "../form/schema";
import { tabStore } from "./store";

export interface Drafting {
  draft: Draft;
  /** What would be sent. */
  written: Written;
  /** What the workflow proposed and the form has no place for. */
  misfits: readonly Misfit[];
  /** Hints for rendering; whatever is not understood is passed over. */
  hints: Schema;
  /** The person has typed something. */
  touched: boolean;
  change: (draft: Draft) => void;
  /** Go back to what was proposed. */
  startOver: () => void;
}

/** Keep the draft of one request. It is stored under `id`, and read as what anybody may have written there. */
export function useDraft(id: string, request: Pick<InputRow, "schema" | "initial" | "ui">): Drafting {
  const name = `signoff.example.draft:${id}`;
  const { schema, initial, ui } = request;
  const hints = isObject(ui) ? ui : EMPTY;
  const proposed = useMemo(() => begin(schema, initial), [schema, initial]);
  const [typed, setTyped] = useState(() => read(name));
  const draft = typed === null ? proposed.draft : typed.draft;
  const written = useMemo(() => write(schema, draft, hints), [schema, draft, hints]);
  const change = useCallback(
    (next: Draft) => {
      setTyped({ draft: next });
      tabStore.setItem(name, JSON.stringify({ draft: next }));
    },
    [name],
  );
  const startOver = useCallback(() => {
    setTyped(null);
    tabStore.removeItem(name);
  }, [name]);
  return { draft, written, misfits: typed === null ? proposed.misfits : NONE, hints, touched: typed !== null, change, startOver };
}

const EMPTY: Schema = {};
const NONE: readonly Misfit[] = [];

function read(name: string): { draft: Draft } | null {
  try {
    const found: unknown = JSON.parse(tabStore.getItem(name) ?? "null");
    return isObject(found) && "draft" in found ? { draft: found.draft } : null;
  } catch {
    return null;
  }
}
