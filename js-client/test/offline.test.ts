import { IDBDatabase, IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { InputView, Signoff, SignoffOptions, SubmissionStorage } from "../src/index.js";
import { Texts } from "../src/idb.js";
import { KeptRows } from "../src/kept-rows.js";
import { SubmissionStore } from "../src/storage.js";
import { AnswerServer } from "./support/answers.js";
import { TabLocks } from "./support/locks.js";
import { HandNetwork, never, quick as patient } from "./support/network.js";
import { StreamServer, inputRow, message, runRow } from "./support/streams.js";
import { eventually, until } from "./support/until.js";

const quick = { ...patient, confirm: 20 };

let streams: StreamServer;
let server: AnswerServer;
let clients: Signoff[];
let stops: (() => void)[];

beforeEach(async () => {
  clients = [];
  stops = [];
  browser();
  streams = await new StreamServer().start();
  server = await new AnswerServer(streams, inputRow()).start();
  server.echo = false;
  await streams.create("runs/r1", message("run", "insert", "r1", runRow()), message("input", "insert", "approve:0", inputRow()));
});

afterEach(async () => {
  for (const stop of stops) stop();
  for (const client of clients) client.close();
  await server.stop();
  await streams.stop();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A browser with nothing in it, whose pages are the clients of this test. */
function browser(database: object = new IDBFactory()): void {
  vi.stubGlobal("indexedDB", database);
  vi.stubGlobal("IDBKeyRange", IDBKeyRange);
  vi.stubGlobal("navigator", { locks: new TabLocks() });
}

/** A page of this browser; with `session` for its sessionStorage. */
function page(options: Partial<SignoffOptions> = {}, session?: SubmissionStorage): Signoff {
  vi.stubGlobal("sessionStorage", session);
  const client = createSignoff({ url: server.url, timing: quick, ...options });
  clients.push(client);
  return client;
}

async function open(client: Signoff): Promise<InputView> {
  const view = client.input("r1", "approve:0");
  stops.push(view.subscribe(() => undefined));
  await until(view, ({ request }) => request !== undefined);
  return view;
}

/** Answer while the server is away, until that has been tried in vain. */
async function queue(client: Signoff): Promise<void> {
  const view = await open(client);
  await server.stop();
  void view.answer(approve);
  await until(client.undelivered, ({ queued }) => queued.length === 1);
}

/** Let a person see the request on a page that keeps what is seen, and close that. */
async function look(options: Partial<SignoffOptions> = {}): Promise<void> {
  const client = page({ keep: true, ...options });
  await open(client);
  client.close();
}

const approve = { action: "approve", value: { approved: true } };
const jwt = (sub: string) => `e30.${btoa(JSON.stringify({ sub }))}.`;
const stale = () => ({ status: 409, body: { code: "stale", title: "It changed", row: inputRow({ revision: 1, revised: "0000000000000003" }) } });
const ids = () => [...new Set(server.received.map(({ submission_id }) => submission_id))];

describe("an answer that waits", () => {
  it("outlives its page, and is delivered by the next one under its id", async () => {
    const before = page();
    await queue(before);
    const [waiting] = before.undelivered.getSnapshot().queued;
    expect(before.undelivered.getSnapshot()).toMatchObject({ kept: "browser", answers: [] });
    expect(waiting).toMatchObject({ runId: "r1", key: "approve:0", ...approve });
    expect(Date.parse(waiting?.givenAt ?? "")).toBeGreaterThan(Date.now() - 60_000);
    before.close();
    await server.start();
    const after = page();
    await eventually(() => server.effects.length === 1, "the answer to be delivered");
    expect(ids()).toStrictEqual([waiting?.submissionId]);
    await until(after.undelivered, ({ queued }) => queued.length === 0);
    after.close();
    const last = page();
    await open(last);
    expect(last.input("r1", "approve:0").getSnapshot().submission.status).toBe("idle");
    expect(ids()).toHaveLength(1);
  });

  it("is none to a run that has got the id of its own meanwhile, and its author is told", async () => {
    const before = page();
    await queue(before);
    before.close();
    server.row = inputRow({ asked_at: "2026-03-01T10:00:00.000Z" });
    await server.start();
    const after = page();
    const { answers } = await until(after.undelivered, (shown) => shown.answers.length === 1);
    expect(answers).toMatchObject([{ ...approve, outcome: { status: "stale", row: { asked_at: server.row.asked_at } } }]);
    expect(server.effects).toStrictEqual([]);
    expect(server.received.map(({ asked_at }) => asked_at)).toContain(inputRow().asked_at);
  });

  it("goes out though an older page has kept it, which did not say for which request it was", async () => {
    const storage = memoryStorage();
    const kept = { runId: "r1", key: "approve:0", submissionId: "s1", ...approve, seenOffset: inputRow().revised, by: null };
    new SubmissionStore(storage, server.url).save(kept);
    page({ storage });
    await eventually(() => server.effects.length === 1, "the answer to be delivered");
    expect(server.received).toStrictEqual([{ submission_id: "s1", ...approve, seen_offset: inputRow().revised }]);
  });

  it("is shown by every tab, with how often it was tried", async () => {
    const other = page({ network: new HandNetwork(), timing: { ...quick, submit: never } });
    const view = await open(other);
    await queue(page());
    expect((await until(view, ({ submission }) => submission.status === "waiting-for-network")).submission).toMatchObject(approve);
    const { queued } = await until(other.undelivered, (shown) => (shown.queued[0]?.tries ?? 0) > 2);
    expect(queued).toHaveLength(1);
    expect(await view.answer({ action: "reject" })).toMatchObject({ status: "refused", problem: { code: "answer_in_flight" } });
  });

  it("is sent by one tab, and all see what came of it", async () => {
    const networks = [new HandNetwork(), new HandNetwork()];
    const timing = { ...quick, submit: never };
    const [first, second] = networks.map((network) => page({ network, timing })) as [Signoff, Signoff];
    const views = [await open(first), await open(second)];
    await queue(first);
    await until(second.undelivered, ({ queued }) => queued.length === 1);
    for (const view of views) await until(view, ({ submission }) => submission.status === "waiting-for-network");
    server.acts = ["hold"];
    await server.start();
    for (const network of networks) network.wake("online");
    await eventually(() => server.received.length === 1, "the answer");
    for (const view of views) await until(view, ({ submission }) => submission.status === "sending");
    server.release();
    for (const view of views) await until(view, ({ submission }) => submission.status === "accepted");
    expect(server.received).toHaveLength(1);
    for (const client of [first, second]) await until(client.undelivered, ({ queued }) => queued.length === 0);
  });

  it("goes out from another tab when the one that gave it is gone, or cannot sign in any more", async () => {
    const hers = page({ token: () => jwt("alice") });
    await queue(hers);
    server.acts = Array.from({ length: 4 }, () => ({ status: 401, body: { code: "unauthorized", title: "Expired" } }));
    const other = page({ token: () => jwt("alice") });
    hers.close();
    await server.start();
    await eventually(() => server.effects.length === 1, "the answer to be delivered");
    expect(ids()).toHaveLength(1);
    await until(other.undelivered, ({ queued }) => queued.length === 0);
  });

  it("is neither shown to nor sent for anybody else at this browser", async () => {
    const hers = page({ token: () => jwt("alice") });
    await queue(hers);
    hers.close();
    await server.start();
    const his = page({ token: () => jwt("bob") });
    const view = await open(his);
    expect(view.getSnapshot().submission).toStrictEqual({ status: "idle" });
    expect(his.undelivered.getSnapshot()).toMatchObject({ queued: [], answers: [] });
    expect(server.received).toStrictEqual([]);
    page({ token: () => jwt("alice") });
    await eventually(() => server.effects.length === 1, "her answer");
    expect(new Set(server.authorizations)).toStrictEqual(new Set([`Bearer ${jwt("alice")}`]));
  });

  it("given in two tabs at the same moment is sent in order, one at a time", async () => {
    const views = [await open(page()), await open(page())] as const;
    server.acts = ["hold"];
    const first = views[0].answer(approve);
    const second = views[1].answer({ action: "reject" });
    await eventually(() => server.received.length === 1, "the first");
    server.acts = [{ status: 409, body: { code: "already_decided", title: "No", row: inputRow({ status: "answered" }) } }];
    server.release();
    expect((await first).status).toBe("accepted");
    expect((await second).status).toBe("decided");
    expect(server.received.map(({ action }) => action)).toStrictEqual(["approve", "reject"]);
  });
});

describe("an answer given in the only tab", () => {
  it("waits for no lock; one given once there is another tab waits for its turn", async () => {
    const held = new TabLocks();
    let waiting = 0;
    let grant = (): void => undefined;
    const granted = new Promise<void>((resolve) => { grant = resolve; });
    const request: TabLocks["request"] = async (name, ...given) => {
      // As in a browser, whose answer comes when the page has drawn what the click did.
      if (name.includes("answer")) waiting++;
      if (name.includes("answer")) await granted;
      return held.request(name, ...given);
    };
    vi.stubGlobal("navigator", { locks: { request, query: held.query } });
    const client = page();
    expect((await (await open(client)).answer(approve)).status).toBe("accepted");
    expect(waiting).toBe(1);

    const r2 = { run_id: "r2" };
    await streams.create("runs/r2", message("run", "insert", "r2", runRow({ id: "r2" })), message("input", "insert", "approve:0", inputRow(r2)));
    await open(page());
    await eventually(() => held.asked.filter((name) => name.includes("here")).length === 2, "the other tab");
    const view = client.input("r2", "approve:0");
    stops.push(view.subscribe(() => undefined));
    await until(view, ({ request: row }) => row !== undefined);
    const answering = view.answer(approve);
    await eventually(() => waiting > 1, "its turn");
    expect(server.received).toHaveLength(1);
    grant();
    await answering;
    expect(server.received).toHaveLength(2);
  });
});

describe("an answer that waited and came to nothing", () => {
  it("stands among the undelivered in every page, until its author dismisses it", async () => {
    const before = page();
    await queue(before);
    before.close();
    await server.start();
    server.acts = [stale()];
    const later = page();
    const { answers } = await until(later.undelivered, (shown) => shown.answers.length === 1);
    expect(answers[0]).toMatchObject({ ...approve, outcome: { status: "stale", row: { revision: 1 } } });
    expect(answers[0]?.tries).toBeGreaterThan(0);
    later.undelivered.dismiss("another");
    later.close();
    const [one, other] = [page(), page()];
    for (const client of [one, other]) await until(client.undelivered, (shown) => shown.answers.length === 1);
    one.undelivered.dismiss(answers[0]?.submissionId ?? "");
    await until(other.undelivered, (shown) => shown.answers.length === 0);
    expect(server.received).toHaveLength(1);
  });

  it("does so too if its page is there and nobody looks at it", async () => {
    const network = new HandNetwork();
    const client = page({ network, timing: { ...quick, submit: never } });
    await queue(client);
    await server.start();
    server.acts = [stale()];
    network.hidden = true;
    network.wake("online");
    await until(client.undelivered, (shown) => shown.answers.length === 1);
    client.input("r1", "approve:0").acknowledge();
    expect(client.undelivered.getSnapshot().answers).toStrictEqual([]);
  });

  it("is not dismissed while it waits", async () => {
    const client = page();
    await queue(client);
    client.undelivered.dismiss(client.undelivered.getSnapshot().queued[0]?.submissionId ?? "");
    expect(client.undelivered.getSnapshot().queued).toHaveLength(1);
  });
});

describe("a browser without IndexedDB", () => {
  const refusing = (): object => ({ open: () => { throw new DOMException("no", "SecurityError"); } });

  it.each([["none", undefined], ["one that refuses", refusing()]])("(%s) keeps answers for the tab, and says so", async (_name, database) => {
    vi.stubGlobal("indexedDB", database);
    const session = memoryStorage();
    const before = page({}, session);
    await queue(before);
    expect(before.undelivered.getSnapshot().kept).toBe("storage");
    before.close();
    await server.start();
    page({}, session);
    await eventually(() => server.effects.length === 1 && session.length === 0, "the answer to be delivered");
    expect(ids()).toHaveLength(1);
  });

  it("and without sessionStorage keeps them for the page, and says so", async () => {
    browser(refusing());
    const client = page();
    await queue(client);
    expect(client.undelivered.getSnapshot().kept).toBe("memory");
    await server.start();
    await eventually(() => server.effects.length === 1, "the answer to be delivered");
    await until(client.undelivered, ({ queued }) => queued.length === 0);
  });

  it("is no other than one whose database goes away while it is used", async () => {
    const session = memoryStorage();
    const client = page({}, session);
    const view = await open(client);
    vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(() => { throw new DOMException("full", "QuotaExceededError"); });
    await server.stop();
    void view.answer(approve);
    await until(client.undelivered, ({ kept, queued }) => kept === "storage" && queued.length === 1);
    expect(session.length).toBe(1);
    await server.start();
    await eventually(() => server.effects.length === 1 && session.length === 0, "the answer to be delivered");
  });
});

describe("what a page left in its tab", () => {
  it("before the database had it, or before there was one, is taken over and delivered", async () => {
    const session = memoryStorage();
    vi.stubGlobal("indexedDB", undefined);
    const before = page({}, session);
    await queue(before);
    before.close();
    browser();
    const after = page({}, session);
    expect(after.input("r1", "approve:0").getSnapshot().submission.status).toBe("sending");
    await eventually(() => session.length === 0, "the database to have it");
    after.close();
    await server.start();
    page();
    await eventually(() => server.effects.length === 1, "the answer to be delivered");
    expect(ids()).toHaveLength(1);
  });
});

describe("what is shown offline", () => {
  it("says since when it may be old, and no longer when it is current again", async () => {
    const client = page({ connections: "stream" });
    const view = await open(client);
    const run = client.run("r1");
    stops.push(run.subscribe(() => undefined));
    expect((await until(run, ({ connection }) => connection === "live")).asOf).toBeUndefined();
    const before = Date.now();
    await server.stop();
    const old = await until(run, ({ connection }) => connection === "reconnecting");
    expect(Date.parse(old.asOf ?? "")).toBeLessThanOrEqual(Date.now());
    expect(Date.parse(old.asOf ?? "")).toBeGreaterThan(before - 60_000);
    expect((await until(view, ({ connection }) => connection === "reconnecting")).asOf).toBe(old.asOf);
    const { asOf } = await until(run, ({ error }) => error !== old.error);
    expect(asOf).toBe(old.asOf);
    await server.start();
    expect(await until(run, ({ connection }) => connection === "live")).not.toHaveProperty("asOf");
    expect(await until(view, ({ connection }) => connection === "live")).not.toHaveProperty("asOf");
  });

  it("says so of a request, too, that is asked for again and again", async () => {
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const view = await open(page());
    expect(view.getSnapshot().asOf).toBeUndefined();
    server.portal = true;
    const old = await until(view, ({ connection }) => connection === "reconnecting");
    expect(Date.parse(old.asOf ?? "")).toBeLessThanOrEqual(Date.now());
  });

  it("is what an earlier page has kept, with its age, and can be answered", async () => {
    await look();
    await server.stop();
    const later = page({ keep: true });
    const view = await open(later);
    const shown = view.getSnapshot();
    expect(shown).toMatchObject({ connection: "reconnecting", request: { id: "approve:0" }, shown: { revision: 0 } });
    expect(Date.parse(shown.asOf ?? "")).toBeLessThanOrEqual(Date.now());
    void view.answer(approve);
    await until(later.undelivered, ({ queued }) => queued.length === 1);
    await server.start();
    expect((await until(view, ({ submission }) => submission.status === "accepted")).submission).toMatchObject(approve);
    expect(server.received[0]?.seen_offset).toBe("0000000000000002");
    expect((await until(view, ({ connection }) => connection === "live")).asOf).toBeUndefined();
  });

  it("is nothing that others saw, that was not to be kept, or that has been forgotten", async () => {
    const hers = { token: () => jwt("alice") };
    await look(hers);
    await server.stop();
    const shows = async (options: Partial<SignoffOptions>): Promise<boolean> => {
      const view = page({ keep: true, ...options }).run("r1");
      stops.push(view.subscribe(() => undefined));
      const errors = new Set<unknown>();
      const { run } = await until(view, (shown) => shown.run !== undefined || errors.add(shown.error).size > 6);
      return run !== undefined;
    };
    expect(await shows({ token: () => jwt("bob") })).toBe(false);
    expect(await shows({ token: () => "opaque" })).toBe(false);
    expect(await shows({ ...hers, keep: false })).toBe(false);
    expect(await shows({ token: () => Promise.reject(new Error("offline")), person: "alice" })).toBe(true);
    await page().forget();
    expect(await shows(hers)).toBe(false);
  });

  it("is nothing that may not be read any more", async () => {
    await look();
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const view = page({ keep: true }).run("r1");
    stops.push(view.subscribe(() => undefined));
    expect((await until(view, ({ connection }) => connection === "failed")).run).toBeUndefined();
    for (const client of clients) client.close();
    await server.stop();
    const later = page({ keep: true }).run("r1");
    stops.push(later.subscribe(() => undefined));
    expect((await until(later, ({ connection, error }) => connection === "reconnecting" && error !== undefined)).run).toBeUndefined();
  });
});

describe("kept rows", () => {
  const kept = () => new KeptRows({ database: indexedDB, base: "http://a", person: () => "alice" });
  const known = (asOf: number, text = "") => () => ({ asOf: new Date(asOf).toISOString(), rows: new Map([["run", [{ id: "r1", text }]]]) });

  it("are of so many streams, the oldest going first", async () => {
    const rows = kept();
    rows.personIs();
    for (let one = 0; one < 60; one++) {
      rows.of(`s${one}`).changed(known(one * 1_000));
      rows.of(`s${one}`).left();
    }
    await expect.poll(async () => rows.of("s0").load()).toBeUndefined();
    const left = await Promise.all(Array.from({ length: 60 }, (_item, one) => rows.of(`s${one}`).load()));
    expect(left.map((found) => found !== undefined)).toStrictEqual(left.map((_found, one) => one >= 10));
    rows.close();
  });

  it("are of no stream that is very long, and have so many characters in all", async () => {
    const rows = kept();
    rows.personIs();
    for (let one = 0; one < 13; one++) {
      rows.of(`s${one}`).changed(known(one * 1_000, "x".repeat(400_000)));
      rows.of(`s${one}`).left();
    }
    rows.of("long").changed(known(99_000, "x".repeat(600_000)));
    rows.of("long").left();
    await expect.poll(async () => rows.of("s0").load()).toBeUndefined();
    expect(await rows.of("s12").load()).toBeDefined();
    expect(await rows.of("long").load()).toBeUndefined();
    rows.close();
  });

  it.each(["", "{", "[]", '{"asOf":1,"rows":[]}', '{"asOf":"x","rows":[["run",[{"id":1}]]]}'])("ignore %j", async (text) => {
    await new Texts(indexedDB, "rows").update(JSON.stringify(["http://a", "alice", "s"]), () => text);
    const rows = kept();
    rows.personIs();
    expect(await rows.of("s").load()).toBeUndefined();
    rows.close();
  });
});
