/** Texts that are kept on the device, where the storage takes nothing. */
import { describe, expect, it } from "vitest";
import { DraftShelf } from "../src/kept-drafts.js";
import type { KeptDraft } from "../src/kept-drafts.js";
import { memoryStorage } from "../src/storage.js";

const draft: KeptDraft = {
  runId: "r1", key: "approve:0", by: "alice", id: "1", value: "typed", over: null, typedAt: new Date().toISOString(),
  askedAt: "2026-03-01T09:30:00.000Z", revised: "0000000000000004",
};

describe("a text that the storage refuses", () => {
  it("is kept for the page, and the older one does not come back", () => {
    const storage = memoryStorage();
    const shelf = new DraftShelf(storage, "http://a", { onChange: () => undefined, onSaved: () => undefined });
    shelf.save(draft);
    storage.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
    shelf.save({ ...draft, id: "2", value: "typed later" });
    expect(shelf.load(draft)?.value).toBe("typed later");
    expect(shelf.kept).toBe("memory");
    expect(storage.length).toBe(0);
    shelf.settle({ ...draft, id: "2" }, null);
    expect(shelf.load(draft)).toBeUndefined();
  });
});
