/** The client against the real server: the whole way from asking to the end of the run. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSignoff, inputKey, memoryStorage } from "../src/index.js";
import type { CommentRow, InputView, Readable, Signoff, SignoffOptions } from "../src/index.js";
import { SilentProxy, quick } from "./support/network.js";
import { SignoffServer, tokenOf } from "./support/signoff.js";
import { eventually, until } from "./support/until.js";

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
  const client = createSignoff({ url: server.url, timing: { ...quick, patience: 5_000 }, storage: memoryStorage(), ...options });
  clients.push(client);
  return client;
}

async function startRun(amount = 120): Promise<string> {
  const runId = `run-${++count}`;
  const started = await connect().startRun({ workflow: "expense", input: amount, runId });
  expect(started).toMatchObject({ ok: true, created: true, run: { id: runId } });
  return runId;
}

async function open(client: Signoff, runId: string): Promise<InputView> {
  const view = client.input(runId, "approve:0");
  stops.push(view.subscribe(() => undefined));
  await until(view, ({ request }) => request !== undefined);
  return view;
}

const approve = { action: "approve", value: { approved: true } };

describe("a run on a real server", () => {
  it("asks, refuses what does not fit, accepts what does, and ends", async () => {
    const client = connect();
    const runId = await startRun();
    const run = client.run(runId);
    stops.push(run.subscribe(() => undefined));
    const view = await open(client, runId);
    expect(view.getSnapshot().request).toMatchObject({ title: "Approve 120?", show: { amount: 120 }, status: "pending" });

    const invalid = await view.answer({ action: "approve", value: { approved: "perhaps", amount: -1 } });
    expect(invalid.status).toBe("invalid");
    if (invalid.status === "invalid") {
      expect(invalid.errors.map(({ pointer }) => pointer).sort()).toStrictEqual(["/amount", "/approved"]);
    }
    expect(view.getSnapshot().request?.status).toBe("pending");

    expect(await view.answer(approve)).toMatchObject({ status: "accepted", confirmed: true });
    const ended = await until(run, ({ connection }) => connection === "ended");
    expect(ended.run).toMatchObject({ status: "completed", output: "approve by local" });
    expect(ended.inputs[0]).toMatchObject({ status: "answered", action: "approve", decided_by: { kind: "operator" } });
    expect(ended.rows("stamp")).toStrictEqual([{ id: "s1", action: "approve" }]);
  });

  it("reaches a person through the inbox, who answers without being allowed to read the run", async () => {
    const finance = { groups: ["finance"] };
    const alice = connect({ token: () => tokenOf("alice", finance) });
    const bob = connect({ token: () => tokenOf("bob", { ...finance, grants: ["run:read:*"] }) });
    const runId = await startRun(75);
    const inbox = alice.inbox(["user:alice", "group:finance"]);
    stops.push(inbox.subscribe(() => undefined));
    const { requests } = await until(inbox, (now) => now.requests.some(({ run_id }) => run_id === runId));
    const row = requests.find(({ run_id }) => run_id === runId);
    if (row === undefined) throw new Error("unreachable: the condition above");

    const [hers, his] = [await open(alice, row.run_id), await open(bob, row.run_id)];
    expect(inputKey(row)).toBe("approve:0");
    expect((await hers.answer(approve)).status).toBe("accepted");
    const late = await his.answer({ action: "reject", value: { approved: false } });
    expect(late).toMatchObject({ status: "decided", outcome: "already_decided", by: { kind: "person", id: "user:alice" } });
    await until(inbox, (now) => now.requests.every(({ run_id }) => run_id !== runId));
  });

  it("is claimed, talked about, and what has no method is asked for by fetch", async () => {
    const alice = connect({ token: () => tokenOf("alice", { groups: ["finance"] }) });
    const runId = await startRun(76);
    const inbox = alice.inbox("group:finance");
    stops.push(inbox.subscribe(() => undefined));
    await until(inbox, (now) => now.requests.some(({ run_id }) => run_id === runId));
    expect(await alice.actOnInput("claim", runId, "approve:0")).toMatchObject({ ok: true, input: { claim: { by: { id: "user:alice" } } } });
    expect(await alice.actOnInput("comment", runId, "approve:0", { text: "Mine." })).toMatchObject({ ok: true });
    const said = (now: typeof inbox extends Readable<infer S> ? S : never) => now.rows<CommentRow>("comment").filter(({ run_id }) => run_id === runId);
    expect(said(await until(inbox, (now) => said(now).length > 0))).toMatchObject([{ text: "Mine.", by: { id: "user:alice" } }]);
    expect(await alice.actOnInput("withdraw", runId, "approve:0", { reason: "no" })).toMatchObject({ ok: false, problem: { status: 403 } });
    expect(await (await alice.fetch("/v1/me")).json()).toMatchObject({ person: "user:alice", operator: false });
  });

  it("refuses those who were not asked", async () => {
    const runId = await startRun();
    const carol = connect({ token: () => tokenOf("carol", { grants: ["run:read:*"] }) });
    const view = await open(carol, runId);
    expect(await view.answer(approve)).toMatchObject({ status: "refused", problem: { status: 403, code: "not_in_audience" } });
    const stranger = connect({ token: () => tokenOf("dave") }).input(runId, "approve:0");
    expect((await until(stranger, ({ connection }) => connection === "failed")).error).toMatchObject({ status: 403 });
  });

  it("revised while a person reads it is stale, shown again, then approved", async () => {
    const client = connect();
    const runId = await startRun();
    const view = await open(client, runId);
    expect(await client.send(runId, "revise", { id: "e1", payload: 9_000 })).toMatchObject({ ok: true });
    await until(view, ({ request }) => request?.revision === 1);
    const stale = await view.answer(approve);
    expect(stale).toMatchObject({ status: "stale", row: { revision: 1, show: { amount: 9_000 } } });
    view.acknowledge();
    expect((await view.answer(approve)).status).toBe("accepted");
  });

  it("deleted while an answer waits for the network takes none to the run that gets its id", async () => {
    const runId = await startRun();
    const operator = connect();
    let reached = true;
    const client = connect({ fetch: (...call) => (reached ? fetch(...call) : Promise.reject(new TypeError("no network"))) });
    const view = await open(client, runId);
    const first = view.getSnapshot().request;
    reached = false;
    const answered = view.answer(approve);
    await until(client.undelivered, ({ queued }) => queued.length === 1);
    for (const verb of ["terminate", "delete"] as const) expect(await operator.act(verb, runId)).toMatchObject({ ok: true });
    expect(await operator.startRun({ workflow: "expense", input: 120, runId })).toMatchObject({ ok: true, created: true });
    const now = await open(operator, runId);
    const second = now.getSnapshot().request;
    expect([second?.revised, second?.show]).toStrictEqual([first?.revised, first?.show]);

    reached = true;
    const refused = await answered;
    expect(refused).toMatchObject({ status: "stale", row: { asked_at: second?.asked_at, status: "pending" } });
    const reply = await operator.fetch(`/v1/runs/${runId}/inputs/approve:0`);
    expect(await reply.json()).toMatchObject({ input: { status: "pending", asked_at: second?.asked_at } });
    view.acknowledge();
    expect((await view.answer(approve)).status).toBe("accepted");
  });

  it("cancelled under a person's hands is decided", async () => {
    const client = connect();
    const runId = await startRun();
    const view = await open(client, runId);
    expect(await client.cancelRun(runId, "no longer needed")).toMatchObject({ ok: true });
    await until(view, ({ request }) => request?.status === "withdrawn");
    const answered = await view.answer(approve);
    expect(answered.status).toBe("decided");
    await until(view, ({ connection }) => connection === "ended");
    expect(await client.cancelRun(runId)).toMatchObject({ ok: false, problem: { status: 409, code: "run_closed" } });
  });

  it("gives its result to whoever waits, or says why there is none", async () => {
    const client = connect();
    const [approved, cancelled] = [await startRun(), await startRun()];
    const results = [client.result(approved), client.result(cancelled)];
    const refused = expect(results[1]).rejects.toMatchObject({ name: "RunEndedError", outcome: "cancelled", run: { id: cancelled } });
    await (await open(client, approved)).answer(approve);
    await client.cancelRun(cancelled);
    expect(await results[0]).toBe("approve by local");
    await refused;
  });

  it("is terminated whatever it waits for, and whoever waits for it is told", async () => {
    const client = connect();
    const runId = await startRun();
    const view = await open(client, runId);
    const ended = expect(client.result(runId)).rejects.toMatchObject({ name: "RunEndedError", outcome: "cancelled", code: "terminated" });
    expect(await client.terminate(runId, { reason: "no longer needed" })).toMatchObject({ ok: true, run: { id: runId, status: "cancelled" } });
    await ended;
    await until(view, ({ request }) => request?.status === "withdrawn");
    expect(await view.answer(approve)).toMatchObject({ status: "decided" });
    expect(await client.terminate(runId)).toMatchObject({ ok: false, problem: { status: 409, code: "run_closed" } });
    expect(await client.retry(runId)).toMatchObject({ ok: false, problem: { status: 409 } });
  });

  it("is terminated and retried by those who may, and by nobody else", async () => {
    const runId = await startRun();
    const carol = connect({ token: () => tokenOf("carol", { grants: ["run:read:*"] }) });
    expect(await carol.terminate(runId)).toMatchObject({ ok: false, problem: { status: 403 } });
    expect(await carol.retry(runId)).toMatchObject({ ok: false, problem: { status: 403 } });
    expect(await connect().terminate("nobody-started-this")).toMatchObject({ ok: false, problem: { status: 404 } });
    expect(await connect().retry("nobody-started-this")).toMatchObject({ ok: false, problem: { status: 404 } });
  });

  it("that is stuck is tried again, and whoever waits for its result gets it", async () => {
    const client = connect();
    const runId = `run-${++count}`;
    await client.startRun({ workflow: "stuck", runId });
    const run = client.run(runId);
    stops.push(run.subscribe(() => undefined));
    const result = client.result(runId);
    const blocked = await until(run, (now) => now.run?.status === "blocked", 15_000);
    expect(blocked).toMatchObject({ connection: "live", run: { error: { code: "workflow_stuck" } } });
    expect(blocked.outcome).toBeUndefined();
    expect(await client.retry(runId)).toMatchObject({ ok: true, run: { id: runId } });
    expect(await result).toBe("came through");
    expect(run.getSnapshot().run).toMatchObject({ status: "completed", error: null });
  });

  it("that failed says what its workflow said, and is terminated for good", async () => {
    const client = connect();
    const runId = `run-${++count}`;
    await client.startRun({ workflow: "failing", runId });
    const message = `Run ${runId} failed: The ledger of ${runId} is closed.`;
    await expect(client.result(runId)).rejects.toMatchObject({ outcome: "failed", code: "public_error", message });
    expect(await client.terminate(runId)).toMatchObject({ ok: true, run: { status: "cancelled", error: { code: "terminated" } } });
    await expect(client.result(runId)).rejects.toMatchObject({ outcome: "cancelled", code: "terminated" });
  });

  it("shows rows under the names its workflow chose", async () => {
    const runId = await startRun();
    const { connection, rows } = await until(connect().run(runId), ({ inputs }) => inputs.length === 1);
    expect(connection).toBe("live");
    expect(JSON.stringify(rows("constructor"))).toBe('[{"$schema":"urn:s","$id":"urn:i","__proto__":{"x":1},"id":"toString"}]');
  });

  it("is not mistaken for all runs by a name that is a path", async () => {
    const client = connect();
    const runId = await startRun();
    const view = await open(client, runId);
    expect(await client.send("..", "revise", { id: "e1", payload: 9_000 })).toMatchObject({ ok: false, problem: { code: "invalid_name" } });
    expect(await client.send(runId, "revise", { id: "e2", payload: 7_000 })).toMatchObject({ ok: true });
    expect((await until(view, ({ request }) => request?.revision === 1)).request).toMatchObject({ show: { amount: 7_000 } });
  });

  it("shows an inbox and a listing nobody ever wrote to as empty", async () => {
    const client = connect();
    expect((await until(client.inbox("group:nobody"), ({ connection }) => connection === "live")).requests).toStrictEqual([]);
    expect((await until(client.runs("nothing"), ({ connection }) => connection === "live")).runs).toStrictEqual([]);
  });

  it("that does not exist fails, with the problem", async () => {
    const failed = await until(connect().run("nobody-started-this"), ({ connection }) => connection === "failed");
    expect(failed.error).toMatchObject({ status: 404 });
  });

  it("lists its workflow's runs", async () => {
    const runId = await startRun();
    const { runs } = await until(connect().runs("expense"), (now) => now.runs.some(({ id }) => id === runId));
    expect(runs[0]).toMatchObject({ id: runId, workflow: "expense" });
  });
});

describe("a connection that dies in silence", () => {
  it("is told from a quiet one by the server's own signs of life, and followed anew", async () => {
    const runId = await startRun();
    const proxy = new SilentProxy();
    const far = connect({ url: await proxy.start(server.url), timing: { ...quick, silence: 1_500, patience: 5_000 } });
    const run = far.run(runId);
    stops.push(run.subscribe(() => undefined));
    await until(run, ({ inputs }) => inputs.length === 1);
    const [dials, pieces] = [proxy.dials, proxy.pieces];
    await eventually(() => proxy.pieces > pieces + 20, "signs of life for longer than the silence that is borne");
    expect(run.getSnapshot().connection).toBe("live");
    expect(proxy.dials).toBeLessThanOrEqual(dials + 1);
    proxy.kill();
    await (await open(connect(), runId)).answer(approve);
    expect((await until(run, ({ connection }) => connection === "ended")).outcome).toBe("completed");
    await proxy.stop();
  });
});

describe("a server that is killed", () => {
  it("after the click takes the answer when it is back, once, and every view goes on", async () => {
    const client = connect();
    const runId = await startRun();
    const run = client.run(runId);
    stops.push(run.subscribe(() => undefined));
    const view = await open(client, runId);
    await server.kill();
    const answering = view.answer(approve);
    await until(view, ({ submission }) => submission.status === "waiting-for-network");
    await until(run, ({ connection }) => connection === "reconnecting");
    await server.start();
    expect((await answering).status).toBe("accepted");
    const ended = await until(run, ({ connection }) => connection === "ended");
    expect(ended.run?.status).toBe("completed");
    expect(ended.rows("stamp")).toHaveLength(1);
  });
});
