/** Keys that work wherever one is not typing. */
import { useEffect, useLayoutEffect, useRef } from "react";

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=radio], [type=checkbox]), textarea, select"));
}

/** Call `handle` with keys pressed outside of fields and dialogs; true means that it has used the key. */
export function useKeys(handle: (key: string, event: KeyboardEvent) => boolean): void {
  const latest = useRef(handle);
  useLayoutEffect(() => { latest.current = handle; });
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (document.querySelector("dialog[open]") !== null) return;
      if (isTyping(event.target) && event.key !== "Escape") return;
      if (latest.current(event.key, event)) event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => { document.removeEventListener("keydown", press); };
  }, []);
}
