import { useSyncExternalStore } from "react";

let printing = false;

function subscribe(listener: () => void): () => void {
  const media = window.matchMedia("print");
  const follow = (now: boolean) => () => {
    printing = now;
    listener();
  };
  const [before, after] = [follow(true), follow(false)];
  const change = () => {
    follow(media.matches)();
  };
  window.addEventListener("beforeprint", before);
  window.addEventListener("afterprint", after);
  media.addEventListener("change", change);
  return () => {
    window.removeEventListener("beforeprint", before);
    window.removeEventListener("afterprint", after);
    media.removeEventListener("change", change);
  };
}

/** Tell whether the page is being printed: paper has no button for the rest, so all of it is drawn. */
export function usePrinting(): boolean {
  // What a store tells is drawn before the event is over, and so before the page is printed.
  return useSyncExternalStore(subscribe, () => printing);
}
