/** A list one can search, walk with the arrow keys (or j and k) and open with Enter: its entries are links. */

import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { usePrinting } from "../model/printing";

const PAGE = 60;

interface Props<Entry> {
  label: string;
  entries: readonly Entry[];
  keyOf: (entry: Entry) => string;
  children: (entry: Entry) => ReactNode;
}

/** Long lists are shown a page at a time. */
export function List<Entry>({ label, entries, keyOf, children }: Props<Entry>) {
  const [wanted, setWanted] = useState(PAGE);
  const printing = usePrinting();
  const shown = printing ? entries.length : wanted;
  const list = useRef<HTMLUListElement>(null);
  useListKeys(list);
  return (
    <>
      <ul className="list" aria-label={label} ref={list}>
        {entries.slice(0, shown).map((entry) => (
          <li key={keyOf(entry)}>{children(entry)}</li>
        ))}
      </ul>
      {entries.length > shown && (
        <button
          type="button"
          className="button quiet more-rows"
          onClick={() => {
            setWanted(shown + PAGE);
          }}
        >
          Show more ({entries.length - shown} left)
        </button>
      )}
    </>
  );
}

/** How many entries there are; where some are filtered out, how many are shown. */
export function Count({ shown, all }: { shown: number; all: number }) {
  return <span className="count">{shown === all ? all : `${shown} of ${all}`}</span>;
}

export function Search({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: globalThis.KeyboardEvent) => {
      if (event.key !== "/" || isTyping(event.target)) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => {
      document.removeEventListener("keydown", focus);
    };
  }, []);
  return (
    <input
      ref={input}
      type="search"
      className="control search"
      aria-label={label}
      aria-keyshortcuts="/"
      placeholder={label}
      dir="auto"
      value={value}
      onChange={({ target }) => {
        onChange(target.value);
      }}
    />
  );
}

/** Move between the list's links: arrows while one has the focus, j and k from anywhere but a field. */
function useListKeys(list: React.RefObject<HTMLUListElement | null>): void {
  useEffect(() => {
    const move = (event: globalThis.KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const inside = list.current?.contains(document.activeElement) ?? false;
      const step = stepOf(event, inside);
      if (step === 0) return;
      const links = [...(list.current?.querySelectorAll("a") ?? [])];
      const here = links.findIndex((link) => link === document.activeElement);
      const start = here >= 0 ? here : links.findIndex((link) => link.getAttribute("aria-current") === "page");
      const next = links[Math.max(0, Math.min(links.length - 1, start + step))];
      if (!next) return;
      event.preventDefault();
      next.focus();
    };
    document.addEventListener("keydown", move);
    return () => {
      document.removeEventListener("keydown", move);
    };
  }, [list]);
}

function stepOf({ key }: Pick<KeyboardEvent, "key">, inside: boolean): number {
  if (key === "j" || (inside && key === "ArrowDown")) return 1;
  if (key === "k" || (inside && key === "ArrowUp")) return -1;
  return 0;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");
}
