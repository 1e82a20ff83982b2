/**
 * Where one is stands behind the `#` of the address: pages, filters and sorting survive a reload and can be sent to
 * others, whatever prefix the console is served under.
 */
import { useSyncExternalStore } from "react";

export interface Route {
  /** The first segment, `inbox` unless there is one. */
  readonly page: string;
  /** The other segments, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** Read an address such as `#/runs/r1?tab=journal`. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page, ...rest] = path.split("/").filter((part) => part !== "").map(decode);
  return { page: page ?? "inbox", path: rest, query: new URLSearchParams(query) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Write an address; query members that are empty are left out. */
export function href(path: readonly string[], query?: URLSearchParams | Readonly<Record<string, string | null>>): string {
  const entries = query instanceof URLSearchParams ? [...query] : Object.entries(query ?? {});
  const kept = new URLSearchParams(entries.filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== ""));
  const asked = kept.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${asked === "" ? "" : `?${asked}`}`;
}

export function navigate(to: string, how: "push" | "replace" = "push"): void {
  if (how === "push") {
    location.hash = to;
    return;
  }
  history.replaceState(history.state, "", to);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

let last: { hash: string; route: Route } | undefined;

function current(): Route {
  if (last?.hash !== location.hash) last = { hash: location.hash, route: parseRoute(location.hash) };
  return last.route;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => { removeEventListener("hashchange", listener); };
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, current, current);
}

/**
 * Change members of the query where one is; null takes one away.
 *
 * @param how what is chosen is a place to come Back to (`push`); what is being typed is none (`replace`)
 */
export function refine(route: Route, changes: Readonly<Record<string, string | null>>, how: "push" | "replace" = "push"): void {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const to = href([route.page, ...route.path], query);
  if (to !== location.hash) navigate(to, how);
}
