/** Texts of a browser that reloads in the very moment in which they change. */
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BrowserStorage } from "../src/browser-storage.js";
import { Texts } from "../src/idb.js";
import { memoryStorage } from "../src/storage.js";
import type { SubmissionStorage } from "../src/storage.js";

let database: IDBFactory;
let session: SubmissionStorage & { readonly length: number };

beforeEach(() => {
  vi.stubGlobal("IDBKeyRange", IDBKeyRange);
  database = new IDBFactory();
  session = memoryStorage();
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function page(ahead: SubmissionStorage | undefined = session): Promise<BrowserStorage> {
  const storage = new BrowserStorage({ database, shelf: "answers", ahead, prefix: "p:", onChange: () => undefined });
  await storage.ready;
  return storage;
}

/** A page that has kept a text, and goes before the database has heard that it was removed. */
async function leave(): Promise<void> {
  const gone = await page();
  gone.setItem("p:a", '{"one":1}');
  await gone.written();
  vi.spyOn(Texts.prototype, "update").mockReturnValueOnce(new Promise(() => undefined));
  gone.removeItem("p:a");
}

describe("a text that was removed as its page went", () => {
  it("is gone for the next page, and then for the database", async () => {
    await leave();
    const next = await page();
    expect(next.getItem("p:a")).toBeNull();
    await next.written();
    expect(session.length).toBe(0);
    expect((await page(undefined)).getItem("p:a")).toBeNull();
  });

  it("does not take along what another tab has put in its place", async () => {
    await leave();
    const other = await page(undefined);
    other.setItem("p:a", '{"two":2}');
    await other.written();
    const next = await page();
    await next.written();
    expect(session.length).toBe(0);
    expect(next.getItem("p:a")).toBe('{"two":2}');
  });

  it("is none of those that a tab holds on to when its database is lost", async () => {
    await leave();
    database = { open: () => { throw new DOMException("no"); } } as unknown as IDBFactory;
    const next = await page();
    expect(next.kept).toBe("storage");
    expect(session.length).toBe(0);
  });
});
