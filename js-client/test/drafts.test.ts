/** What is typed while the server is away, against the real server: kept, saved later, over nothing newer. */
import type { IDBDatabase} from "fake-indexeddb";
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { DraftView, Signoff, SignoffOptions } from "../src/index.js";
import { Texts } from "../src/idb.js";
import { withoutSecrets } from "../src/secrets.js";
import { quick } from "./support/network.js";
import { SignoffServer, tokenOf } from "./support/signoff.js";
import { inputRow } from "./support/streams.js";
import { eventually, until } from "./support/until.js";

const server = new SignoffServer();
const KEY = "approve:0";
let clients: Signoff[];
let stops: (() => void)[];
let count = 0;
/** Nothing that is sent arrives. */
let away: boolean;
/** Drafts arrive, and their replies are lost. */
let deaf: boolean;

beforeAll(async () => {
  await server.start();
});

afterAll(async () => {
  await server.remove();
});

beforeEach(() => {
  [clients, stops, away, deaf] = [[], [], false, false];
  vi.stubGlobal("indexedDB", new IDBFactory());
  vi.stubGlobal("IDBKeyRange", IDBKeyRange);
});

afterEach(() => {
  for (const stop of stops) stop();
  for (const client of clients) client.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function connect(options: Partial<SignoffOptions>): Signoff {
  const timing = { ...quick, patience: 5_000, draft: 10, draftMost: 50 };
  const client = createSignoff({ url: server.url, timing, connections: "stream", ...options });
  clients.push(client);
  return client;
}

const tokenFor = (sub: string) => () => tokenOf(sub, { groups: ["finance"], grants: ["run:read:*"] });

/** A page of this browser, which is offline while `away`. */
function page(sub = "alice", options: Partial<SignoffOptions> = {}): Signoff {
  const reach: typeof fetch = async (...args) => {
    if (away) throw new TypeError("offline");
    const reply = await fetch(...args);
    if (deaf && reply.url.endsWith("/draft")) throw new TypeError("cut off");
    return reply;
  };
  return connect({ token: tokenFor(sub), fetch: reach, ...options });
}

/** A page on another device, which is always online. */
function elsewhere(sub = "alice"): Signoff {
  return connect({ token: tokenFor(sub), storage: memoryStorage() });
}

async function ask(workflow = "expense", input: unknown = 1): Promise<string> {
  const runId = `draft-${++count}`;
  const operator = connect({ storage: memoryStorage() });
  expect(await operator.startRun({ workflow, input, runId })).toMatchObject({ ok: true });
  await until(operator.run(runId), ({ inputs }) => inputs.length > 0);
  return runId;
}

function watch(client: Signoff, runId: string): DraftView {
  const view = client.draft(runId, KEY);
  stops.push(view.subscribe(() => undefined));
  return view;
}

/** Look at a request whose row and draft are known. */
async function open(client: Signoff, runId: string): Promise<DraftView> {
  const input = client.input(runId, KEY);
  stops.push(input.subscribe(() => undefined));
  await until(input, ({ request }) => request !== undefined);
  const view = watch(client, runId);
  await until(view, ({ status }) => status !== "loading");
  return view;
}

/** Type something offline on a page of this browser, and close that. */
async function typed(runId: string, value: unknown, sub = "alice"): Promise<void> {
  const client = page(sub);
  const view = await open(client, runId);
  away = true;
  view.save(value);
  await until(view, ({ status, kept }) => status === "waiting" && kept === "browser");
  client.close();
  await eventually(async () => (await onDevice()).length > 0);
}

/** All that this browser holds of drafts. */
async function onDevice(): Promise<string[]> {
  const texts = new Texts(indexedDB, "drafts");
  const all = await texts.all("signoff:draft:");
  texts.close();
  return [...all.values()];
}

async function saved(runId: string, value: unknown): Promise<void> {
  await until(watch(elsewhere(), runId), (now) => now.status === "saved" && JSON.stringify(now.value) === JSON.stringify(value));
}

describe("what is typed offline", () => {
  it("says since when, outlives its page, and is saved by the next one before anybody looks at it", async () => {
    const runId = await ask();
    const before = Date.now();
    await typed(runId, { amount: 12 });
    const offline = watch(page(), runId);
    const shown = await until(offline, ({ status }) => status === "waiting");
    expect(shown).toMatchObject({ value: { amount: 12 }, kept: "browser", elsewhere: false });
    expect(Date.parse(shown.typedAt ?? "")).toBeGreaterThanOrEqual(before);
    for (const client of clients) client.close();
    away = false;
    page();
    await saved(runId, { amount: 12 });
    await eventually(async () => (await onDevice()).length === 0);
  });

  it("takes the place of what it was typed over", async () => {
    const runId = await ask();
    const first = await open(page(), runId);
    first.save("one");
    await until(first, ({ status }) => status === "saved");
    away = true;
    first.save("two");
    await until(first, ({ status }) => status === "waiting");
    away = false;
    await until(first, ({ status, value }) => status === "saved" && value === "two");
    await saved(runId, "two");
  });

  it.each(["mine", "other"] as const)("stands beside what another device has saved meanwhile, until the person chooses: %s", async (which) => {
    const runId = await ask();
    await typed(runId, "on the train");
    const phone = await open(elsewhere(), runId);
    phone.save("on the phone");
    await until(phone, ({ status }) => status === "saved");
    away = false;
    const view = watch(page(), runId);
    const asked = await until(view, ({ status }) => status === "conflict");
    expect(asked).toMatchObject({ value: "on the train", other: { value: "on the phone" } });
    expect(await view.flush()).toBe(false);
    view.save("typed on");
    phone.save("on the phone, too");
    await until(view, ({ other }) => other?.value === "on the phone, too");
    expect(view.getSnapshot()).toMatchObject({ status: "conflict", value: "typed on" });
    expect(phone.getSnapshot().value).toBe("on the phone, too");
    expect(await view.choose(which)).toBe(true);
    const end = await until(view, ({ status }) => status === "saved");
    expect(end).toMatchObject(which === "mine" ? { value: "typed on", elsewhere: false } : { value: "on the phone, too", elsewhere: true });
    expect(end.other).toBeUndefined();
    await saved(runId, end.value);
    await eventually(async () => (await onDevice()).length === 0);
  });

  it("throws away nothing that was saved elsewhere meanwhile", async () => {
    const runId = await ask();
    const view = await open(page(), runId);
    view.save("first");
    await until(view, ({ status }) => status === "saved");
    away = true;
    void view.discard();
    const phone = await open(elsewhere(), runId);
    await until(phone, ({ value }) => value === "first");
    phone.save("newer");
    await until(phone, ({ status }) => status === "saved");
    away = false;
    await until(view, ({ status, value, elsewhere: other }) => status === "saved" && value === "newer" && other);
  });

  it("is no conflict with itself when a reply was lost", async () => {
    const runId = await ask();
    const view = await open(page(), runId);
    deaf = true;
    view.save("a");
    await until(watch(elsewhere(), runId), ({ value }) => value === "a");
    view.save("ab");
    deaf = false;
    await until(view, ({ status }) => status === "saved" || status === "conflict");
    expect(view.getSnapshot()).toMatchObject({ status: "saved", value: "ab" });
    await saved(runId, "ab");
  });

  it("is one text for all tabs, which one of them saves", async () => {
    const runId = await ask();
    const [one, other] = [await open(page(), runId), await open(page(), runId)];
    away = true;
    one.save("from the first");
    await until(other, ({ value }) => value === "from the first");
    other.save("from the first and the second");
    await until(one, ({ value }) => value === "from the first and the second");
    away = false;
    for (const view of [one, other]) await until(view, ({ status }) => status === "saved" || status === "conflict");
    for (const view of [one, other]) expect(view.getSnapshot()).toMatchObject({ status: "saved", value: "from the first and the second" });
    one.save("on");
    await until(other, ({ status, value }) => status === "saved" && value === "on");
    expect(await onDevice()).toStrictEqual([]);
  });

  it("is neither shown to nor saved for whoever is signed in next", async () => {
    const runId = await ask();
    await typed(runId, "hers");
    away = false;
    const his = await open(page("bob"), runId);
    expect(his.getSnapshot()).toMatchObject({ status: "empty" });
    his.save("his");
    await until(his, ({ status }) => status === "saved");
    expect((await onDevice()).map((text) => JSON.parse(text) as unknown)).toMatchObject([{ by: "alice", value: "hers" }]);
    for (const client of clients) client.close();
    page();
    await saved(runId, "hers");
  });

  it("is no news for whoever signs in while it is on its way", async () => {
    const runId = await ask();
    let who = "alice";
    let arrived = false;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => { release = resolve; });
    const slow: typeof fetch = async (...args) => {
      const reply = await fetch(...args);
      if (!reply.url.endsWith("/draft") || arrived) return reply;
      arrived = true;
      await held;
      return reply;
    };
    const shared = page("", { token: () => tokenFor(who)(), fetch: slow });
    const view = await open(shared, runId);
    view.save("hers");
    await eventually(() => arrived);
    who = "bob";
    await shared.send(runId, "nothing", { id: "e1", payload: null });
    view.save("his");
    release();
    await until(view, ({ status }) => status === "saved");
    expect(view.getSnapshot()).toMatchObject({ value: "his", elsewhere: false });
    await until(watch(elsewhere("bob"), runId), ({ value }) => value === "his");
    await saved(runId, "hers");
  });

  it.each(["answered", "deleted"])("goes from the device when its request is %s", async (how) => {
    const runId = await ask();
    await typed(runId, "too late");
    const operator = connect({ storage: memoryStorage() });
    if (how === "deleted") {
      await operator.terminate(runId);
      expect(await operator.act("delete", runId)).toMatchObject({ ok: true });
    } else {
      const request = elsewhere("bob").input(runId, KEY);
      stops.push(request.subscribe(() => undefined));
      await until(request, (now) => now.request !== undefined);
      expect(await request.answer({ action: "approve", value: { approved: true } })).toMatchObject({ status: "accepted" });
    }
    away = false;
    page();
    await eventually(async () => (await onDevice()).length === 0);
  });

  it("goes when the person signs out for good, and after a month", async () => {
    const runId = await ask();
    await typed(runId, "left behind");
    await page().forget();
    expect(await onDevice()).toStrictEqual([]);
    for (const client of clients) client.close();
    away = false;
    await typed(runId, "left for long");
    vi.useFakeTimers({ now: Date.now() + 31 * 86_400_000, toFake: ["Date"] });
    expect(watch(page(), runId).getSnapshot().value).toBeUndefined();
    await eventually(async () => (await onDevice()).length === 0);
  });

  it("is of no request that stands in its place later", async () => {
    const runId = await ask();
    await typed(runId, "for the first");
    const operator = connect({ storage: memoryStorage() });
    await operator.terminate(runId);
    expect(await operator.act("delete", runId)).toMatchObject({ ok: true });
    await operator.startRun({ workflow: "expense", input: 1, runId });
    away = false;
    // One page looks at the request, the other does not.
    const [view] = [await open(page(), runId), page()];
    await eventually(async () => (await onDevice()).length === 0);
    await until(view, ({ status }) => status === "empty");
    view.save("for the second");
    await saved(runId, "for the second");
  });

  it("before anything is known of the request is for the first that is known, and leaves the page without secrets", async () => {
    const runId = await ask("login", null);
    const sent: string[] = [];
    let late = true;
    const slow: typeof fetch = async (...args) => {
      const request = new Request(...args);
      if (request.url.endsWith("/draft")) sent.push(await request.clone().text());
      else if (request.url.includes(runId) || request.url.includes("/live")) while (late) await new Promise((go) => { setTimeout(go, 5); });
      return fetch(...args);
    };
    const view = watch(page("alice", { fetch: slow }), runId);
    view.save({ user: "alice", pin: "1234", spare: ["5678"], old: "9012" });
    expect(await view.flush()).toBe(false);
    expect(sent).toStrictEqual([]);
    late = false;
    await until(view, ({ status }) => status === "saved");
    expect(view.getSnapshot().value).toMatchObject({ pin: "1234" });
    expect(sent.map((body) => JSON.parse(body) as unknown)).toMatchObject([{ value: { user: "alice" }, asked_at: expect.any(String) as string }]);
    expect(sent.join()).not.toMatch(/1234|5678|9012/);
  });

  it("stays where something else than Signoff says that there is nothing", async () => {
    const runId = await ask();
    await typed(runId, "kept");
    away = false;
    const proxy: typeof fetch = async () => Promise.resolve(new Response("<h1>Not found</h1>", { status: 404 }));
    const shown = watch(page("alice", { fetch: proxy }), runId);
    await until(shown, ({ status }) => status === "failed");
    expect(await onDevice()).toHaveLength(1);
    for (const client of clients) client.close();
    page();
    await saved(runId, "kept");
  });

  it("waits for the request that another tab knows of already", async () => {
    const runId = await ask();
    await typed(runId, "typed");
    const texts = new Texts(indexedDB, "drafts");
    for (const name of (await texts.all("signoff:draft:")).keys()) {
      await texts.update(name, (text) => JSON.stringify({ ...JSON.parse(text ?? "") as object, askedAt: "2999-01-01T00:00:00.000Z" }));
    }
    texts.close();
    away = false;
    const unsaved: typeof fetch = async (...args) => {
      if (new Request(...args).url.endsWith("/draft")) throw new TypeError("cut off");
      return fetch(...args);
    };
    const view = await open(page("alice", { fetch: unsaved }), runId);
    expect(view.getSnapshot().value).toBeUndefined();
    expect(await onDevice()).toHaveLength(1);
  });

  it("says which state of the request it was typed for", async () => {
    const runId = await ask();
    await typed(runId, "for the first");
    const operator = connect({ storage: memoryStorage() });
    await operator.send(runId, "revise", { id: "e1", payload: 2 });
    await until(operator.input(runId, KEY), ({ request }) => request?.revision === 1);
    away = false;
    await until(watch(page(), runId), ({ status, outdated, value }) => status === "saved" && outdated && value === "for the first");
  });

  it("is kept on the device alone where nobody is signed in", async () => {
    const runId = await ask();
    const client = page("", { token: () => null });
    const view = await open(client, runId);
    view.save("nobody's");
    expect(view.getSnapshot()).toMatchObject({ status: "off", value: "nobody's", kept: "browser" });
    await eventually(async () => (await onDevice()).length === 1);
    client.close();
    const again = await open(page("", { token: () => null }), runId);
    await until(again, ({ value }) => value === "nobody's");
    await again.discard();
    await eventually(async () => (await onDevice()).length === 0);
  });

  it("lasts as long as the tab where there is no database, and as the page where there is nothing", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const session = memoryStorage();
    vi.stubGlobal("sessionStorage", session);
    const runId = await ask();
    const client = page();
    const view = await open(client, runId);
    away = true;
    view.save("in private");
    await until(view, ({ status, kept }) => status === "waiting" && kept === "storage");
    client.close();
    const next = watch(page(), runId);
    await until(next, ({ value }) => value === "in private");
    vi.stubGlobal("sessionStorage", undefined);
    away = false;
    const bare = await open(page("bob"), runId);
    away = true;
    bare.save("lost with the page");
    await until(bare, ({ status, kept }) => status === "waiting" && kept === "memory");
  });
});

describe("secrets", () => {
  it("stay in the page: neither the device nor the server is told", async () => {
    const runId = await ask("login", null);
    const whole = { user: "alice", pin: "1234", spare: ["5678"], old: "9012" };
    await typed(runId, whole);
    expect(await onDevice()).toHaveLength(1);
    expect((await onDevice()).join()).not.toMatch(/1234|5678|9012/);
    away = false;
    await until(watch(page(), runId), ({ status }) => status === "saved");
    await saved(runId, { user: "alice" });
    const view = await open(page(), runId);
    view.save(whole);
    expect((await until(view, ({ status }) => status === "saved")).value).toStrictEqual(whole);
    await saved(runId, { user: "alice" });
  });

  it("are found wherever a schema or a form has them", () => {
    const schema = {
      $defs: { Key: { type: "string", writeOnly: true }, Pair: { properties: { left: { $ref: "#/$defs/Key" }, right: { type: "string" } } } },
      properties: { one: { $ref: "#/$defs/Pair" }, many: { items: { anyOf: [{ $ref: "#/$defs/Key" }, { type: "null" }] } }, name: { type: "string" } },
    };
    const value = { one: { left: "s", right: "r" }, many: ["s"], name: "n" };
    expect(withoutSecrets(value, inputRow({ schema }))).toStrictEqual({ one: { right: "r" }, name: "n" });
    expect(withoutSecrets({ approve: value }, inputRow({ schema }))).toStrictEqual({ approve: { one: { right: "r" }, name: "n" } });
    const whole = { type: "string", format: "password" };
    expect(withoutSecrets("s", inputRow({ schema: whole }))).toBeUndefined();
    expect(withoutSecrets(value, inputRow({ schema: {} }))).toBe(value);
  });
});

describe("the database", () => {
  it("of an earlier release keeps what is in it, and one of a later release is used as it is", async () => {
    const older = await opened(1, (database) => { for (const name of ["answers", "rows"]) database.createObjectStore(name); });
    await new Promise((resolve) => { older.transaction("answers", "readwrite").objectStore("answers").put("waits", "a").onsuccess = resolve; });
    older.close();
    const answers = new Texts(indexedDB, "answers");
    expect(await answers.get("a")).toBe("waits");
    expect(await new Texts(indexedDB, "drafts").update("d", () => "typed")).toBe("typed");
    const newer = await opened(9, () => undefined);
    newer.close();
    expect(await answers.get("a")).toBe("waits");
    answers.close();
  });
});

function opened(version: number, upgrade: (database: IDBDatabase) => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("signoff", version);
    request.onupgradeneeded = () => { upgrade(request.result); };
    request.onsuccess = () => { resolve(request.result); };
    request.onerror = () => { reject(new Error(String(request.error))); };
  });
}
