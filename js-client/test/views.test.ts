/** What is written, decided, said and done about runs and requests, against the real server. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { Readable, Row, Signoff, SignoffOptions, StandardSchema } from "../src/index.js";
import { quick } from "./support/network.js";
import { SignoffServer, tokenOf } from "./support/signoff.js";
import { until } from "./support/until.js";

const server = new SignoffServer();
let clients: Signoff[];
let stops: (() => void)[];
let count = 0;

beforeAll(async () => {
  await server.start();
});

afterAll(async () => {
  await server.remove();
});

beforeEach(() => {
  clients = [];
  stops = [];
});

afterEach(() => {
  for (const stop of stops) stop();
  for (const client of clients) client.close();
});

function connect(options: Partial<SignoffOptions> = {}): Signoff {
  const client = createSignoff({ url: server.url, timing: { ...quick, patience: 5_000, look: 30, draft: 10 }, storage: memoryStorage(), ...options });
  clients.push(client);
  return client;
}

function as(sub: string, options: Partial<SignoffOptions> = {}): Signoff {
  const token = tokenOf(sub, { groups: ["finance"], grants: ["run:read:*"] });
  return connect({ token: () => token, ...options });
}

async function start(workflow: string, input: unknown = null): Promise<string> {
  const runId = `${workflow}-${++count}`;
  expect(await connect().startRun({ workflow, input, runId })).toMatchObject({ ok: true });
  return runId;
}

/** Start a run, and wait until it asks. */
async function ask(workflow = "expense", input: unknown = 1): Promise<string> {
  const runId = await start(workflow, input);
  await until(connect().run(runId), ({ inputs }) => inputs.length > 0);
  return runId;
}

/** Keep looking at a view. */
function watch<V extends Readable<unknown>>(view: V): V {
  stops.push(view.subscribe(() => undefined));
  return view;
}

interface Seat extends Row {
  readonly price: number;
}

/** A validator as a library would make one. */
const seat: StandardSchema<Seat> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const row = value as Seat;
      return typeof row.price === "number" ? { value: { ...row, price: row.price * 100 } } : { issues: [{ message: "no number", path: ["price"] }] };
    },
  },
};

describe("an output, rows and the result of a run", () => {
  it("come as its step writes, again after it has failed, and once it is over", async () => {
    const client = connect();
    const runId = await start("talk", ["Hel", "lo"]);
    const [tokens, log] = [watch(client.output(runId, "tokens")), watch(client.output(runId, "log"))];
    const outcome = watch(client.outcome(runId));
    const rows = watch(client.rows(runId, "seat", seat));
    await until(rows, ({ connection }) => connection === "live");
    expect(tokens.getSnapshot()).toMatchObject({ connection: "connecting", text: "" });
    expect(outcome.getSnapshot()).toStrictEqual({ status: "pending" });
    await client.send(runId, "begin", { id: "e1", payload: null });

    expect(await until(outcome, ({ status }) => status !== "pending")).toStrictEqual({ status: "completed", output: "Hello" });
    const attempt = { step: "model:0", attempt: 2 };
    expect(await until(tokens, ({ connection }) => connection === "ended")).toStrictEqual({ connection: "ended", messages: ["Hel", "lo"], text: "Hello", attempt });
    expect(await until(log, ({ connection }) => connection === "ended")).toStrictEqual({ connection: "ended", messages: [], text: "attempt 2\n", attempt });
    const read = await until(rows, ({ connection }) => connection === "ended");
    expect(read.rows).toStrictEqual([{ id: "a1", price: 12_000, free: true }]);
    expect(read.unfit).toStrictEqual([{ row: { id: "a2", price: "dear", free: true }, issues: [{ message: "no number", path: ["price"] }] }]);
    expect(watch(client.rows<Seat>(runId, "seat")).getSnapshot().rows).toHaveLength(2);
  });

  it("that failed go on when an operator retries it", async () => {
    const client = connect();
    const runId = await start("brittle");
    const [tokens, outcome] = [watch(client.output(runId, "tokens")), watch(client.outcome(runId))];
    const failed = await until(outcome, ({ status }) => status === "failed");
    expect(failed).toMatchObject({ error: { outcome: "failed", run: { id: runId } } });
    expect(await until(tokens, ({ connection }) => connection === "ended")).toMatchObject({ text: "half" });
    const seen: string[] = [];
    stops.push(outcome.subscribe(() => { seen.push(outcome.getSnapshot().status); }));
    await client.verbs(runId).retry();
    expect(await until(outcome, ({ status }) => status === "completed")).toMatchObject({ output: "said" });
    expect(seen).toStrictEqual(["pending", "completed"]);
    expect(await until(tokens, ({ connection, text }) => connection === "ended" && text !== "half")).toMatchObject({ text: "all of it" });
  });

  it("of those who may not read the run are refused, and say so", async () => {
    const stranger = connect({ token: () => tokenOf("dave") });
    const runId = await start("talk", ["x"]);
    expect(await until(stranger.output(runId, "tokens"), ({ connection }) => connection === "failed")).toMatchObject({ error: { status: 403 } });
    expect(await until(stranger.outcome(runId), ({ status }) => status !== "pending")).toMatchObject({ status: "unknown", error: { problem: { status: 403 } } });
  });

  it("are not read by a schema that throws or answers later", async () => {
    const runId = await ask();
    const schema = (validate: StandardSchema["~standard"]["validate"]) => ({ "~standard": { version: 1 as const, vendor: "test", validate } });
    const later = await until(connect().rows(runId, "constructor", schema((value) => Promise.resolve({ value }))), ({ unfit }) => unfit.length > 0);
    expect(later).toMatchObject({ rows: [], unfit: [{ issues: [{ message: expect.stringContaining("asynchronously") as string }] }] });
    const broken = await until(connect().rows(runId, "constructor", schema(() => { throw new Error("broken"); })), ({ unfit }) => unfit.length > 0);
    expect(broken).toMatchObject({ rows: [], unfit: [{ issues: [{ message: "broken" }] }] });
  });
});

describe("the verbs of a run", () => {
  it("are done once however often they are pressed, and say what was refused", async () => {
    const client = connect();
    const runId = await ask();
    const verbs = watch(client.verbs(runId));
    const pausing = verbs.pause();
    expect(verbs.getSnapshot()).toStrictEqual({ pending: ["pause"] });
    expect(verbs.pause()).toBe(pausing);
    expect(await pausing).toMatchObject({ ok: true, run: { id: runId } });
    expect(verbs.getSnapshot()).toStrictEqual({ pending: [], done: "pause" });
    expect(await verbs.retry()).toMatchObject({ ok: false, problem: { status: 409 } });
    expect(verbs.getSnapshot()).toMatchObject({ pending: [], refused: { verb: "retry", problem: { status: 409 } } });
    expect(await verbs.terminate({ reason: "a duplicate" })).toMatchObject({ ok: true });
    expect(verbs.getSnapshot()).toStrictEqual({ pending: [], done: "terminate" });
  });
});

describe("a claim", () => {
  it("is one person's, is shown to the other, and is given back", async () => {
    const [alice, bob] = [as("alice"), as("bob")];
    const runId = await ask();
    const [hers, his] = [watch(alice.claim(runId, "approve:0")), watch(bob.claim(runId, "approve:0"))];
    await until(hers, ({ holder }) => holder === "nobody");
    const claiming = hers.claim({ for: "5m" });
    expect(hers.getSnapshot()).toMatchObject({ pending: "claim" });
    expect(hers.claim()).toBe(claiming);
    expect(await claiming).toMatchObject({ ok: true });
    expect(hers.getSnapshot()).toMatchObject({ holder: "me", by: { id: "user:alice" } });
    await until(his, ({ holder }) => holder === "another");
    expect(await his.claim()).toMatchObject({ ok: false, problem: { status: 409, code: "claimed" } });
    expect(his.getSnapshot()).toMatchObject({ holder: "another", by: { id: "user:alice" }, problem: { code: "claimed" } });
    await hers.release();
    expect(hers.getSnapshot().holder).toBe("nobody");
    await until(his, ({ holder }) => holder === "nobody");
  });

  it("is renewed while somebody looks, unless that was not wanted", async () => {
    const alice = as("alice");
    const [kept, short] = [await ask(), await ask()];
    const [renewed, once] = [alice.claim(kept, "approve:0"), alice.claim(short, "approve:0")];
    // Before anybody knows who is signed in.
    await Promise.all([renewed.claim({ for: 1 }), once.claim({ for: 1, renew: false })]);
    watch(renewed);
    watch(once);
    await until(renewed, ({ holder }) => holder === "me");
    const { until: first = "" } = renewed.getSnapshot();
    await until(renewed, (now) => now.until !== undefined && now.until > first);
    await until(once, ({ holder }) => holder === "nobody");
    expect(renewed.getSnapshot().holder).toBe("me");
  });
});

describe("votes", () => {
  it("are counted for each action, and one's own is known", async () => {
    const [alice, bob] = [as("alice"), as("bob")];
    const runId = await ask("board", null);
    const hers = watch(alice.votes(runId, "agree:0"));
    const request = watch(alice.input(runId, "agree:0"));
    await until(request, (now) => now.request !== undefined);
    expect(await request.answer({ action: "approve", value: true })).toMatchObject({ status: "voted" });
    const voted = await until(hers, ({ mine }) => mine !== undefined);
    expect(voted).toMatchObject({ quorum: { need: 2 }, mine: { action: "approve" } });
    expect(voted.tally).toStrictEqual({ approve: { votes: 1, missing: 1 }, reject: { votes: 0, missing: 2 } });
    const his = await until(bob.votes(runId, "agree:0"), ({ votes }) => votes.length === 1);
    expect(his.mine).toBeUndefined();
  });
});

describe("comments", () => {
  it("stand there at once, and are said once", async () => {
    const [alice, bob] = [as("alice"), as("bob")];
    const runId = await ask();
    const [hers, his] = [watch(alice.comments(runId, "approve:0")), watch(bob.comments(runId, "approve:0"))];
    await until(hers, ({ connection }) => connection === "live");
    const adding = hers.add("Is this right?");
    expect(hers.getSnapshot().comments).toMatchObject([{ text: "Is this right?", status: "sending" }]);
    expect(await adding).toMatchObject({ status: "said" });
    const { comments } = await until(his, (now) => now.comments.length === 1);
    expect(comments).toMatchObject([{ text: "Is this right?", by: { id: "user:alice" }, status: "said" }]);
    expect(await until(hers, (now) => now.comments[0]?.by !== undefined)).toMatchObject({ comments: [{ text: "Is this right?", status: "said" }] });
  });

  it("outlast a server that is away, and say what was refused", async () => {
    let fails = 2;
    const lost: typeof fetch = async (...args) => {
      const reply = await fetch(...args);
      // Recorded, and the reply is lost.
      if (args[1]?.method === "POST" && fails-- > 0) throw new TypeError("gone");
      return reply;
    };
    const alice = as("alice", { fetch: lost });
    const runId = await ask();
    const hers = watch(alice.comments(runId, "approve:0"));
    expect(await hers.add("Once")).toMatchObject({ status: "said" });
    expect(await until(hers, ({ comments }) => comments[0]?.by !== undefined)).toMatchObject({ comments: [{ text: "Once" }] });
    const refused = await hers.add("x".repeat(3_000));
    expect(refused).toMatchObject({ status: "failed", problem: { status: 400 } });
    expect(hers.getSnapshot().comments).toHaveLength(2);
    expect(await hers.retry(refused.id)).toMatchObject({ status: "failed" });
    hers.dismiss(refused.id);
    expect(hers.getSnapshot().comments).toHaveLength(1);
  });

  it("are said of no request of another run that has got the id meanwhile", async () => {
    let reached = true;
    const alice = as("alice", { fetch: (...call) => (reached || call[1]?.method !== "POST" ? fetch(...call) : Promise.reject(new TypeError("gone"))) });
    const runId = await ask();
    const hers = watch(alice.comments(runId, "approve:0"));
    await until(hers, ({ connection }) => connection === "live");
    reached = false;
    const adding = hers.add("Fine with me.");
    for (const verb of ["terminate", "delete"] as const) expect(await connect().act(verb, runId)).toMatchObject({ ok: true });
    expect(await connect().startRun({ workflow: "expense", input: 1, runId })).toMatchObject({ ok: true, created: true });
    await until(connect().run(runId), ({ inputs }) => inputs.length > 0);
    reached = true;
    expect(await adding).toMatchObject({ status: "failed", problem: { code: "stale" } });
    expect((await until(connect().comments(runId, "approve:0"), ({ connection }) => connection === "live")).comments).toStrictEqual([]);
  });

  it("reach those who may not read the run, through their inbox", async () => {
    const plain = connect({ token: () => tokenOf("carol", { groups: ["finance"] }) });
    const runId = await ask();
    await watch(as("alice").comments(runId, "approve:0")).add("Look here");
    const { connection, comments } = await until(plain.comments(runId, "approve:0", ["group:finance"]), (now) => now.comments.length === 1);
    expect(connection).toBe("live");
    expect(comments).toMatchObject([{ text: "Look here", by: { id: "user:alice" } }]);
  });
});

describe("whoever is signed in next", () => {
  it("says nothing that another has said, and has nothing that another has claimed", async () => {
    const runId = await ask();
    let token = tokenOf("alice", { groups: ["finance"], grants: ["run:read:*"] });
    let away = false;
    const shared = connect({
      token: () => token,
      fetch: (...args) => (away && args[1]?.method === "POST" ? Promise.reject(new TypeError("gone")) : fetch(...args)),
    });
    const [comments, claim] = [watch(shared.comments(runId, "approve:0")), watch(shared.claim(runId, "approve:0"))];
    await claim.claim();
    expect(claim.getSnapshot().holder).toBe("me");
    away = true;
    const adding = comments.add("Mine");
    expect(comments.getSnapshot().comments).toHaveLength(1);
    token = tokenOf("bob", { groups: ["finance"], grants: ["run:read:*"] });
    expect(await adding).toMatchObject({ status: "failed", problem: { code: "person_changed" } });
    expect(comments.getSnapshot().comments).toStrictEqual([]);
    expect(claim.getSnapshot().holder).toBe("another");
    away = false;
    expect(await comments.add("His")).toMatchObject({ status: "said" });
    expect(await until(comments, (now) => now.comments[0]?.by !== undefined)).toMatchObject({ comments: [{ text: "His", by: { id: "user:bob" } }] });
  });
});

describe("a draft", () => {
  it("is saved while somebody types, is there on another device, and gone with the answer", async () => {
    const [desk, phone] = [as("alice"), as("alice")];
    const runId = await ask();
    const here = watch(desk.draft<{ amount: number }>(runId, "approve:0"));
    await until(here, ({ status }) => status === "empty");
    here.save({ amount: 1 });
    here.save({ amount: 12 });
    expect(here.getSnapshot()).toMatchObject({ status: "unsaved", value: { amount: 12 } });
    const saved = await until(here, ({ status }) => status === "saved");
    expect(saved).toMatchObject({ value: { amount: 12 }, elsewhere: false, outdated: false });

    const there = watch(phone.draft(runId, "approve:0"));
    expect(await until(there, ({ status }) => status === "saved")).toMatchObject({ value: { amount: 12 } });
    there.save({ amount: 120 });
    expect(await there.flush()).toBe(true);
    expect(await until(here, ({ elsewhere }) => elsewhere)).toMatchObject({ status: "saved", value: { amount: 120 } });

    const request = watch(phone.input(runId, "approve:0"));
    await until(request, (now) => now.request !== undefined);
    await request.answer({ action: "approve", value: { approved: true } });
    await until(here, ({ status }) => status === "off");
    expect(here.getSnapshot().value).toBeUndefined();
  });

  it("is thrown away on every device, and outdated when its request is revised", async () => {
    const [desk, phone] = [as("alice"), as("alice")];
    const runId = await ask();
    const [here, there] = [watch(desk.draft(runId, "approve:0")), watch(phone.draft(runId, "approve:0"))];
    here.save("half");
    await until(there, ({ value }) => value === "half");
    await connect().send(runId, "revise", { id: "e1", payload: 2 });
    await until(there, ({ outdated }) => outdated);
    expect(await there.discard()).toBe(true);
    expect(there.getSnapshot()).toMatchObject({ status: "empty" });
    await until(here, ({ value }) => value === undefined);
  });

  it("is not shown to whoever is signed in next, who has one of their own", async () => {
    const runId = await ask();
    let token = tokenOf("alice", { groups: ["finance"] });
    const shared = connect({ token: () => token });
    const view = watch(shared.draft(runId, "approve:0"));
    view.save("hers");
    await until(view, ({ status }) => status === "saved");
    token = tokenOf("bob", { groups: ["finance"] });
    shared.reconnect();
    await shared.send(runId, "nothing", { id: "e1", payload: null });
    await until(view, ({ status }) => status === "empty");
    expect(view.getSnapshot().value).toBeUndefined();
    view.save("his");
    expect(await until(view, ({ status }) => status === "saved")).toMatchObject({ value: "his" });
    const hers = await until(as("alice").draft(runId, "approve:0"), ({ status }) => status === "saved");
    expect(hers.value).toBe("hers");
  });

  it("is nobody's where nobody is signed in, and says what was refused", async () => {
    const runId = await ask();
    const nobody = watch(connect().draft(runId, "approve:0"));
    await until(nobody, ({ status }) => status === "off");
    const alice = watch(as("alice").draft(runId, "approve:0"));
    alice.save("x".repeat(70_000));
    const failed = await until(alice, ({ status }) => status === "failed");
    expect(failed.problem?.status).toBe(413);
    expect(failed.value).toHaveLength(70_000);
  });
});

describe("a wizard", () => {
  it("knows its pages, goes back with what was filled in, and on to the end", async () => {
    const alice = as("alice");
    const runId = await ask("onboarding", null);
    const wizard = watch(alice.wizard(runId));
    const answer = async (key: string, value: unknown): Promise<void> => {
      await until(wizard, ({ page }) => page?.key === key);
      const view = alice.input(runId, key);
      const { page } = wizard.getSnapshot();
      if (page === undefined) throw new Error("unreachable: the condition above");
      expect(await view.answer({ action: "submit", value, seen: page.request })).toMatchObject({ status: "accepted" });
    };
    const first = await until(wizard, ({ page }) => page !== undefined);
    expect(first).toMatchObject({ page: { key: "contact:0", title: "Who are you?", step: 1 }, step: 1, of: 3, progress: 0 });
    expect(first.previous).toBeUndefined();
    expect(await wizard.back()).toMatchObject({ status: "refused", problem: { code: "no_way_back" } });
    await answer("contact:0", { email: "a@b.c" });
    const second = await until(wizard, ({ page }) => page?.key === "address:0");
    expect(second).toMatchObject({ step: 2, previous: "contact:0", pages: [{ key: "contact:0", status: "answered" }, { key: "address:0", status: "open" }] });

    expect(await wizard.back({ city: "Ber" })).toMatchObject({ status: "accepted" });
    const again = await until(wizard, ({ page }) => page?.key === "contact:0");
    expect(again).toMatchObject({ step: 1, page: { request: { initial: { email: "a@b.c" } } }, pages: [{ key: "contact:0" }] });
    await answer("contact:0", { email: "a@b.d" });
    const address = await until(wizard, ({ page }) => page?.key === "address:0");
    expect(address.page?.request.initial).toStrictEqual({ city: "Ber" });
    await answer("address:0", { city: "Berlin" });
    await answer("consent:0", true);
    expect(await until(wizard, ({ outcome }) => outcome !== undefined)).toMatchObject({ outcome: "completed", progress: 1 });
  });
});
