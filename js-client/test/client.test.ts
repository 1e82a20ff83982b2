/** The client as a whole: what it holds on to, and what its runs come to. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RunEndedError, SignoffError, createSignoff } from "../src/index.js";
import type { Signoff } from "../src/index.js";
import { AnswerServer } from "./support/answers.js";
import { quick } from "./support/network.js";
import { StreamServer, inputRow, message, runRow } from "./support/streams.js";
import { eventually, until } from "./support/until.js";

let streams: StreamServer;
let server: AnswerServer;
let client: Signoff;

beforeEach(async () => {
  streams = await new StreamServer().start();
  server = await new AnswerServer(streams, inputRow()).start();
  client = createSignoff({ url: server.url, timing: quick });
});

afterEach(async () => {
  client.close();
  await server.stop();
  await streams.stop();
});

const started = message("run", "insert", "r1", runRow({ status: "running" }));

describe("a view nobody subscribed to", () => {
  it("is freed, as on a server that renders for many", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const made = Array.from({ length: 100 }, (_, n) => [client.run(`r${n}`), client.input(`r${n}`, "approve:0"), client.inbox(`user:${n}`)])
      .flat()
      .map((view) => new WeakRef<object>(view));
    await eventually(() => {
      collect();
      return made.every((view) => view.deref() === undefined);
    }, "the views to be freed");
    expect(made).toHaveLength(300);
  });

  it("is the same for whoever still has it, and for everybody as long as somebody looks", async () => {
    const view = client.run("r1");
    expect(client.run("r1")).toBe(view);
    await streams.create("runs/r1", started);
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "live");
    expect(client.run("r1")).toBe(view);
    stop();
    expect(client.run("r1")).not.toBe(view);
  });
});

describe("the outcome of a run", () => {
  it.each(["completed", "failed", "cancelled"] as const)("is told when it is %s, whether or not the stream is closed", async (status) => {
    await streams.create("runs/r1", started);
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    expect((await until(view, ({ connection }) => connection === "live")).outcome).toBeUndefined();
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status })));
    const over = await until(view, ({ outcome }) => outcome !== undefined);
    expect(over).toMatchObject({ outcome: status, connection: "live" });
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "running" })));
    expect((await until(view, ({ run }) => run?.status === "running")).outcome).toBeUndefined();
    stop();
  });
});

describe("the result of a run", () => {
  it("is its output, once it is completed", async () => {
    await streams.create("runs/r1", started);
    const result = client.result("r1");
    await streams.finish("runs/r1", message("run", "update", "r1", runRow({ status: "completed", output: { total: 7 } })));
    expect(await result).toStrictEqual({ total: 7 });
    expect(await client.result("r1")).toStrictEqual({ total: 7 });
  });

  it("is undefined where the workflow does not show it", async () => {
    await streams.create("runs/r1", message("run", "insert", "r1", runRow({ status: "completed" })));
    expect(await client.result("r1")).toBeUndefined();
  });

  it("of a failed run is an error that says how, though its stream stays open", async () => {
    await streams.create("runs/r1", started);
    const result = client.result("r1");
    const error = { code: "card_declined", message: "The card was declined" };
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "failed", error })));
    const failed: unknown = await result.catch((reason: unknown) => reason);
    expect(failed).toBeInstanceOf(RunEndedError);
    expect(failed).toMatchObject({ outcome: "failed", code: "card_declined", run: { id: "r1", status: "failed" } });
    expect(String(failed)).toBe("RunEndedError: Run r1 failed: The card was declined");
  });

  it("of a terminated run is an error that says so", async () => {
    const row = runRow({ status: "cancelled", error: { code: "terminated", message: null } });
    await streams.create("runs/r1", message("run", "insert", "r1", row));
    await expect(client.result("r1")).rejects.toMatchObject({ outcome: "cancelled", code: "terminated", message: "Run r1 was cancelled: terminated" });
  });

  it("is asked of the server once the rows say that it is there: operators are told more", async () => {
    await streams.create("runs/r1", started);
    server.results = [
      { status: 503, body: "" },
      { status: 200, body: "<html>Sign in to the wifi</html>" },
      { status: 202, body: { run: runRow({ status: "running" }) } },
      { status: 200, body: { run: runRow({ status: "completed" }), output: "not for everybody" } },
    ];
    const result = client.result("r1");
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "failed" })));
    await eventually(() => server.results.length === 1, "the server's word that it goes on");
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "running" })));
    await streams.finish("runs/r1", message("run", "update", "r1", runRow({ status: "completed" })));
    expect(await result).toBe("not for everybody");
  });

  it("of a failed run is what the server tells of it", async () => {
    await streams.create("runs/r1", message("run", "insert", "r1", runRow({ status: "failed", error: { code: "ValueError", message: null } })));
    const run = runRow({ status: "failed", updated_at: "2026-03-01T09:31:00.000Z" });
    server.results = [{ status: 409, body: { code: "run_failed", title: "No", run, error: { code: "ValueError", message: "too much", type: "ValueError" } } }];
    await expect(client.result("r1")).rejects.toMatchObject({ message: "Run r1 failed: too much", code: "ValueError", run });
  });

  it("is given at once while somebody looks at the run already", async () => {
    await streams.create("runs/r1", message("run", "insert", "r1", runRow({ status: "completed", output: 1 })));
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ connection }) => connection === "live");
    expect(await client.result("r1")).toBe(1);
    stop();
  });

  it("is not waited for longer than asked, nor past an abort or the client's end", async () => {
    await streams.create("runs/r1", started);
    await expect(client.result("r1", { timeout: 20 })).rejects.toMatchObject({ problem: { code: "timeout" } });
    await expect(client.result("r1", { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({ name: "TimeoutError" });
    await expect(client.result("r1", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
    const result = client.result("r1");
    client.close();
    await expect(result).rejects.toMatchObject({ problem: { code: "closed" } });
    await expect(client.result("r1")).rejects.toBeInstanceOf(SignoffError);
  });

  it("of a run that cannot be followed is that problem", async () => {
    await expect(client.result("nobody")).rejects.toMatchObject({ problem: { status: 404 } });
    await expect(client.result("..")).rejects.toMatchObject({ problem: { code: "invalid_name" } });
  });
});
