import { describe, expect, it } from "vitest";
import { memoryStorage } from "../src/index.js";
import { SubmissionStore } from "../src/storage.js";
import type { StoredSubmission } from "../src/storage.js";

const answer: StoredSubmission = {
  runId: "r1", key: "approve:0", submissionId: "s1", action: "approve", value: { ok: true }, seenOffset: "2", by: "alice",
};

describe("the store of unfinished answers", () => {
  it("gives back what was saved, one a request, until it is removed", () => {
    const store = new SubmissionStore(memoryStorage(), "http://a");
    store.save(answer);
    store.save({ ...answer, submissionId: "s2" });
    store.save({ ...answer, key: "other:0" });
    expect(store.load("alice", "r1", "approve:0")?.submissionId).toBe("s2");
    expect(store.list("alice").map(({ key }) => key).sort()).toStrictEqual(["approve:0", "other:0"]);
    store.remove(answer);
    expect(store.load("alice", "r1", "approve:0")?.submissionId).toBe("s2");
    store.remove({ ...answer, submissionId: "s2" });
    expect(store.load("alice", "r1", "approve:0")).toBeUndefined();
  });

  it("takes what an older client has kept, which does not say for which request it was", () => {
    const store = new SubmissionStore(memoryStorage(), "http://a");
    const newer = { ...answer, key: "other:0", askedAt: "2026-03-01T09:30:00.000Z" };
    for (const one of [answer, newer]) store.save(one);
    expect(store.load("alice", "r1", "approve:0")).toStrictEqual(answer);
    expect(store.load("alice", "r1", "other:0")).toStrictEqual(newer);
  });

  it("keeps servers apart and leaves other items alone", () => {
    const storage = memoryStorage();
    storage.setItem("theme", "dark");
    new SubmissionStore(storage, "http://a").save(answer);
    expect(new SubmissionStore(storage, "http://b").list("alice")).toStrictEqual([]);
    expect(new SubmissionStore(storage, "http://a").list("alice")).toStrictEqual([answer]);
  });

  it.each(["", "{", "null", "[]", '{"runId":"r1"}', JSON.stringify({ ...answer, seenOffset: 7 }), JSON.stringify({ ...answer, askedAt: 7 })])("ignores %j", (text) => {
    const storage = memoryStorage();
    new SubmissionStore(storage, "http://a").save(answer);
    storage.setItem(storage.key(0) ?? "", text);
    expect(new SubmissionStore(storage, "http://a").list("alice")).toStrictEqual([]);
  });

  it("keeps people apart: nobody sees, overwrites or removes another's", () => {
    const store = new SubmissionStore(memoryStorage(), "http://a");
    store.save(answer);
    const others = { ...answer, submissionId: "s2" };
    for (const by of ["bob", "alice/r1", "ali", "alice,", '"', null]) {
      expect(store.load(by, "r1", "approve:0")).toBeUndefined();
      expect(store.list(by)).toStrictEqual([]);
      store.save({ ...others, by });
      store.remove({ ...answer, by });
      expect(store.load(by, "r1", "approve:0")?.submissionId).toBe("s2");
      expect(store.list(by)).toHaveLength(1);
    }
    expect(store.list("alice")).toStrictEqual([answer]);
  });

  it("keeps names apart that look alike when put together", () => {
    const store = new SubmissionStore(memoryStorage(), "http://a");
    store.save({ ...answer, runId: "a", key: "b/c:0" });
    store.save({ ...answer, runId: "a/b", key: "c:0" });
    expect(store.list("alice").map(({ runId }) => runId).sort()).toStrictEqual(["a", "a/b"]);
  });

  it("takes nothing that stands under another's name", () => {
    const storage = memoryStorage();
    const store = new SubmissionStore(storage, "http://a");
    store.save(answer);
    const name = storage.key(0) ?? "";
    storage.setItem(name, JSON.stringify({ ...answer, by: "bob" }));
    expect(store.list("alice")).toStrictEqual([]);
    storage.setItem(name, JSON.stringify({ ...answer, runId: "r2" }));
    expect(store.list("alice")).toStrictEqual([]);
  });

  it.each([
    {}, { status: "accepted" }, { status: "stale" }, { status: "decided", row: {} }, { status: "refused", problem: {} },
    { status: "invalid", problem: { title: "No", code: "no" } }, 7, null,
  ])("ignores the outcome %j", (outcome) => {
    const storage = memoryStorage();
    const store = new SubmissionStore(storage, "http://a");
    store.save(answer);
    storage.setItem(storage.key(0) ?? "", JSON.stringify({ ...answer, outcome }));
    expect(store.list("alice")).toStrictEqual([]);
  });

  it("keeps in memory alone, and says so, what it cannot tell whose it is", () => {
    const storage = memoryStorage();
    const store = new SubmissionStore(storage, "http://a");
    expect(store.kept).toBe("storage");
    store.save({ ...answer, by: "" });
    expect(storage.length).toBe(0);
    expect(store.list("")).toHaveLength(1);
    expect(store.kept).toBe("memory");
  });

  it("falls back to memory when the storage is full, and leaves no older answer to come back", () => {
    let full = false;
    const storage = memoryStorage();
    const setItem = storage.setItem.bind(storage);
    storage.setItem = (name, value) => {
      if (full) throw new DOMException("full", "QuotaExceededError");
      setItem(name, value);
    };
    const store = new SubmissionStore(storage, "http://a");
    store.save(answer);
    full = true;
    store.save({ ...answer, submissionId: "s2" });
    expect(store.list("alice").map(({ submissionId }) => submissionId)).toStrictEqual(["s2"]);
    expect(new SubmissionStore(storage, "http://a").list("alice")).toStrictEqual([]);
    expect(store.kept).toBe("memory");
  });

  it("does without a storage that refuses", () => {
    const no = (): never => {
      throw new DOMException("full", "QuotaExceededError");
    };
    const store = new SubmissionStore({ length: 1, key: no, getItem: no, setItem: no, removeItem: no }, "http://a");
    store.save(answer);
    expect(store.list("alice")).toStrictEqual([answer]);
    expect(store.kept).toBe("memory");
    store.remove(answer);
    expect(store.load("alice", "r1", "approve:0")).toBeUndefined();
    expect(store.list("alice")).toStrictEqual([]);
  });
});
