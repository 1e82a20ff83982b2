/** One connection for many live reads, against the real server; what goes wrong on the way, by a fetch that does it. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { Signoff, SignoffOptions } from "../src/index.js";
import { TabsCarrier } from "../src/tabs.js";
import { TabLocks } from "./support/locks.js";
import { countingFetch, quick } from "./support/network.js";
import { SignoffServer } from "./support/signoff.js";
import { StreamServer, message, runRow } from "./support/streams.js";
import { eventually, until } from "./support/until.js";

const server = new SignoffServer();
let clients: Signoff[] = [];
let count = 0;

beforeAll(async () => {
  await server.start();
});

afterAll(async () => {
  await server.remove();
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

function connect(options: Partial<SignoffOptions> = {}): Signoff {
  const client = createSignoff({
    url: server.url, timing: { ...quick, patience: 5_000 }, storage: memoryStorage(), connections: "page", ...options,
  });
  clients.push(client);
  return client;
}

async function startRuns(many: number): Promise<string[]> {
  const ids = Array.from({ length: many }, () => `carried-${++count}`);
  const client = connect();
  await Promise.all(ids.map((runId) => client.startRun({ workflow: "expense", input: 1, runId })));
  return ids;
}

/** A fetch that counts, and does to some requests what a table says. */
function tampering(act: (url: string, number: number) => Promise<Response> | undefined) {
  const counted = countingFetch();
  const fetch: typeof globalThis.fetch = (input, init) => {
    const done = act(input as string, counted.requests.length);
    return done ?? counted.fetch(input, init);
  };
  return { fetch, requests: counted.requests, to: (part: RegExp) => counted.requests.filter(({ url }) => part.test(url)) };
}

const LIVE = /live=sse/;
const OPEN = /\/v1\/live$/;
const CHANGE = /\/v1\/live\/./;

async function waits(client: Signoff, ids: readonly string[]): Promise<(() => void)[]> {
  return Promise.all(
    ids.map(async (id) => {
      const view = client.run(id);
      const stop = view.subscribe(() => undefined);
      await until(view, ({ connection, inputs }) => connection === "live" && inputs.length > 0);
      return stop;
    }),
  );
}

async function decide(client: Signoff, id: string): Promise<void> {
  const view = client.input(id, "approve:0");
  const stop = view.subscribe(() => undefined);
  await until(view, ({ request }) => request !== undefined);
  await view.answer({ action: "approve", value: { approved: true } });
  stop();
}

describe("the live streams of a page", () => {
  it("share one connection, which streams join and leave", async () => {
    const ids = await startRuns(12);
    const seen = tampering(() => undefined);
    const client = connect({ fetch: seen.fetch });
    const stops = await waits(client, ids.slice(0, 10));
    const more = await waits(client, ids.slice(10));
    await eventually(() => seen.to(CHANGE).length > 0, "streams to join");
    expect([seen.to(LIVE).length, seen.to(OPEN).length]).toStrictEqual([0, 1]);
    stops[0]?.();
    await eventually(() => seen.to(CHANGE).some(({ init }) => !JSON.stringify(init?.body).includes('leave\\":[]')), "a stream to leave");
    const last = client.run(ids[11] ?? "");
    await decide(client, ids[11] ?? "");
    await until(last, ({ connection }) => connection === "ended");
    expect(seen.to(OPEN)).toHaveLength(1);
    for (const stop of [...stops, ...more]) stop();
    await eventually(() => seen.to(OPEN)[0]?.init?.signal?.aborted === true, "the connection to be given up");
  });

  it("go on after the connection broke, and after the server was killed", async () => {
    const ids = await startRuns(3);
    const seen = tampering(() => undefined);
    const client = connect({ fetch: seen.fetch });
    await waits(client, ids);
    await server.kill();
    await until(client.run(ids[0] ?? ""), ({ connection }) => connection === "reconnecting");
    await server.start();
    await Promise.all(ids.map((id) => until(client.run(id), ({ connection }) => connection === "live")));
    await decide(client, ids[1] ?? "");
    await until(client.run(ids[1] ?? ""), ({ connection }) => connection === "ended");
    expect(seen.to(LIVE)).toHaveLength(0);
  });

  it("are followed apart where the server has no such connection, which is asked for once", async () => {
    const streams = await new StreamServer().start();
    try {
      for (const id of ["a", "b"]) await streams.create(`runs/${id}`, message("run", "insert", id, runRow({ id })));
      const seen = tampering(() => undefined);
      const client = connect({ url: streams.url, fetch: seen.fetch });
      for (const id of ["a", "b"]) {
        client.run(id).subscribe(() => undefined);
        await until(client.run(id), ({ connection }) => connection === "live");
        await eventually(() => seen.to(LIVE).some(({ url }) => url.includes(`runs/${id}?`)), "a live read of its own");
      }
      expect(seen.to(OPEN)).toHaveLength(1);
    } finally {
      await streams.stop();
    }
  });

  it("take few connections where several processes serve one address, so that joining finds the wrong one", async () => {
    const ids = await startRuns(9);
    const elsewhere = (): Promise<Response> => Promise.resolve(new Response('{"code":"not_found"}', { status: 404 }));
    const seen = tampering((url) => (CHANGE.test(url) ? elsewhere() : undefined));
    const client = connect({ fetch: seen.fetch });
    for (const id of ids) await waits(client, [id]);
    await eventually(() => seen.to(OPEN).filter(({ init }) => init?.signal?.aborted === false).length <= 2, "few connections");
    for (const id of ids) await decide(client, id);
    await Promise.all(ids.map((id) => until(client.run(id), ({ connection }) => connection === "ended")));
    expect(seen.to(LIVE)).toHaveLength(0);
  });

  it("wait as they would alone where the server is busy", async () => {
    const [id = ""] = await startRuns(1);
    let refused = 0;
    const busy = (): Promise<Response> => {
      refused += 1;
      return Promise.resolve(new Response('{"code":"server_busy","title":"The server is busy"}', { status: 503, headers: { "Retry-After": "0" } }));
    };
    const seen = tampering((url) => (url.endsWith("/v1/live") && refused < 2 ? busy() : undefined));
    const client = connect({ fetch: seen.fetch });
    await waits(client, [id]);
    await eventually(() => seen.to(OPEN).length === 1, "a connection in the end");
    await decide(client, id);
    await until(client.run(id), ({ connection }) => connection === "ended");
    expect(refused).toBe(2);
  });
});

describe("a tab that has just been opened", () => {
  it("reads over its own connection what it was asked for before it knew that no other tab leads", async () => {
    const [id = ""] = await startRuns(1);
    const locks = new TabLocks();
    let grant = (): void => undefined;
    const granted = new Promise<void>((resolve) => { grant = resolve; });
    const request: TabLocks["request"] = async (name, ...asked) => {
      await granted;
      return locks.request(name, ...asked);
    };
    vi.stubGlobal("navigator", { locks: { request, query: locks.query } });
    const carrier = new TabsCarrier(server.url, fetch);
    const heard: string[] = [];
    carrier.carry({ path: `runs/${id}`, offset: "-1", cursor: undefined, authorization: undefined }, {
      onOpened: (status) => { heard.push(`opened ${status}`); },
      onBody: () => { heard.push("body"); },
      onEnded: () => { heard.push("ended"); },
      onFailed: () => { heard.push("failed"); },
    });
    grant();
    await eventually(() => heard.length >= 2, "the stream");
    expect(heard.slice(0, 2)).toStrictEqual(["opened 200", "body"]);
    carrier.close();
    vi.unstubAllGlobals();
  });

  it("reads over its own connection while no tab answers, and goes over to one that does again", async () => {
    const [id = ""] = await startRuns(1);
    let deaf = true;
    class Channel extends BroadcastChannel {
      override postMessage(told: { kind: string }): void {
        if (!(deaf && told.kind === "leads")) super.postMessage(told);
      }
    }
    vi.stubGlobal("BroadcastChannel", Channel);
    vi.stubGlobal("navigator", { locks: new TabLocks() });
    const waits = { leader: 200, answer: 500, again: 50 };
    const leader = new TabsCarrier(server.url, fetch, waits);
    const own = countingFetch();
    const tab = new TabsCarrier(server.url, own.fetch, waits);
    const heard: string[] = [];
    const begin = (): void => {
      tab.carry({ path: `runs/${id}`, offset: "-1", cursor: undefined, authorization: undefined }, {
        onOpened: (status) => { heard.push(`opened ${status}`); },
        onBody: () => undefined,
        onEnded: () => { heard.push("ended"); },
        onFailed: () => { heard.push("failed"); },
      });
    };
    begin();
    await eventually(() => heard.length > 0, "its own connection");
    expect(own.requests.filter(({ url }) => url.endsWith("/v1/live"))).toHaveLength(1);
    deaf = false;
    await eventually(() => heard.length > 1, "the other tab");
    begin();
    await eventually(() => heard.length > 2, "the other's connection");
    expect(heard).toStrictEqual(["opened 200", "failed", "opened 200"]);
    expect(own.requests.filter(({ url }) => url.endsWith("/v1/live"))).toHaveLength(1);
    for (const carrier of [tab, leader]) carrier.close();
    vi.unstubAllGlobals();
  });
});
