import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSignoff } from "../src/index.js";
import type { Signoff, SignoffOptions } from "../src/index.js";
import { HandNetwork, countingFetch, never, quick } from "./support/network.js";
import { StreamServer, inputRow, message, runRow, stepRow } from "./support/streams.js";
import { eventually, until } from "./support/until.js";

let streams: StreamServer;

beforeEach(async () => {
  streams = await new StreamServer().start();
});

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await streams.stop();
});

/** A server of one's own; gives its address. */
async function serve(handle: (request: IncomingMessage, reply: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(options: Partial<SignoffOptions> = {}): Signoff {
  return createSignoff({ url: streams.url, timing: quick, ...options });
}

const started = [message("run", "insert", "r1", runRow({ status: "running" }))];

describe("a run's stream", () => {
  it("becomes rows, as they are on the wire and in the order in which they appeared", async () => {
    const rows = [stepRow({ id: "save:0", name: "save" }), stepRow({ id: "audit:0", name: "audit" })];
    await streams.create("runs/r1", ...started, ...rows.map((row) => message("step", "insert", row.id, row)));
    await streams.append("runs/r1", message("step", "update", "save:0", { ...rows[0], status: "failed" }));
    const snapshot = await until(connect().run("r1"), ({ connection }) => connection === "live");
    expect(snapshot.run).toStrictEqual(runRow({ status: "running" }));
    expect(snapshot.steps).toStrictEqual([{ ...rows[0], status: "failed" }, rows[1]]);
    expect(snapshot.inputs).toStrictEqual([]);
    expect(snapshot.error).toBeUndefined();
  });

  it("goes on live, and leaves untouched rows and lists the very same objects", async () => {
    await streams.create("runs/r1", ...started, message("step", "insert", "check:0", stepRow()));
    const view = connect().run("r1");
    const stop = view.subscribe(() => undefined);
    const before = await until(view, ({ connection }) => connection === "live");
    await streams.append("runs/r1", message("run", "update", "r1", runRow()), message("input", "insert", "approve:0", inputRow()));
    const after = await until(view, ({ inputs }) => inputs.length === 1);
    expect(after.run?.status).toBe("waiting");
    expect(after).not.toBe(before);
    expect(after.steps).toBe(before.steps);
    expect(before.inputs).toStrictEqual([]);
    expect(view.getSnapshot()).toBe(view.getSnapshot());
    stop();
  });

  it("carries the application's own rows", async () => {
    await streams.create("runs/r1", ...started, message("seat", "insert", "12A", { id: "12A", taken: false }));
    const view = connect().run("r1");
    const stop = view.subscribe(() => undefined);
    const first = await until(view, ({ connection }) => connection === "live");
    expect(first.rows("seat")).toStrictEqual([{ id: "12A", taken: false }]);
    await streams.append("runs/r1", message("seat", "insert", "12B", { id: "12B" }), message("seat", "delete", "12A"));
    const second = await until(view, (snapshot) => snapshot.rows("seat")[0]?.id === "12B");
    expect(second.rows("seat")).toHaveLength(1);
    expect(second.rows("nothing")).toStrictEqual([]);
    stop();
  });

  it("ends when it is closed, with its last row, and is not asked for again", async () => {
    const counted = countingFetch();
    const network = new HandNetwork();
    await streams.create("runs/r1", ...started);
    const client = connect({ fetch: counted.fetch, network });
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "live");
    await streams.finish("runs/r1", message("run", "update", "r1", runRow({ status: "completed" })));
    const last = await until(view, ({ connection }) => connection === "ended");
    expect(last.run?.status).toBe("completed");
    const asked = counted.requests.length;
    network.wake("online");
    // Another stream's whole way from nothing to live is time enough.
    await streams.create("runs/r2", message("run", "insert", "r2", runRow({ id: "r2" })));
    await until(client.run("r2"), ({ connection }) => connection === "live");
    expect(counted.requests.slice(asked).filter(({ url }) => url.includes("runs/r1"))).toStrictEqual([]);
    stop();
  });

  it("that is closed already is read to its end", async () => {
    await streams.create("runs/r1", ...started);
    await streams.finish("runs/r1", message("run", "update", "r1", runRow({ status: "cancelled" })));
    const last = await until(connect().run("r1"), ({ connection }) => connection === "ended");
    expect(last.run?.status).toBe("cancelled");
  });

  it("may be just being created: a 404 is tried again", async () => {
    const view = connect({ timing: { ...quick, notFoundTries: 50 } }).run("r1");
    const stop = view.subscribe(() => undefined);
    await streams.create("runs/r1", ...started);
    const snapshot = await until(view, ({ connection }) => connection === "live");
    expect(snapshot.run?.id).toBe("r1");
    stop();
  });

  it("that is not there fails after a few tries, with the problem", async () => {
    const counted = countingFetch();
    const snapshot = await until(connect({ fetch: counted.fetch }).run("r1"), ({ connection }) => connection === "failed");
    expect(snapshot.error).toMatchObject({ status: 404, code: "http_404" });
    expect(counted.requests).toHaveLength(1 + quick.notFoundTries);
  });
});

describe("one connection an address", () => {
  it("serves every view of it", async () => {
    const counted = countingFetch();
    await streams.create("runs/r1", ...started, message("input", "insert", "approve:0", inputRow()));
    const client = connect({ fetch: counted.fetch });
    const views = [client.run("r1"), client.run("r1"), client.input("r1", "approve:0")] as const;
    const stops = views.map((view) => view.subscribe(() => undefined));
    await until(views[0], ({ connection }) => connection === "live");
    await until(views[2], ({ request }) => request !== undefined);
    expect(counted.requests.filter(({ url }) => !url.includes("live="))).toHaveLength(1);
    await eventually(() => counted.requests.length === 2, "the live request");
    for (const stop of stops) stop();
  });

  it("stays open for a short grace, and closes when the last has gone", async () => {
    const counted = countingFetch();
    await streams.create("runs/r1", ...started);
    const client = connect({ fetch: counted.fetch });
    const view = client.run("r1");
    const stopFirst = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "live");
    await eventually(() => counted.requests.length === 2, "the live request");
    stopFirst();
    const stopSecond = view.subscribe(() => undefined);
    expect(view.getSnapshot().connection).toBe("live");
    expect(client.run("r1")).toBe(view);
    stopSecond();
    const sse = counted.requests[1]?.init?.signal;
    await eventually(() => sse?.aborted === true, "the live request to be aborted");
    expect(counted.requests).toHaveLength(2);
  });
});

describe("a client that is closed", () => {
  it("closes its connections, and leaves what it knew on show", async () => {
    const counted = countingFetch();
    await streams.create("runs/r1", ...started);
    const client = connect({ fetch: counted.fetch });
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "live");
    await eventually(() => counted.requests.length === 2, "the live request");
    client.close();
    expect(counted.requests[1]?.init?.signal?.aborted).toBe(true);
    expect(view.getSnapshot().run?.id).toBe("r1");
    stop();
  });
});

describe("a lost connection", () => {
  it("keeps the rows on show and comes back with what is true now", async () => {
    await streams.create("runs/r1", ...started, message("step", "insert", "check:0", stepRow()));
    const view = connect().run("r1");
    const stop = view.subscribe(() => undefined);
    const before = await until(view, ({ connection }) => connection === "live");
    await streams.stop();
    const lost = await until(view, ({ connection }) => connection === "reconnecting");
    expect(lost.run).toBe(before.run);
    expect(lost.error?.status).toBe(0);
    await streams.start();
    await streams.create("runs/r1", message("run", "insert", "r1", runRow()), message("step", "insert", "check:0", stepRow()));
    const back = await until(view, ({ run }) => run?.status === "waiting");
    expect(back.connection).toBe("live");
    expect(back.error).toBeUndefined();
    expect(back.steps).toBe(before.steps);
    stop();
  });

  it("that never was is tried until the server is there", async () => {
    await streams.stop();
    const view = connect().run("r1");
    const stop = view.subscribe(() => undefined);
    const waiting = await until(view, ({ connection }) => connection === "reconnecting");
    expect(waiting.error?.code).toBe("network");
    await streams.start();
    await streams.create("runs/r1", ...started);
    expect((await until(view, ({ connection }) => connection === "live")).run?.id).toBe("r1");
    stop();
  });

  it("comes back at once when the network does, however long the wait", async () => {
    const network = new HandNetwork();
    await streams.stop();
    const view = connect({ network, timing: { ...quick, live: never } }).run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "reconnecting");
    await streams.start();
    await streams.create("runs/r1", ...started);
    network.wake("online");
    expect((await until(view, ({ connection }) => connection === "live")).run?.id).toBe("r1");
    stop();
  });

  it("is noticed when the page wakes up and nothing comes", async () => {
    const silent = createServer((request, reply) => {
      // The first answer is complete; whatever is asked after it gets none.
      if (request.url?.includes("live=") === true) return;
      reply.writeHead(200, { "Content-Type": "application/json", "Stream-Next-Offset": "1", "Stream-Up-To-Date": "true" });
      reply.end(JSON.stringify(started));
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const network = new HandNetwork();
    const view = createSignoff({ url, network, timing: { ...quick, wake: 100, live: never } }).run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "live");
    network.wake("visible");
    const lost = await until(view, ({ connection }) => connection === "reconnecting");
    expect(lost.error?.code).toBe("timeout");
    stop();
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
  });

  it("may be an offset that is no longer kept: the rows are read anew from the start", async () => {
    const next = "0000000000012345";
    const starts: string[] = [];
    const gone = createServer((request, reply) => {
      const asked = new URL(request.url ?? "", "http://localhost").searchParams;
      if (asked.get("offset") === "-1") {
        starts.push(asked.get("live") ?? "catch-up");
        const row = runRow({ status: starts.length === 1 ? "running" : "waiting" });
        reply.writeHead(200, { "Content-Type": "application/json", "Stream-Next-Offset": next, "Stream-Up-To-Date": "true" });
        reply.end(JSON.stringify([message("run", "insert", "r1", row)]));
      } else if (starts.length === 1) {
        reply.writeHead(410, { "Content-Type": "application/problem+json" });
        reply.end(JSON.stringify({ type: "urn:signoff:problem:gone", title: "Gone", status: 410, code: "gone" }));
      }
    });
    await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
    const view = createSignoff({ url, timing: quick }).run("r1");
    const seen: (string | undefined)[] = [];
    const stop = view.subscribe(() => seen.push(view.getSnapshot().error?.code));
    const snapshot = await until(view, ({ connection, run }) => connection === "live" && run?.status === "waiting");
    expect(snapshot.run).toStrictEqual(runRow());
    expect(seen).toContain("gone");
    expect(starts).toHaveLength(2);
    stop();
    gone.closeAllConnections();
    await new Promise((resolve) => gone.close(resolve));
  });

  it("may be a batch that cannot be read: it is left, and tried anew", async () => {
    await streams.create("runs/r1", ...started);
    const view = connect().run("r1");
    const stop = view.subscribe(() => undefined);
    const before = await until(view, ({ connection }) => connection === "live");
    await streams.append("runs/r1", { ...message("run", "update", "r1"), value: "no object" });
    const lost = await until(view, ({ connection }) => connection === "reconnecting");
    expect(lost.run).toBe(before.run);
    await streams.delete("runs/r1");
    await streams.create("runs/r1", message("run", "insert", "r1", runRow()));
    expect((await until(view, ({ connection }) => connection === "live")).run?.status).toBe("waiting");
    stop();
  });

  it("heals after 503, which says when to come back", async () => {
    await streams.create("runs/r1", ...started);
    streams.server.injectFault("/v1/stream/runs/r1", { status: 503, count: 2 });
    const snapshot = await until(connect().run("r1"), ({ connection }) => connection === "live");
    expect(snapshot.run?.id).toBe("r1");
  });
});

describe("a connection that silently dies", () => {
  /** Catches up at once, then says nothing but comments, as long as `speaks`. */
  async function quietServer(state: { speaks: boolean; comments: number; asked: number }): Promise<string> {
    return serve((request, reply) => {
      state.asked += 1;
      if (request.url?.includes("live=") !== true) {
        reply.writeHead(200, { "Content-Type": "application/json", "Stream-Next-Offset": "1", "Stream-Up-To-Date": "true" });
        reply.end(JSON.stringify(started));
        return;
      }
      reply.writeHead(200, { "Content-Type": "text/event-stream", "Stream-Next-Offset": "1" });
      reply.flushHeaders();
      const timer = setInterval(() => {
        if (!state.speaks) return;
        state.comments += 1;
        reply.write(": still here\n\n");
      }, 10);
      reply.on("close", () => { clearInterval(timer); });
    });
  }

  it("while it is live is noticed by its silence, and followed anew; one that only says that it lives is left alone", async () => {
    const state = { speaks: true, comments: 0, asked: 0 };
    const url = await quietServer(state);
    const view = createSignoff({ url, timing: { ...quick, silence: 200, patience: 3_600_000 } }).run("r1");
    const seen: (string | undefined)[] = [];
    const stop = view.subscribe(() => seen.push(view.getSnapshot().error?.code));
    await until(view, ({ connection }) => connection === "live");
    await eventually(() => state.comments > 50, "half a second of comments");
    expect(state.asked).toBe(2);
    expect(seen.filter((code) => code !== undefined)).toStrictEqual([]);
    state.speaks = false;
    const lost = await until(view, ({ connection }) => connection === "reconnecting");
    expect(lost.error?.code).toBe("timeout");
    state.speaks = true;
    await until(view, ({ connection }) => connection === "live");
    expect(state.asked).toBeGreaterThan(2);
    stop();
  });

  it("is not looked for while the page is in the background, where connections rest", async () => {
    const state = { speaks: false, comments: 0, asked: 0 };
    const url = await quietServer(state);
    const network = new HandNetwork();
    network.hidden = true;
    const view = createSignoff({ url, network, timing: { ...quick, silence: 20 } }).run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "live");
    const other = connect({ timing: { ...quick, notFoundTries: 20 } });
    await until(other.run("nothing"), ({ connection }) => connection === "failed");
    expect(view.getSnapshot().connection).toBe("live");
    network.hidden = false;
    await until(view, ({ connection }) => connection === "reconnecting");
    stop();
  });
});

describe("a server that asks to be left alone for a month", () => {
  it("is not asked again and again, neither for a stream nor with an answer", async () => {
    let asked = 0;
    const url = await serve((_request, reply) => {
      asked += 1;
      reply.writeHead(503, { "Retry-After": "2592000" }).end();
    });
    const client = createSignoff({ url, timing: quick });
    const run = client.run("r1");
    const stop = run.subscribe(() => undefined);
    await until(run, ({ connection }) => connection === "reconnecting");
    const input = client.input("r1", "approve:0");
    void input.answer({ action: "approve", seen: { revised: "1" } });
    await eventually(() => asked === 2, "the answer");
    // Another stream's whole way to failure, retries and all, is time enough.
    await until(connect({ timing: { ...quick, notFoundTries: 20 } }).run("r2"), ({ connection }) => connection === "failed");
    expect(asked).toBe(2);
    stop();
    client.close();
  });
});

describe("names", () => {
  const names = ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf", "_seq", "$synced"];

  it.each(names)("of rows' types and keys may be %s: nothing is lost beside them", async (name) => {
    const value = (id: string) => ({ id, size: 1 });
    await streams.create(
      "runs/r1", ...started, message(name, "insert", "k1", value("k1")), message("seat", "insert", name, value(name)),
      message("progress", "insert", name, { id: name, fraction: 0.5, message: null }), message("input", "insert", "approve:0", inputRow()),
    );
    const view = connect().run("r1");
    const stop = view.subscribe(() => undefined);
    const snapshot = await until(view, ({ connection }) => connection === "live");
    expect(snapshot.rows(name)).toStrictEqual([value("k1")]);
    expect(snapshot.rows("seat")).toStrictEqual([value(name)]);
    expect(snapshot.progress).toStrictEqual([{ id: name, fraction: 0.5, message: null }]);
    expect(snapshot.inputs).toHaveLength(1);
    await streams.append("runs/r1", message(name, "update", "k1", { id: "k1", size: 2 }), message("seat", "delete", name));
    const after = await until(view, (now) => now.rows("seat").length === 0);
    expect(after.rows(name)).toStrictEqual([{ id: "k1", size: 2 }]);
    stop();
  });

  it("of rows' members may be anything, at the top and below", async () => {
    const text = `{"id":"k1","$schema":"s","$id":"i","$key":1,"_seq":7,"constructor":"c","toString":2,"__proto__":{"a":1},"in":{"$ref":"#","__proto__":3}}`;
    const value = JSON.parse(text) as object;
    const schema = JSON.parse(`{"$schema":"s","$id":"i","properties":{"__proto__":{"type":"string"}}}`) as Record<string, unknown>;
    await streams.create("runs/r1", ...started, message("seat", "insert", "k1", value), message("input", "insert", "approve:0", inputRow({ schema })));
    const snapshot = await until(connect().run("r1"), ({ connection }) => connection === "live");
    expect(JSON.parse(JSON.stringify(snapshot.rows("seat")[0]))).toStrictEqual(JSON.parse(text));
    expect(Object.keys(snapshot.rows("seat")[0] ?? {})).toContain("__proto__");
    expect(JSON.stringify(snapshot.inputs[0]?.schema)).toBe(JSON.stringify(schema));
  });
});

describe("a view that failed", () => {
  const slow = { ...quick, recover: never };

  it.each(["online", "visible", "focus", "token"] as const)("tries again when the page says %s", async (reason) => {
    await streams.create("runs/r1", ...started);
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1 });
    const network = new HandNetwork();
    const view = connect({ network, timing: slow }).run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "failed");
    network.wake(reason);
    const back = await until(view, ({ connection }) => connection === "live");
    expect(back.error).toBeUndefined();
    stop();
  });

  it("tries again when the application asks for it", async () => {
    await streams.create("runs/r1", ...started);
    streams.server.injectFault("/v1/stream/runs/r1", { status: 401, count: 1 });
    const client = connect({ timing: { ...slow, live: never } });
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "failed");
    client.reconnect();
    expect((await until(view, ({ connection }) => connection === "live")).run?.id).toBe("r1");
    stop();
  });

  it("tries again when another call brings a new token", async () => {
    await streams.create("runs/r1", ...started);
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1 });
    let token = "old";
    const client = connect({ timing: slow, token: () => token });
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "failed");
    token = "new";
    await client.cancelRun("r1");
    await until(view, ({ connection }) => connection === "live");
    stop();
  });

  it("tries again by itself, now and then", async () => {
    await streams.create("runs/r1", ...started);
    streams.server.injectFault("/v1/stream/runs/r1", { status: 401, count: 3 });
    const view = connect({ timing: { ...quick, recover: { first: 10, most: 20, factor: 2 } } }).run("r1");
    const states: string[] = [];
    const stop = view.subscribe(() => states.push(view.getSnapshot().connection));
    await until(view, ({ connection }) => connection === "live");
    expect(states).toContain("failed");
    stop();
  });

  it("does not ask in a burst, however often a window gets the focus or another token comes", async () => {
    let asked = 0;
    const url = await serve((_request, reply) => {
      asked += 1;
      reply.writeHead(403).end();
    });
    const network = new HandNetwork();
    let count = 0;
    const client = createSignoff({ url, network, token: () => `token-${count++}`, timing: { ...slow, live: { first: 50, most: 100, factor: 2 } } });
    const views = ["r1", "r2", "r3"].map((id) => client.run(id));
    const stops = views.map((view) => view.subscribe(() => undefined));
    for (const view of views) await until(view, ({ connection }) => connection === "failed");
    const [before, from] = [asked, Date.now()];
    for (let turn = 0; turn < 40; turn++) {
      network.wake(turn % 2 === 0 ? "focus" : "visible");
      await client.cancelRun("r1");
    }
    // Each at most once in half the first wait, besides the forty calls.
    expect(asked - before - 40).toBeLessThanOrEqual(3 * (1 + (Date.now() - from) / 25));
    for (const stop of stops) stop();
    client.close();
  });
});

describe("the token", () => {
  it("is asked for before every request, and once more when it is refused", async () => {
    await streams.create("runs/r1", ...started);
    streams.server.injectFault("/v1/stream/runs/r1", { status: 401, count: 1 });
    const counted = countingFetch();
    const asked: boolean[] = [];
    const token = ({ refused }: { refused: boolean }): Promise<string> => {
      asked.push(refused);
      return Promise.resolve(refused ? "fresh" : "old");
    };
    await until(connect({ token, fetch: counted.fetch }).run("r1"), ({ connection }) => connection === "live");
    expect(asked.slice(0, 2)).toStrictEqual([false, true]);
    expect(counted.requests.slice(0, 2).map(({ authorization }) => authorization)).toStrictEqual(["Bearer old", "Bearer fresh"]);
  });

  it.each([401, 403])("that stays refused (%i) fails the view, which does not hammer on", async (status) => {
    await streams.create("runs/r1", ...started);
    streams.server.injectFault("/v1/stream/runs/r1", { status, count: 100 });
    const counted = countingFetch();
    const view = connect({ token: () => "t", fetch: counted.fetch }).run("r1");
    const failed = await until(view, ({ connection }) => connection === "failed");
    expect(failed.error?.status).toBe(status);
    expect(counted.requests).toHaveLength(status === 401 ? 2 : 1);
  });
});

describe("inboxes and listings", () => {
  it("draws several inboxes together, newest first, each request once", async () => {
    const row = (n: number, asked_at: string, revision = 0) => inputRow({ id: `r${n}/approve:0`, run_id: `r${n}`, asked_at, revision });
    const insert = (value: ReturnType<typeof row>) => message("input", "insert", value.id, value);
    const [a, b, newer] = [row(1, "2026-03-01T09:00:00.000Z"), row(2, "2026-03-01T10:00:00.000Z"), row(1, "2026-03-01T09:00:00.000Z", 1)];
    await streams.create("inbox/group:finance", insert(a), insert(b));
    await streams.create("inbox/user:alice", insert(newer));
    const view = connect().inbox(["user:alice", "group:finance"]);
    const stop = view.subscribe(() => undefined);
    const { requests } = await until(view, ({ connection }) => connection === "live");
    expect(requests).toStrictEqual([b, newer]);
    await streams.append("inbox/group:finance", message("input", "delete", b.id));
    expect((await until(view, (now) => now.requests.length === 1)).requests).toStrictEqual([newer]);
    stop();
  });

  it("shows an inbox nobody ever wrote to as empty, and notices its first request", async () => {
    const view = connect().inbox("group:finance");
    const stop = view.subscribe(() => undefined);
    expect((await until(view, ({ connection }) => connection === "live")).requests).toStrictEqual([]);
    const row = inputRow({ id: "r1/approve:0" });
    await streams.create("inbox/group:finance", message("input", "insert", row.id, row));
    expect((await until(view, ({ requests }) => requests.length > 0)).requests).toStrictEqual([row]);
    stop();
  });

  it("shows no principals' inbox as empty at once, and asks nobody", () => {
    const counted = countingFetch();
    const view = connect({ fetch: counted.fetch }).inbox([]);
    expect(view.getSnapshot()).toStrictEqual({ connection: "live", requests: [], rows: expect.any(Function) as unknown });
    const stop = view.subscribe(() => undefined);
    expect(view.getSnapshot()).toStrictEqual({ connection: "live", requests: [], rows: expect.any(Function) as unknown });
    stop();
    expect(counted.requests).toStrictEqual([]);
  });

  it("keeps principals apart that look alike when put together", () => {
    const client = connect();
    expect(client.inbox("a b")).not.toBe(client.inbox(["a", "b"]));
    expect(client.input("a b", "c:0")).not.toBe(client.input("a", "b c:0"));
  });

  it("is one view, whatever the order of the principals", () => {
    const client = connect();
    expect(client.inbox(["a", "b"])).toBe(client.inbox(["b", "a", "b"]));
    expect(client.inbox("a")).toBe(client.inbox(["a"]));
  });

  it("lists a workflow's runs, newest first", async () => {
    const row = (id: string, created_at: string) => runRow({ id, created_at });
    const rows = [row("r1", "2026-03-01T09:00:00.000Z"), row("r2", "2026-03-01T10:00:00.000Z"), row("r3", "2026-03-01T10:00:00.000Z")];
    await streams.create("workflows/expense", ...rows.map((value) => message("run", "insert", value.id, value)));
    const { runs } = await until(connect().runs("expense"), ({ connection }) => connection === "live");
    expect(runs.map(({ id }) => id)).toStrictEqual(["r3", "r2", "r1"]);
  });
});
