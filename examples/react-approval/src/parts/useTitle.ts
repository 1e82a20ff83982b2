import { useEffect } from "react";

const SITE = "Expense claims";

/** Name the tab after what is open in it. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title === undefined ? SITE : `${title} · ${SITE}`;
    return () => {
      document.title = SITE;
    };
  }, [title]);
}
