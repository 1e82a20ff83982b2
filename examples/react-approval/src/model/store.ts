/** A storage that never throws: where the browser's is blocked or full, what is kept lasts as long as the page. */

export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Wrap the tab's or the browser's storage; merely touching it may throw. */
export function storeOf(find: () => Store): Store {
  const kept = new Map<string, string | null>();
  const attempt = <T,>(act: (store: Store) => T): T | undefined => {
    try {
      return act(find());
    } catch {
      return undefined;
    }
  };
  return {
    getItem: (name) => kept.get(name) ?? (kept.has(name) ? null : (attempt((store) => store.getItem(name)) ?? null)),
    setItem: (name, value) => {
      const stored = attempt((store) => {
        store.setItem(name, value);
        return true;
      });
      if (stored) kept.delete(name);
      else kept.set(name, value);
    },
    removeItem: (name) => {
      const removed = attempt((store) => {
        store.removeItem(name);
        return true;
      });
      if (removed) kept.delete(name);
      else kept.set(name, null);
    },
  };
}

/** Outlives a reload, not the tab. */
export const tabStore = storeOf(() => window.sessionStorage);

/** Outlives the tab. */
export const browserStore = storeOf(() => window.localStorage);
