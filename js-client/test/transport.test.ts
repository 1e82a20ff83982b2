import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
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
