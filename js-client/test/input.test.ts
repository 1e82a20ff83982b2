import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { InputRow, InputView, Signoff, SignoffOptions, Submission } from "../src/index.js";
import { AnswerServer } from "./support/answers.js";
import type { Act } from "./support/answers.js";
import { HandNetwork, never, quick } from "./support/network.js";
import { StreamServer, inputRow, message, runRow } from "./support/streams.js";
import { eventually, until } from "./support/until.js";

let streams: StreamServer;
let server: AnswerServer;
let clients: Signoff[];
let stops: (() => void)[];

beforeEach(async () => {
  clients = [];
  stops = [];
  streams = await new StreamServer().start();
  server = await new AnswerServer(streams, inputRow()).start();
  await streams.create("runs/r1", message("run", "insert", "r1", runRow()), message("input", "insert", "approve:0", inputRow()));
});

afterEach(async () => {
  for (const stop of stops) stop();
  for (const client of clients) client.close();
  await server.stop();
  await streams.stop();
});

function connect(options: Partial<SignoffOptions> = {}): Signoff {
  const client = createSignoff({ url: server.url, timing: quick, storage: memoryStorage(), ...options });
  clients.push(client);
  return client;
}

/** A view that somebody looks at and that shows its request. */
async function open(client = connect()): Promise<InputView> {
  const view = client.input("r1", "approve:0");
  stops.push(view.subscribe(() => undefined));
  await until(view, ({ request }) => request !== undefined);
  return view;
}

async function revise(change: Partial<InputRow>): Promise<InputRow> {
  const row = inputRow({ revision: 1, revised: "0000000000000003", ...change });
  server.row = row;
  await streams.append("runs/r1", message("input", "update", row.id, row));
  return row;
}

const approve = { action: "approve", value: { approved: true } };
const jwt = (sub: string) => `e30.${btoa(JSON.stringify({ sub }))}.`;
const staleReply = (row: InputRow): Act => ({ status: 409, body: { code: "stale", title: "It changed", row } });
const conflict = (code: string, row: InputRow): Act => ({ status: 409, body: { code, title: "No", row } });

describe("an answer", () => {
  it("is sent once, with what was seen, and is accepted and confirmed by the stream", async () => {
    const view = await open();
    const seen: string[] = [];
    stops.push(view.subscribe(() => seen.push(view.getSnapshot().submission.status)));
    const outcome = await view.answer(approve);
    expect(outcome).toMatchObject({ status: "accepted", offset: "0000000000000009", confirmed: true });
    expect(server.received).toStrictEqual([
      { submission_id: server.effects[0], action: "approve", value: { approved: true }, seen_offset: "0000000000000002", asked_at: inputRow().asked_at },
    ]);
    expect(view.getSnapshot().request).toMatchObject({ status: "answered", decided_by: { id: "user:alice" } });
    expect([...new Set(seen)]).toStrictEqual(["sending", "accepted"]);
  });

  it("shows the reply's row at once, and stays accepted if the stream is slow to tell", async () => {
    server.echo = false;
    const view = await open(connect({ timing: { ...quick, confirm: 50 } }));
    const outcome = await view.answer(approve);
    expect(outcome).toMatchObject({ status: "accepted", confirmed: false });
    expect(view.getSnapshot().request?.status).toBe("answered");
  });

  it("given twice by a double click is one promise and one request", async () => {
    server.acts = ["hold"];
    const view = await open();
    const [first, second] = [view.answer(approve), view.answer({ action: "approve", value: { approved: true } })];
    expect(second).toBe(first);
    await eventually(() => server.received.length === 1, "the answer");
    server.release();
    await first;
    expect(await view.answer(approve)).toMatchObject({ status: "accepted" });
    expect(server.received).toHaveLength(1);
  });

  it("is not overtaken by another one while it is on its way", async () => {
    server.acts = ["hold"];
    const view = await open();
    const first = view.answer(approve);
    const other = await view.answer({ action: "reject" });
    expect(other).toMatchObject({ status: "refused", problem: { code: "answer_in_flight", status: 0 } });
    expect(view.getSnapshot().submission.status).toBe("sending");
    await eventually(() => server.received.length === 1, "the answer");
    server.release();
    expect((await first).status).toBe("accepted");
    expect(await view.answer({ action: "reject" })).toMatchObject({ status: "decided", outcome: "already_decided" });
    expect(server.received).toHaveLength(1);
  });

  it("of nothing that was shown is not sent", async () => {
    const view = connect().input("r1", "approve:0");
    expect(await view.answer(approve)).toMatchObject({ status: "refused", problem: { code: "not_shown" } });
    expect(server.received).toStrictEqual([]);
  });

  it.each([["a cycle", () => { const value: unknown[] = []; value.push(value); return value; }], ["a bigint", () => 1n]])(
    "that cannot be JSON (%s) is refused here",
    async (_name, make) => {
      const view = await open();
      expect(await view.answer({ action: "approve", value: make() })).toMatchObject({ status: "refused", problem: { code: "not_json" } });
    },
  );

  it("without a value sends null", async () => {
    const view = await open();
    await view.answer({ action: "reject" });
    expect(server.received[0]?.value).toBeNull();
  });

  it("goes out under the token of its moment", async () => {
    const view = await open(connect({ token: () => Promise.resolve("t1") }));
    await view.answer(approve);
    expect(server.authorizations).toStrictEqual(["Bearer t1"]);
  });
});

describe("a network that fails", () => {
  it.each<[string, Act[]]>([
    ["the reply is lost", ["accept and reset"]],
    ["the connection is reset, twice", ["reset", "reset"]],
    ["the server restarts", [{ status: 503, body: "" }, { status: 502, body: "<html>Bad Gateway</html>" }]],
    ["the server is busy", [{ status: 429, body: {}, headers: { "Retry-After": "0" } }]],
    ["a captive portal says 200", [{ status: 200, body: "<html>Sign in to the wifi</html>" }]],
  ])("because %s is tried again with the same id, and counts once", async (_name, acts) => {
    server.acts = [...acts];
    const view = await open();
    expect(await view.answer(approve)).toMatchObject({ status: "accepted" });
    expect(server.received).toHaveLength(acts.length + 1);
    expect(new Set(server.received.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(server.effects).toHaveLength(1);
  });

  it("is waited out, and the answer goes out when it is back", async () => {
    const network = new HandNetwork();
    const view = await open(connect({ network, timing: { ...quick, submit: never } }));
    await server.stop();
    network.online = false;
    const answering = view.answer(approve);
    const waiting = await until(view, ({ submission }) => submission.status === "waiting-for-network");
    expect(waiting.submission).toMatchObject({ action: "approve", problem: { code: "network" } });
    expect(view.answer(approve)).toBe(answering);
    await server.start();
    network.online = true;
    network.wake("online");
    expect((await answering).status).toBe("accepted");
    expect(server.effects).toHaveLength(1);
  });

  it("of the token provider is waited out, too", async () => {
    let fails = 0;
    const token = () => (fails-- > 0 ? Promise.reject(new TypeError("fetch failed")) : "t1");
    const view = await open(connect({ token }));
    fails = 2;
    expect((await view.answer(approve)).status).toBe("accepted");
    expect(server.received).toHaveLength(1);
  });
});

describe("an answer nobody watches", () => {
  it("is given with the row that was seen, even before the token provider works", async () => {
    let fails = 2;
    const token = () => (fails-- > 0 ? Promise.reject(new TypeError("fetch failed")) : "t1");
    const view = connect({ token }).input("r1", "approve:0");
    expect(await view.answer({ ...approve, seen: inputRow() })).toMatchObject({ status: "accepted", confirmed: false });
    expect(server.received).toMatchObject([{ seen_offset: "0000000000000002" }]);
  });
});

describe("a sign-in that fails", () => {
  const unauthorized: Act = { status: 401, body: { code: "unauthorized", title: "The token has expired" } };

  it.each<[string, () => unknown]>([
    ["hangs", () => new Promise(() => undefined)],
    ["rejects", () => Promise.reject(new TypeError("fetch failed"))],
    ["throws", () => { throw new Error("no"); }],
    ["gives nothing", () => undefined],
  ])("because its provider %s is bounded and tried again: the answer goes out", async (_name, provide) => {
    let failing = 0;
    const token = () => (failing-- > 0 ? provide() : jwt("alice")) as string;
    const view = await open(connect({ token, timing: { ...quick, token: 30 } }));
    const seen: (string | undefined)[] = [];
    stops.push(view.subscribe(() => {
      const { submission } = view.getSnapshot();
      seen.push(submission.status === "waiting-for-network" ? submission.problem.code : submission.status);
    }));
    failing = 2;
    expect((await view.answer(approve)).status).toBe("accepted");
    expect(seen).toContain("token_unavailable");
    expect(server.received).toHaveLength(1);
  });

  it("because the token has expired waits for a better one, and asks for it", async () => {
    let good = true;
    const token = () => (good ? jwt("alice") : `${jwt("alice")}old`);
    const view = await open(connect({ token }));
    good = false;
    server.acts = Array.from({ length: 6 }, () => unauthorized);
    const answering = view.answer(approve);
    const waiting = await until(view, ({ submission }) => submission.status === "waiting-for-network");
    expect(waiting.submission).toMatchObject({ problem: { status: 401, title: "The token has expired" } });
    good = true;
    expect((await answering).status).toBe("accepted");
    expect(server.effects).toHaveLength(1);
  });

  it("where there is no sign-in is a refusal", async () => {
    server.acts = [unauthorized];
    const view = await open();
    expect(await view.answer(approve)).toMatchObject({ status: "refused", problem: { status: 401 } });
  });
});

describe("a screen that throws", () => {
  it("keeps neither the answer nor the other screens from going on", async () => {
    const reported: unknown[] = [];
    vi.stubGlobal("reportError", (error: unknown) => reported.push(error));
    const view = await open();
    const fault = new Error("a listener's own");
    stops.push(view.subscribe(() => { throw fault; }));
    const seen: string[] = [];
    stops.push(view.subscribe(() => seen.push(view.getSnapshot().submission.status)));
    expect((await view.answer(approve)).status).toBe("accepted");
    expect([...new Set(seen)]).toStrictEqual(["sending", "accepted"]);
    expect(new Set(reported)).toStrictEqual(new Set([fault]));
    vi.unstubAllGlobals();
  });
});

describe("a reload", () => {
  it("while the token is being asked for loses nothing: the answer was stored before", async () => {
    const storage = memoryStorage();
    let hangs = false;
    const token = () => (hangs ? new Promise<string>(() => undefined) : jwt("alice"));
    const before = connect({ storage, token });
    const view = await open(before);
    hangs = true;
    void view.answer(approve);
    expect(storage.length).toBe(1);
    before.close();
    expect(server.received).toStrictEqual([]);
    connect({ storage, token: () => jwt("alice") });
    await eventually(() => server.effects.length === 1 && storage.length === 0, "the answer to be delivered");
  });

  it("while the first token is being asked for loses nothing if the page says who is signed in", async () => {
    const storage = memoryStorage();
    const before = connect({ storage, person: "alice", token: () => new Promise<string>(() => undefined) });
    void before.input("r1", "approve:0").answer({ ...approve, seen: inputRow() });
    expect(storage.length).toBe(1);
    before.close();
    connect({ storage, person: "alice", token: () => "opaque" });
    await eventually(() => server.effects.length === 1 && storage.length === 0, "the answer to be delivered");
  });

  it("waits for a provider that fails at first, and then takes the answer up", async () => {
    const storage = memoryStorage();
    server.acts = ["hold"];
    const before = connect({ storage, token: () => jwt("alice") });
    void (await open(before)).answer(approve);
    await eventually(() => server.received.length === 1, "the answer");
    before.close();
    let fails = 2;
    const token = () => (fails-- > 0 ? Promise.reject(new Error("no")) : jwt("alice"));
    const after = connect({ storage, token });
    const view = after.input("r1", "approve:0");
    expect(view.getSnapshot().submission).toStrictEqual({ status: "idle" });
    await eventually(() => storage.length === 0, "the answer to be delivered");
    expect((await until(view, ({ submission }) => submission.status !== "idle")).submission.status).toBe("accepted");
    expect(server.effects).toHaveLength(1);
  });

  it.each<[string, Act, string]>([
    ["accepted", "accept", "accepted"],
    ["refused", { status: 403, body: { code: "not_in_audience", title: "No" } }, "refused"],
    ["decided", { status: 409, body: { code: "expired", title: "No", row: inputRow({ status: "expired" }) } }, "decided"],
  ])("whose answer is %s before its component mounts still shows that", async (_name, act, status) => {
    const storage = memoryStorage();
    server.acts = ["hold", act];
    const before = connect({ storage });
    void (await open(before)).answer(approve);
    await eventually(() => server.received.length === 1, "the answer");
    before.close();
    const after = connect({ storage });
    await eventually(() => after.input("r1", "approve:0").getSnapshot().submission.status === status, "the outcome");
    const view = after.input("r1", "approve:0");
    stops.push(view.subscribe(() => undefined));
    expect(view.getSnapshot().submission.status).toBe(status);
  });

  it("takes an unfinished answer up again by itself, with its id", async () => {
    const storage = memoryStorage();
    server.acts = ["hold"];
    const before = connect({ storage });
    void (await open(before)).answer(approve);
    await eventually(() => server.received.length === 1, "the answer");
    expect(storage.length).toBe(1);
    before.close();

    const view = connect({ storage }).input("r1", "approve:0");
    expect(view.getSnapshot().submission).toMatchObject({ status: "sending", action: "approve" });
    const done = await until(view, ({ submission }) => submission.status === "accepted");
    expect(done.submission).toMatchObject({ submissionId: server.received[0]?.submission_id });
    expect(storage.length).toBe(0);
    server.release();
    expect(new Set(server.received.map(({ submission_id }) => submission_id)).size).toBe(1);
  });

  it("does so even if nobody opens the request", async () => {
    const storage = memoryStorage();
    const before = connect({ storage });
    const view = await open(before);
    await server.stop();
    void view.answer(approve);
    await eventually(() => storage.length === 1, "the answer to be stored");
    before.close();
    await server.start();
    connect({ storage });
    await eventually(() => server.effects.length === 1 && storage.length === 0, "the answer to be delivered");
    expect(server.received[0]?.action).toBe("approve");
  });

  it("under another person's name sends nothing, and keeps the answer for its author", async () => {
    const storage = memoryStorage();
    server.acts = ["hold"];
    const before = connect({ storage, token: () => jwt("alice") });
    void (await open(before)).answer(approve);
    await eventually(() => server.received.length === 1, "the answer");
    before.close();

    const view = await open(connect({ storage, token: () => jwt("bob") }));
    await until(view, ({ submission }) => submission.status === "idle");
    expect(server.received).toHaveLength(1);
    expect(storage.length).toBe(1);

    connect({ storage, token: () => jwt("alice") });
    await eventually(() => server.effects.length === 1 && storage.length === 0, "Alice's answer");
    server.release();
    expect(server.received.at(-1)?.submission_id).toBe(server.received[0]?.submission_id);
  });
});

describe("the next person at the same browser", () => {
  it("neither sees nor overwrites what the last one left, and both answers reach the server under their own names", async () => {
    const storage = memoryStorage();
    server.acts = ["hold", { status: 403, body: { code: "no", title: "No" } }];
    const hers = connect({ storage, token: () => jwt("alice") });
    void (await open(hers)).answer(approve);
    await eventually(() => server.received.length === 1, "Alice's answer");
    hers.close();

    const his = connect({ storage, token: () => jwt("bob") });
    const shown: string[] = [];
    const view = his.input("r1", "approve:0");
    stops.push(view.subscribe(() => shown.push(JSON.stringify(view.getSnapshot().submission))));
    await until(view, ({ request }) => request !== undefined);
    expect(new Set(shown)).toStrictEqual(new Set(['{"status":"idle"}']));
    expect(his.undelivered.getSnapshot().answers).toStrictEqual([]);
    await view.answer({ action: "reject" });
    his.close();
    expect(storage.length).toBe(1);

    connect({ storage, token: () => jwt("alice") });
    await eventually(() => server.effects.length === 1 && storage.length === 0, "Alice's answer to be delivered");
    const { authorizations, received } = server;
    expect(authorizations).toStrictEqual(["alice", "bob", "alice"].map((sub) => `Bearer ${jwt(sub)}`));
    expect(received.map(({ action }) => action)).toStrictEqual(["approve", "reject", "approve"]);
    expect(received[2]?.submission_id).toBe(received[0]?.submission_id);
  });

  it("is sent nothing of the last one's where the tokens do not tell them apart", async () => {
    const storage = memoryStorage();
    server.acts = ["hold"];
    const hers = connect({ storage, token: () => "opaque-a" });
    void (await open(hers)).answer(approve);
    await eventually(() => server.received.length === 1, "the answer");
    expect(hers.undelivered.getSnapshot().kept).toBe("memory");
    hers.close();
    const his = connect({ storage, token: () => "opaque-b" });
    const view = await open(his);
    expect(view.getSnapshot().submission).toStrictEqual({ status: "idle" });
    expect(storage.length).toBe(0);
    expect(server.received).toHaveLength(1);
  });

  it("in the same client does not go on with the last one's answer, who finds it when back", async () => {
    let sub = "alice";
    const storage = memoryStorage();
    const view = await open(connect({ storage, token: () => jwt(sub) }));
    server.acts = ["reset"];
    const answering = view.answer(approve);
    await eventually(() => server.received.length === 1, "the first try");
    sub = "bob";
    expect(await answering).toStrictEqual({ status: "idle" });
    const sent = server.received.length;
    expect((await view.answer(approve)).status).toBe("accepted");
    expect(server.received.slice(sent)).toHaveLength(1);
    expect(server.received.at(-1)?.submission_id).not.toBe(server.received[0]?.submission_id);
    expect(server.authorizations.at(-1)).toBe(`Bearer ${jwt("bob")}`);
    expect(storage.length).toBe(1);
  });
});

describe("what an answer came to", () => {
  it.each<[string, Act]>([
    ["accepted", "accept"],
    ["invalid", { status: 422, body: { code: "invalid_answer", title: "No", errors: [] } }],
    ["stale", { status: 409, body: { code: "stale", title: "No", row: inputRow({ revision: 1 }) } }],
    ["refused", { status: 403, body: { code: "no", title: "No" } }],
  ])("(%s) is not shown to whoever signs in next in the same client", async (status, act) => {
    let sub = "alice";
    const client = connect({ token: () => jwt(sub) });
    const view = await open(client);
    server.acts = [act];
    expect((await view.answer(approve)).status).toBe(status);
    sub = "bob";
    await client.cancelRun("r1");
    expect(view.getSnapshot().submission).toStrictEqual({ status: "idle" });
  });
});

describe("a refusal whose page is gone", () => {
  const stale: Act = { status: 409, body: { code: "stale", title: "It changed", row: inputRow({ revision: 1 }) } };

  /** Alice's answer, left behind by a closed page. */
  async function leftBehind(storage = memoryStorage()) {
    server.acts = ["hold"];
    const before = connect({ storage, token: () => jwt("alice") });
    void (await open(before)).answer(approve);
    await eventually(() => server.received.length === 1, "the answer");
    before.close();
    server.acts = [stale];
    return storage;
  }

  it("stands in a live list, outlives another reload, and is put away once read", async () => {
    const storage = await leftBehind();
    const client = connect({ storage, token: () => jwt("alice") });
    const { answers } = await until(client.undelivered, (now) => now.answers.length === 1);
    expect(answers).toMatchObject([
      { runId: "r1", key: "approve:0", ...approve, submissionId: server.received[0]?.submission_id, outcome: { status: "stale" } },
    ]);
    client.close();

    const again = connect({ storage, token: () => jwt("alice") });
    stops.push(again.input("r1", "approve:0").subscribe(() => undefined));
    const still = await until(again.undelivered, (now) => now.answers.length === 1);
    expect(still.answers).toStrictEqual(answers);
    expect(still.kept).toBe("storage");
    again.undelivered.dismiss(answers[0]?.submissionId ?? "");
    expect(again.undelivered.getSnapshot().answers).toStrictEqual([]);
    expect(storage.length).toBe(0);
    expect(server.received).toHaveLength(2);
  });

  it("is nobody else's to read", async () => {
    const storage = await leftBehind();
    const client = connect({ storage, token: () => jwt("alice") });
    await until(client.undelivered, (now) => now.answers.length === 1);
    client.close();
    const other = connect({ storage, token: () => jwt("bob") });
    const view = await open(other);
    expect(other.undelivered.getSnapshot().answers).toStrictEqual([]);
    expect(view.getSnapshot().submission.status).toBe("idle");
    expect(storage.length).toBe(1);
  });

  it("is read where the request itself shows it, and replaced by the next answer", async () => {
    const client = connect({ storage: await leftBehind(), token: () => jwt("alice") });
    await until(client.undelivered, (now) => now.answers.length === 1);
    const view = client.input("r1", "approve:0");
    stops.push(view.subscribe(() => undefined));
    expect((await until(view, ({ request }) => request !== undefined)).submission.status).toBe("stale");
    view.acknowledge();
    expect(client.undelivered.getSnapshot().answers).toStrictEqual([]);
    expect((await view.answer(approve)).status).toBe("accepted");
  });

  it("is listed too when the person has only gone to another page of the same client", async () => {
    server.acts = ["hold"];
    const client = connect();
    await open(client);
    void client.input("r1", "approve:0").answer(approve);
    await eventually(() => server.received.length === 1, "the answer");
    for (const stop of stops.splice(0)) stop();
    server.heldAct = stale;
    server.release();
    const { answers } = await until(client.undelivered, (now) => now.answers.length === 1);
    expect(answers).toMatchObject([{ outcome: { status: "stale" } }]);
  });

  it("is not listed for whoever holds the answer's promise and never looked", async () => {
    server.acts = [stale];
    const client = connect();
    expect(await client.input("r1", "approve:0").answer({ ...approve, seen: inputRow() })).toMatchObject({ status: "stale" });
    expect(client.undelivered.getSnapshot().answers).toStrictEqual([]);
  });
});

describe("an answer that does not fit", () => {
  const invalid: Act = { status: 422, body: { code: "invalid_answer", title: "No", errors: [{ pointer: "/amount", message: "too much" }] } };

  it("is invalid, by place; the corrected one has a new id", async () => {
    server.acts = [invalid];
    const view = await open();
    const outcome = await view.answer({ action: "approve", value: { amount: 9 } });
    expect(outcome).toMatchObject({ status: "invalid", errors: [{ pointer: "/amount", message: "too much" }], value: { amount: 9 } });
    expect(view.getSnapshot().request?.status).toBe("pending");
    expect((await view.answer({ action: "approve", value: { amount: 1 } })).status).toBe("accepted");
    const ids = server.received.map(({ submission_id }) => submission_id);
    expect(new Set(ids).size).toBe(2);
  });

  it("sent again as it was has a new id, since the workflow says of one id the same for ever", async () => {
    server.acts = [invalid];
    const view = await open();
    await view.answer(approve);
    expect((await view.answer(approve)).status).toBe("accepted");
    expect(new Set(server.received.map(({ submission_id }) => submission_id)).size).toBe(2);
  });

  it("may be dismissed", async () => {
    server.acts = [invalid];
    const view = await open();
    await view.answer(approve);
    view.acknowledge();
    expect(view.getSnapshot().submission).toStrictEqual({ status: "idle" });
  });
});

describe("an answer that the workflow judges", () => {
  const judged = (): Act => ({ status: 202, body: { outcome: "validating", offset: "0000000000000003", txid: "s", row: inputRow({ status: "validating" }) } });

  it("is asked about under its id until there is a verdict", async () => {
    server.acts = [judged(), judged()];
    const view = await open();
    const seen: string[] = [];
    stops.push(view.subscribe(() => seen.push(view.getSnapshot().submission.status)));
    expect((await view.answer(approve)).status).toBe("accepted");
    expect(seen.filter((status, n) => status !== seen[n - 1]).slice(0, 3)).toStrictEqual(["sending", "validating", "accepted"]);
    expect(new Set(server.received.map(({ submission_id }) => submission_id)).size).toBe(1);
    expect(server.received).toHaveLength(3);
  });

  it("is sent no more by itself if the validator failed", async () => {
    server.acts = [{ status: 503, body: { code: "not_validated", title: "The answer could not be checked", row: inputRow({}) } }];
    const view = await open();
    expect(await view.answer(approve)).toMatchObject({ status: "refused", problem: { code: "not_validated" } });
    expect((await view.answer(approve)).status).toBe("accepted");
    expect(new Set(server.received.map(({ submission_id }) => submission_id)).size).toBe(1);
  });

  it("is not taken while another one is judged", async () => {
    server.acts = [conflict("validating", inputRow({ status: "validating" }))];
    const view = await open();
    expect(await view.answer(approve)).toMatchObject({ status: "refused", problem: { code: "validating" } });
  });
});

describe("a request that changes under the person's eyes", () => {
  it("is stale for what was shown, waits to be acknowledged, and is then answered under a new id", async () => {
    const view = await open();
    const revised = await revise({ show: { amount: 9_000 } });
    const changed = await until(view, ({ request }) => request?.revision === 1);
    expect(changed.shown).toStrictEqual({ asked_at: inputRow().asked_at, revision: 0, revised: "0000000000000002" });

    server.acts = [staleReply(revised)];
    expect(await view.answer(approve)).toStrictEqual({ status: "stale", ...approve, row: revised });
    expect((await view.answer(approve)).status).toBe("stale");
    expect(server.received).toHaveLength(1);

    view.acknowledge();
    expect(view.getSnapshot()).toMatchObject({ submission: { status: "idle" }, shown: { revision: 1 } });
    expect((await view.answer(approve)).status).toBe("accepted");
    const [first, second] = server.received;
    expect([first?.seen_offset, second?.seen_offset]).toStrictEqual(["0000000000000002", "0000000000000003"]);
    expect(second?.submission_id).not.toBe(first?.submission_id);
  });

  it("is known from the reply before the stream tells", async () => {
    const view = await open();
    const revised = inputRow({ revision: 1, revised: "0000000000000003", show: { amount: 9_000 } });
    server.acts = [staleReply(revised)];
    await view.answer(approve);
    expect(view.getSnapshot().request).toStrictEqual(revised);
  });

  it("needs no second look if the change was acknowledged, or the row passed along", async () => {
    const view = await open();
    const revised = await revise({});
    await until(view, ({ request }) => request?.revision === 1);
    await view.answer({ ...approve, seen: revised });
    expect(server.received[0]?.seen_offset).toBe("0000000000000003");

    view.seen(revised);
    expect(view.getSnapshot().shown?.revision).toBe(1);
    view.seen(inputRow());
    expect(view.getSnapshot().shown?.revision).toBe(1);
  });

  it("is shown anew to whoever comes back later", async () => {
    const view = await open();
    for (const stop of stops.splice(0)) stop();
    await eventually(() => view.getSnapshot().shown !== undefined, "the first look");
    await revise({});
    await eventually(() => view.getSnapshot().shown === undefined, "the look to be forgotten");
    stops.push(view.subscribe(() => undefined));
    const now = await until(view, ({ request }) => request?.revision === 1);
    expect(now.shown?.revision).toBe(1);
  });
});

describe("a request of a run whose id another has got", () => {
  const later = (change: Partial<InputRow> = {}): InputRow => inputRow({ asked_at: "2026-03-01T10:00:00.000Z", show: { amount: 9_000 }, ...change });

  /** The run was deleted, and another asks at the same place and offset. */
  async function replace(row: InputRow): Promise<void> {
    server.row = row;
    await streams.append("runs/r1", message("input", "update", row.id, row));
  }

  it("is not the one that was shown, and takes no answer that was meant for that", async () => {
    const view = await open();
    await replace(later());
    await until(view, ({ request }) => request?.asked_at === later().asked_at);
    expect(await view.answer(approve)).toStrictEqual({ status: "stale", ...approve, row: later() });
    expect(server.effects).toStrictEqual([]);
    view.acknowledge();
    expect(view.getSnapshot().shown?.asked_at).toBe(later().asked_at);
    expect((await view.answer(approve)).status).toBe("accepted");
    const [first, second] = server.received;
    expect([first?.asked_at, second?.asked_at]).toStrictEqual([inputRow().asked_at, later().asked_at]);
    expect(second?.submission_id).not.toBe(first?.submission_id);
  });

  it("is asked anew, though its offsets begin anew, to whoever had answered before", async () => {
    const view = await open();
    await view.answer(approve);
    await replace(later({ revised: "0000000000000001" }));
    expect(await until(view, ({ submission }) => submission.status === "idle")).toMatchObject({ request: later({ revised: "0000000000000001" }) });
    view.seen(later({ revised: "0000000000000001" }));
    expect(view.getSnapshot().shown?.asked_at).toBe(later().asked_at);
    view.seen(inputRow());
    expect(view.getSnapshot().shown?.asked_at).toBe(later().asked_at);
  });

  it("is answered as it stands by whoever does not say which they were shown", async () => {
    const view = await open();
    await replace(later());
    const { revised } = later();
    expect((await view.answer({ ...approve, seen: { revised } })).status).toBe("accepted");
    expect(server.received[0]).not.toHaveProperty("asked_at");
  });
});

describe("a request that is settled otherwise", () => {
  it.each(["already_decided", "expired", "withdrawn", "run_closed"] as const)("is decided: %s", async (code) => {
    const row = inputRow({ status: "answered", decided_by: { kind: "person", id: "user:bob" } });
    server.acts = [conflict(code, row)];
    const view = await open();
    expect(await view.answer(approve)).toStrictEqual({ status: "decided", outcome: code, row, by: { kind: "person", id: "user:bob" } });
    expect(view.getSnapshot().request).toStrictEqual(row);
    await view.answer(approve);
    expect(server.received).toHaveLength(1);
  });

  it("asks again if its run is rewound", async () => {
    const view = await open();
    await view.answer(approve);
    await revise({});
    const again = await until(view, ({ request }) => request?.status === "pending");
    expect(again.submission).toStrictEqual({ status: "idle" });
  });

  it("is another request if its run is rewound to before it was asked, though it counts its revisions anew", async () => {
    const view = await open();
    const first = await revise({ revision: 4 });
    view.acknowledge();
    await view.answer(approve);
    const anew = inputRow({ revision: 0, revised: "0000000000000009" });
    server.row = anew;
    await streams.append("runs/r1", message("input", "delete", first.id), message("input", "insert", anew.id, anew));
    const again = await until(view, ({ request }) => request?.revised === anew.revised);
    expect(again).toMatchObject({ request: anew, submission: { status: "idle" } });
  });
});

describe("a refusal", () => {
  it.each([400, 403, 404, 413])("with %i is a state, and the same answer may be tried again under its id", async (status) => {
    server.acts = [{ status, body: { code: "no", title: "No" } }];
    const view = await open();
    const outcome: Submission = await view.answer(approve);
    expect(outcome).toMatchObject({ status: "refused", problem: { status, code: "no", title: "No" } });
    await view.answer(approve);
    expect(new Set(server.received.map(({ submission_id }) => submission_id)).size).toBe(1);
  });

  it("of the id itself makes the next answer a new one", async () => {
    server.acts = [{ status: 409, body: { code: "submission_reused", title: "No" } }];
    const view = await open();
    await view.answer(approve);
    await view.answer(approve);
    expect(new Set(server.received.map(({ submission_id }) => submission_id)).size).toBe(2);
  });
});

describe("somebody who is asked but may not read the run", () => {
  it("sees the request by asking for it, and answers it", async () => {
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const view = await open();
    expect(view.getSnapshot()).toMatchObject({ connection: "live", request: { status: "pending" } });
    expect((await view.answer(approve)).status).toBe("accepted");
    expect((await until(view, ({ connection }) => connection === "ended")).request?.status).toBe("answered");
  });

  it("has the reply for a confirmation, there being no stream to wait for", async () => {
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const view = await open(connect({ timing: { ...quick, confirm: 3_600_000 } }));
    expect(await view.answer(approve)).toMatchObject({ status: "accepted", confirmed: true });
  });

  it("follows the stream as soon as that may be read", async () => {
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 2, method: "GET" });
    const timing = { ...quick, poll: 3_600_000, recover: { first: 10, most: 20, factor: 2 } };
    const view = await open(connect({ timing }));
    await revise({ title: "Now?" });
    expect((await until(view, ({ request }) => request?.title === "Now?")).connection).toBe("live");
  });

  it("is asked for again after a sign-in that had ended", async () => {
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const view = await open();
    server.refuseReads = 401;
    await until(view, ({ connection }) => connection === "failed");
    server.refuseReads = undefined;
    clients[0]?.reconnect();
    expect((await until(view, ({ connection }) => connection === "live")).error).toBeUndefined();
  });

  it("takes nobody else's page for the request", async () => {
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const view = await open();
    server.portal = true;
    const lost = await until(view, ({ connection }) => connection === "reconnecting");
    expect(lost).toMatchObject({ error: { code: "bad_reply" }, request: { id: "approve:0" } });
    server.portal = false;
    expect((await until(view, ({ connection }) => connection === "live")).error).toBeUndefined();
  });

  it("hears of a change within a poll", async () => {
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const view = await open();
    server.row = inputRow({ revision: 1, revised: "0000000000000003", title: "Now?" });
    const changed = await until(view, ({ request }) => request?.title === "Now?");
    expect(changed.shown?.revision).toBe(0);
  });
});

describe("an answer that the stream is slow to show", () => {
  it("is confirmed when it does, however late", async () => {
    server.echo = false;
    const view = await open(connect({ timing: { ...quick, confirm: 10 } }));
    expect(await view.answer(approve)).toMatchObject({ status: "accepted", confirmed: false });
    await streams.append("runs/r1", message("input", "update", "approve:0", server.row));
    const late = await until(view, ({ submission }) => submission.status === "accepted" && submission.confirmed);
    expect(late.request?.status).toBe("answered");
  });
});

describe("the other calls", () => {
  it("terminate and retry a run, with the reason where there is one", async () => {
    const client = connect();
    server.acts = [
      { status: 200, body: { run: runRow({ id: "r9", status: "cancelled" }) } },
      { status: 200, body: { run: runRow({ id: "r9" }) } },
      { status: 403, body: { code: "forbidden", title: "No" } },
    ];
    expect(await client.terminate("r9", { reason: "stuck" })).toStrictEqual({ ok: true, run: runRow({ id: "r9", status: "cancelled" }) });
    expect(await client.retry("r9")).toStrictEqual({ ok: true, run: runRow({ id: "r9" }) });
    expect(await client.retry("r9")).toMatchObject({ ok: false, problem: { code: "forbidden", status: 403 } });
    expect(server.received).toStrictEqual([{ reason: "stuck" }, {}, {}]);
    expect(server.paths).toStrictEqual(["/v1/runs/r9/terminate", "/v1/runs/r9/retry", "/v1/runs/r9/retry"]);
  });

  it("do to a run what is asked, with the body that it takes", async () => {
    const client = connect();
    server.acts = [
      { status: 200, body: { run: runRow({ id: "r9" }) } },
      { status: 201, body: { run: runRow({ id: "r10" }) } },
      { status: 404, body: { code: "unknown_command", title: "No" } },
    ];
    expect(await client.act("rewind", "r9", { to: "pay:0", after: true })).toStrictEqual({ ok: true, run: runRow({ id: "r9" }) });
    expect(await client.act("fork", "r9")).toStrictEqual({ ok: true, run: runRow({ id: "r10" }) });
    // @ts-expect-error a rewind says to where
    expect(await client.act("rewind", "r9")).toMatchObject({ ok: false, problem: { code: "unknown_command", status: 404 } });
    expect(server.received).toStrictEqual([{ to: "pay:0", after: true }, {}, {}]);
    expect(server.paths).toStrictEqual(["/v1/runs/r9/rewind", "/v1/runs/r9/fork", "/v1/runs/r9/rewind"]);
  });

  it("take no success for one that is not from Signoff, such as a captive portal's", async () => {
    const client = connect();
    const portal = { status: 200, body: "<html>Sign in to the wifi</html>" };
    server.acts = [portal, portal, portal, portal, portal];
    const calls = [
      client.startRun({ workflow: "expense" }),
      client.cancelRun("r9"),
      client.terminate("r9"),
      client.retry("r9"),
      client.send("r9", "paid", { id: "e1", payload: 1 }),
    ];
    for (const reply of await Promise.all(calls)) expect(reply).toMatchObject({ ok: false, problem: { code: "bad_reply" } });
  });

  it("give problems as values", async () => {
    const client = connect();
    server.acts = [
      { status: 201, body: { run: runRow({ id: "r9" }), stream: "x", offset: "1" } },
      { status: 200, body: { run: runRow({ id: "r9" }), stream: "x", offset: "1" } },
      { status: 409, body: { code: "run_closed", title: "It is over" } },
      { status: 202, body: { accepted: true, duplicate: true } },
    ];
    expect(await client.startRun({ workflow: "expense", runId: "r9" })).toStrictEqual({ ok: true, run: runRow({ id: "r9" }), created: true });
    expect(await client.startRun({ workflow: "expense", runId: "r9" })).toMatchObject({ ok: true, created: false });
    expect(await client.cancelRun("r9", "no more")).toMatchObject({ ok: false, problem: { code: "run_closed" } });
    expect(await client.send("r9", "paid", { id: "e1", payload: 1 })).toStrictEqual({ ok: true, duplicate: true });
    await server.stop();
    expect(await client.cancelRun("r9")).toMatchObject({ ok: false, problem: { code: "network", status: 0 } });
  });
});
