import { describe, expect, it } from "vitest";
import { type Store, storeOf } from "./store";

function map(): Store & { items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  };
}

describe("storeOf", () => {
  it("keeps things where they belong", () => {
    const there = map();
    const store = storeOf(() => there);
    store.setItem("a", "1");
    expect(there.items.get("a")).toBe("1");
    expect(store.getItem("a")).toBe("1");
    store.removeItem("a");
    expect(store.getItem("a")).toBeNull();
  });

  it("remembers for the page where storage is blocked", () => {
    const store = storeOf(() => {
      throw new DOMException("denied", "SecurityError");
    });
    expect(store.getItem("a")).toBeNull();
    store.setItem("a", "1");
    expect(store.getItem("a")).toBe("1");
    store.removeItem("a");
    expect(store.getItem("a")).toBeNull();
  });

  it("does not give back what was stored before it became full", () => {
    const there = map();
    const store = storeOf(() => there);
    store.setItem("a", "old");
    there.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    store.setItem("a", "new");
    expect(store.getItem("a")).toBe("new");
  });
});
