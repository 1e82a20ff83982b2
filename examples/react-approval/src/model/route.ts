/** The page's addresses, kept behind the `#`, so that any server of static files can serve them. */

import { useSyncExternalStore } from "react";

export type Route =
  | { page: "inbox" }
  | { page: "request"; runId: string; key: string }
  | { page: "runs" }
  | { page: "run"; runId: string };

/** Read an address; what is not understood is the inbox. */
export function parseRoute(hash: string): Route {
  const [page, runId, key] = hash
    .replace(/^#\/?/, "")
    .split("/")
    .map((part) => decode(part));
  if (page === "request" && runId && key) return { page, runId, key };
  if (page === "runs" && runId) return { page: "run", runId };
  if (page === "runs") return { page };
  return { page: "inbox" };
}

/** Write an address. */
export function hrefOf(route: Route): string {
  switch (route.page) {
    case "inbox":
      return "#/";
    case "runs":
      return "#/runs";
    case "request":
      return `#/request/${encodeURIComponent(route.runId)}/${encodeURIComponent(route.key)}`;
    case "run":
      return `#/runs/${encodeURIComponent(route.runId)}`;
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => {
    window.removeEventListener("hashchange", listener);
  };
}

/** Follow the address bar. */
export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}
