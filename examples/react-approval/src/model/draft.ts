/** What a person typed and has not sent. It outlives a reload, not the tab. */

import { useCallback, useState } from "react";

export type Draft = Record<string, unknown>;

/** Keep the draft of one request; `initial` is what the workflow proposes. */
export function useDraft(id: string, initial: Draft): [Draft, (draft: Draft) => void, () => void] {
  const name = `signoff.example.draft:${id}`;
  const [draft, setDraft] = useState<Draft>(() => read(name) ?? initial);
  const change = useCallback(
    (next: Draft) => {
      setDraft(next);
      sessionStorage.setItem(name, JSON.stringify(next));
    },
    [name],
  );
  const clear = useCallback(() => {
    sessionStorage.removeItem(name);
  }, [name]);
  return [draft, change, clear];
}

function read(name: string): Draft | null {
  const text = sessionStorage.getItem(name);
  return text === null ? null : (JSON.parse(text) as Draft);
}
