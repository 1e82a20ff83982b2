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

  it("keeps servers apart and leaves other items alone", () => {
    const storage = memoryStorage();
    storage.setItem("theme", "dark");
    new SubmissionStore(storage, "http://a").save(answer);
    expect(new SubmissionStore(storage, "http://b").list("alice")).toStrictEqual([]);
    expect(new SubmissionStore(storage, "http://a").list("alice")).toStrictEqual([answer]);
  });

  it.each(["", "{", "null", "[]", '{"runId":"r1"}', JSON.stringify({ ...answer, seenOffset: 7 })])("ignores %j", (text) => {
    const storage = memoryStorage();
    new SubmissionStore(storage, "http://a").save(answer);
    storage.setItem(storage.key(0) ?? "", text);
    expect(new SubmissionStore(storage, "http://a").list("alice")).toStrictEqual([]);
  });

  it("does without a storage that refuses", () => {
    const no = (): never => {
      throw new DOMException("full", "QuotaExceededError");
    };
    const store = new SubmissionStore({ length: 1, key: no, getItem: no, setItem: no, removeItem: no }, "http://a");
    store.save(answer);
    store.remove(answer);
    expect(store.load("alice", "r1", "approve:0")).toBeUndefined();
    expect(store.list("alice")).toStrictEqual([]);
  });
});
