import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SignoffError, createSignoff } from "../src/index.js";
import type { TokenProvider } from "../src/index.js";
import { Transport } from "../src/transport.js";

const jwt = (payload: unknown): string => {
  const json = new TextEncoder().encode(JSON.stringify(payload));
  return `e30.${Buffer.from(json).toString("base64url")}.x`;
};

describe("an address", () => {
  it("keeps the server's path and escapes what is not its own", () => {
    const transport = new Transport("http://127.0.0.1:4437/signoff/", undefined, undefined);
    expect(transport.address("v1", "runs", "a b?#%", "inputs", "approve:0")).toBe(
      "http://127.0.0.1:4437/signoff/v1/runs/a%20b%3F%23%25/inputs/approve:0",
    );
    expect(transport.address("v1", "stream", "inbox", "user:zoë@x")).toBe(
      "http://127.0.0.1:4437/signoff/v1/stream/inbox/user:zo%C3%AB%40x",
    );
  });

  it("of a run with a slash in its id does not reach another path", () => {
    const transport = new Transport("http://h", undefined, undefined);
    expect(transport.address("v1", "runs", "../x")).toBe("http://h/v1/runs/..%2Fx");
  });
});

describe("a name no address can carry", () => {
  const names = ["", ".", "..", "\ud800", "a\udc00b"];

  it.each(names)("%j is refused, whatever segment it is", (name) => {
    const transport = new Transport("http://h", undefined, undefined);
    expect(() => transport.address("v1", "runs", name, "events", "paid")).toThrow(SignoffError);
    expect(() => transport.address("v1", "runs", "r1", "events", name)).toThrow(/No run, request, topic or principal/);
  });

  it.each(names)("%j sends nothing and is a problem of its own, in every call", async (name) => {
    const fetch = vi.fn<typeof globalThis.fetch>();
    const client = createSignoff({ url: "http://127.0.0.1:9", fetch });
    const refused = { ok: false, problem: { code: "invalid_name", status: 0 } };
    expect(await client.send(name, "paid", { id: "e1", payload: 1 })).toMatchObject(refused);
    expect(await client.send("r1", name, { id: "e1", payload: 1 })).toMatchObject(refused);
    expect(await client.cancelRun(name)).toMatchObject(refused);
    expect(await client.terminate(name)).toMatchObject(refused);
    expect(await client.retry(name)).toMatchObject(refused);
    const seen = { revised: "0000000000000001" };
    for (const view of [client.input(name, "approve:0"), client.input("r1", name)]) {
      expect(await view.answer({ action: "approve", seen })).toMatchObject({ status: "refused", problem: { code: "invalid_name" } });
    }
    expect(fetch).not.toHaveBeenCalled();
  });

  it.each(names)("%j fails a view, with the problem", (name) => {
    const client = createSignoff({ url: "http://127.0.0.1:9" });
    for (const view of [client.run(name), client.runs(name), client.inbox([name]), client.input(name, "approve:0")]) {
      const stop = view.subscribe(() => undefined);
      expect(view.getSnapshot()).toMatchObject({ connection: "failed", error: { code: "invalid_name" } });
      stop();
    }
    client.close();
  });
});

describe("the server's address", () => {
  it.each(["http://h/?x=1", "http://h/#top", "/?", "#", "ftp://h", "javascript:alert(1)", "http://", "http://user:hunter2@h/"])(
    "%j is refused at once, in words",
    (url) => {
      expect(() => createSignoff({ url })).toThrow(/^createSignoff: url must be the server's address/);
      expect(() => createSignoff({ url })).not.toThrow(/hunter2/);
    },
  );

  it.each(["eyJ.secret", null, 5])("goes with a way to get a token, not with %j", (token) => {
    expect(() => createSignoff({ url: "http://h/", token: token as never })).toThrow(/^createSignoff: token must be a function that gives the token/);
    expect(() => createSignoff({ url: "http://h/", token: token as never })).not.toThrow(/secret/);
  });

  it.each(["/", "", "/signoff/", "relative/path"])("%j makes a client where there is no page; its views can only say why they fail", async (url) => {
    const client = createSignoff({ url });
    const view = client.run("r1");
    expect(view.getSnapshot()).toMatchObject({ connection: "connecting" });
    const stop = view.subscribe(() => undefined);
    expect(view.getSnapshot()).toMatchObject({ connection: "failed", error: { code: "no_address" } });
    expect(await client.cancelRun("r1")).toMatchObject({ ok: false, problem: { code: "no_address" } });
    stop();
  });

  it("is completed by the page's, without the page's query", () => {
    vi.stubGlobal("location", { href: "https://app.example/page/?tab=1#x" });
    expect(new Transport("/", undefined, undefined).address("v1")).toBe("https://app.example/v1");
    expect(new Transport("/signoff", undefined, undefined).address("v1")).toBe("https://app.example/signoff/v1");
    expect(new Transport("", undefined, undefined).address("v1")).toBe("https://app.example/page/v1");
    vi.unstubAllGlobals();
  });
});

describe("the person a token speaks for", () => {
  const person = (token: string | null) => new Transport("http://h", () => token, undefined).person();

  it("is its sub, whatever the script", async () => {
    expect(await person(jwt({ sub: "alice" }))).toBe("alice");
    expect(await person(jwt({ sub: "זהבה ÿ" }))).toBe("זהבה ÿ");
  });

  it("is nobody without a token, and unknown with one that is not a JWT", async () => {
    expect(await person(null)).toBeNull();
    expect(await person("opaque")).toBe("");
    expect(await person("a.%%%.b")).toBe("");
    expect(await person(jwt({ name: "x" }))).toBe("");
  });
});

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server that says who asked; counts how often. */
async function echo(): Promise<{ url: string; asked: (string | undefined)[] }> {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, reply) => {
    asked.push(request.headers.authorization);
    reply.end("{}");
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe("a token provider that fails", () => {
  it.each<[string, () => unknown]>([
    ["hangs", () => new Promise(() => undefined)],
    ["rejects", () => Promise.reject(new Error("no cookie"))],
    ["throws", () => { throw new Error("no cookie"); }],
    ["gives nothing", () => undefined],
    ["gives an empty text", () => " "],
    ["gives an error page", () => "<html>Bad Gateway</html>"],
    ["gives two lines", () => "secret-a\nX-Other: secret-b"],
    ["gives what no header carries", () => "secret-\u2713"],
  ])("because it %s is a problem in bounded time, that sends nothing and repeats no secret", async (_name, provide) => {
    const { url, asked } = await echo();
    const transport = new Transport(url, provide as TokenProvider, undefined, { tokenTimeout: 20 });
    const reply = await transport.call("GET", ["x"]);
    expect(reply).toMatchObject({ ok: false, problem: { code: "token_unavailable", status: 0 } });
    expect(JSON.stringify(reply)).not.toContain("secret");
    expect(asked).toStrictEqual([]);
    await expect(transport.person()).rejects.toThrow(SignoffError);
    expect(transport.knownPerson).toBeUndefined();
  });

  it("is asked anew the next time", async () => {
    const { url, asked } = await echo();
    const given = [new Promise<string>(() => undefined), " good\n"];
    const transport = new Transport(url, () => given.shift() ?? null, undefined, { tokenTimeout: 20 });
    expect(await transport.call("GET", ["x"])).toMatchObject({ ok: false });
    expect(await transport.call("GET", ["x"])).toMatchObject({ ok: true });
    expect(asked).toStrictEqual(["Bearer good"]);
  });
});

describe("a call for somebody", () => {
  it("is not sent with another person's token, and is with theirs", async () => {
    const { url, asked } = await echo();
    const transport = new Transport(url, () => jwt({ sub: "bob" }), undefined);
    expect(await transport.call("POST", ["x"], {}, "alice")).toMatchObject({ ok: false, problem: { code: "person_changed" } });
    expect(asked).toStrictEqual([]);
    expect(await transport.call("POST", ["x"], {}, "bob")).toMatchObject({ ok: true });
    const named = new Transport(url, () => "opaque", undefined, { person: "carol" });
    expect(named.knownPerson).toBe("carol");
    expect(await named.call("POST", ["x"], {}, "alice")).toMatchObject({ ok: false, problem: { code: "person_changed" } });
    expect(await named.call("POST", ["x"], {}, "carol")).toMatchObject({ ok: true });
  });
});

describe("a printed client", () => {
  it("shows no secret, nor do its views and transport", async () => {
    const { url } = await echo();
    const token = "s3cr3t-token";
    const client = createSignoff({ url, token: () => token });
    await client.cancelRun("r1");
    const transport = new Transport(url, () => token, undefined);
    await transport.call("GET", ["x"]);
    for (const thing of [client, client.run("r1"), client.undelivered, transport]) {
      expect(inspect(thing, { depth: 20, showHidden: true }) + JSON.stringify(thing)).not.toContain(token);
    }
    client.close();
  });
});

describe("a call", () => {
  it("gives the reply's members, and no more than one try after a 401", async () => {
    let asked = 0;
    const server = createServer((request, reply) => {
      asked += 1;
      reply.writeHead(request.headers.authorization === "Bearer good" ? 200 : 401);
      reply.end('{"a":1}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const refreshing = new Transport(url, ({ refused }) => (refused ? "good" : "bad"), undefined);
    expect(await refreshing.call("GET", refreshing.address("x"))).toMatchObject({ ok: true, body: { a: 1 } });
    expect(asked).toBe(2);
    const hopeless = new Transport(url, () => "bad", undefined);
    expect(await hopeless.call("GET", hopeless.address("x"))).toMatchObject({ ok: false, problem: { status: 401 } });
    expect(asked).toBe(4);
    const anonymous = new Transport(url, undefined, undefined);
    expect(await anonymous.call("GET", anonymous.address("x"))).toMatchObject({ ok: false, problem: { status: 401 } });
    expect(asked).toBe(5);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
