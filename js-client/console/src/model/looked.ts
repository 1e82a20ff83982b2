/** How far a person had looked at what a page shows, while it is noted what they see now. */
import { useEffect, useRef, useState } from "react";
import { lookedAt } from "./seen";
import type { Looked } from "./seen";

/**
 * How far this person had looked before the page was opened, or was in front again; undefined: never.
 *
 * @param name is what they look at; undefined until it is there
 * @param look notes that they see it as it is now
 */
export function useLooked(name: string | undefined, look: () => void): Looked | undefined {
  const [before, setBefore] = useState<{ readonly name?: string | undefined; readonly looked?: Looked | undefined }>({});
  if (name !== undefined && before.name !== name) setBefore({ name, looked: lookedAt(name) });
  const latest = useRef(look);
  useEffect(() => {
    latest.current = look;
    if (name !== undefined && !document.hidden) look();
  });
  useEffect(() => {
    if (name === undefined) return;
    // What came while something else was in front has not been looked at.
    const visible = (): void => {
      if (document.hidden) return;
      setBefore({ name, looked: lookedAt(name) });
      latest.current();
    };
    document.addEventListener("visibilitychange", visible);
    return () => { document.removeEventListener("visibilitychange", visible); };
  }, [name]);
  return before.name === name ? before.looked : undefined;
}
