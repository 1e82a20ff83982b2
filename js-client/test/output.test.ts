/** Outputs over a real stream server: read on where they were lost, and without what a later attempt says anew. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSignoff } from "../src/index.js";
import type { OutputSnapshot, OutputView, Signoff } from "../src/index.js";
import { Sessions } from "../src/output.js";
import { countingFetch, quick } from "./support/network.js";
import { StreamServer, message, runRow } from "./support/streams.js";
import { until } from "./support/until.js";

const PATH = "runs/r1/out/tokens";

let streams: StreamServer;
let client: Signoff;
let counted: ReturnType<typeof countingFetch>;
let stops: (() => void)[];

beforeEach(async () => {
  streams = await new StreamServer().start();
  await streams.create("runs/r1", message("run", "insert", "r1", runRow({ status: "running" })));
  counted = countingFetch();
  client = createSignoff({ url: streams.url, fetch: counted.fetch, timing: { ...quick, look: 30 } });
  stops = [];
});

afterEach(async () => {
  for (const stop of stops) stop();
  client.close();
  await streams.stop();
});

function watch(name = "tokens"): OutputView {
  const view = client.output("r1", name);
  stops.push(view.subscribe(() => undefined));
  return view;
}

async function write(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<void> {
  const reply = await fetch(`${streams.url}/v1/stream/${path}`, {
    method, headers: { "Content-Type": "application/json", ...headers }, ...(body === undefined ? {} : { body }),
  });
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status}`);
}

const live = ({ connection }: OutputSnapshot): boolean => connection === "live";

describe("an output", () => {
  it("that no step has opened yet is waited for, and then comes as it is written", async () => {
    const view = watch();
    await until(client.run("r1"), ({ connection }) => connection === "live");
    expect(view.getSnapshot()).toStrictEqual({ connection: "connecting", messages: [], text: "" });
    await write("PUT", PATH);
    await until(view, live);
    await write("POST", PATH, '["Hel","lo"]');
    await until(view, ({ text }) => text === "Hello");
    await write("POST", PATH, '[{"done":1}]');
    const { messages, text } = await until(view, (now) => now.messages.length === 3);
    expect(messages).toStrictEqual(["Hel", "lo", { done: 1 }]);
    expect(text).toBe("Hello");
    await write("POST", PATH, '["!"]', { "Stream-Closed": "true" });
    expect(await until(view, ({ connection }) => connection === "ended")).toMatchObject({ text: "Hello!" });
  });

  it("is read on after the server was away, and nothing twice", async () => {
    await write("PUT", PATH, '["a","b"]');
    const view = watch();
    await until(view, live);
    const { offset } = { offset: counted.requests.length };
    await streams.stop();
    await until(view, ({ connection }) => connection === "reconnecting");
    expect(view.getSnapshot().text).toBe("ab");
    await streams.start();
    await streams.create("runs/r1", message("run", "insert", "r1", runRow({ status: "running" })));
    await write("PUT", PATH, '["a","b"]');
    await write("POST", PATH, '["c"]');
    expect((await until(view, ({ text }) => text.length > 2)).text).toBe("abc");
    expect(counted.requests.slice(offset).filter(({ url }) => url.includes("/out/")).every(({ url }) => !url.includes("offset=-1"))).toBe(true);
  });

  it("shows what the latest attempt says, in JSON", async () => {
    await write("PUT", PATH, '["Hel"]');
    const view = watch();
    await until(view, ({ text }) => text === "Hel");
    await write("POST", PATH, '["p",{"signoff":{"step":"model:0","attempt":2}},"Hello"]');
    const { messages, attempt } = await until(view, ({ text }) => text === "Hello");
    expect(messages).toStrictEqual(["Hello"]);
    expect(attempt).toStrictEqual({ step: "model:0", attempt: 2 });
  });

  it("shows what the latest attempt says, in a text", async () => {
    const log = { "Content-Type": "text/plain" };
    await write("PUT", "runs/r1/out/log", "compiling\nfai", log);
    const view = watch("log");
    await until(view, ({ text }) => text === "compiling\nfai");
    await write("POST", "runs/r1/out/log", "led\n--- build:0, attempt 2 ---\n", log);
    await write("POST", "runs/r1/out/log", "compiling\n", log);
    expect(await until(view, ({ attempt, text }) => attempt !== undefined && text !== "")).toMatchObject({ messages: [], text: "compiling\n", attempt: { step: "build:0", attempt: 2 } });
  });

  it("is one of the streams whose messages can be watched, and any other is too", async () => {
    await write("PUT", "journal/1", "[1,2]");
    const whole = client.messages<number>("journal/1");
    const news = client.messages<number>("journal/1", { from: "now", keep: 1 });
    stops.push(whole.subscribe(() => undefined), news.subscribe(() => undefined));
    await until(whole, live);
    await until(news, live);
    expect([whole.getSnapshot().messages, news.getSnapshot().messages]).toStrictEqual([[1, 2], []]);
    await write("POST", "journal/1", "[3,4]");
    expect((await until(whole, ({ messages }) => messages.length > 2)).messages).toStrictEqual([1, 2, 3, 4]);
    expect((await until(news, ({ messages }) => messages.length > 0)).messages).toStrictEqual([4]);
    await write("POST", "journal/1", undefined, { "Stream-Closed": "true" });
    await until(whole, ({ connection }) => connection === "ended");
    const later = client.messages("journal/2");
    stops.push(later.subscribe(() => undefined));
    await write("PUT", "journal/2", '["there"]');
    expect((await until(later, live)).messages).toStrictEqual(["there"]);
  });

  it("that its run ended without is not there", async () => {
    await streams.finish("runs/r1", message("run", "update", "r1", runRow({ status: "completed" })));
    const { error } = await until(watch(), ({ connection }) => connection === "failed");
    expect(error).toMatchObject({ status: 404 });
  });

  it("is read to its end however late its body comes behind the headers that tell of the end", async () => {
    await write("PUT", PATH, '["a","b"]', { "Stream-Closed": "true" });
    const held: { release: () => void } = { release: () => undefined };
    const late: typeof fetch = async (input, init) => {
      const reply = await counted.fetch(input, init);
      if (reply.body === null || !(input instanceof Request ? input.url : input.toString()).includes("/out/")) return reply;
      const gate = new Promise<void>((resolve) => { held.release = resolve; });
      const waiting = new TransformStream<Uint8Array, Uint8Array>({ transform: (chunk, onward) => gate.then(() => { onward.enqueue(chunk); }) });
      return new Response(reply.body.pipeThrough(waiting), reply);
    };
    const slow = createSignoff({ url: streams.url, fetch: late, timing: quick });
    const view = slow.output("r1", "tokens");
    stops.push(view.subscribe(() => undefined), () => { slow.close(); });
    await until(slow.run("r1"), ({ connection }) => connection === "live");
    // The headers are there, and all that follows from them has been done.
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => { setTimeout(resolve); });
    expect(view.getSnapshot()).toStrictEqual({ connection: "connecting", messages: [], text: "" });
    held.release();
    expect(await until(view, ({ connection }) => connection === "ended")).toMatchObject({ messages: ["a", "b"], text: "ab" });
  });

  it("that was read to its end is not asked for again", async () => {
    await write("PUT", PATH, '["a"]', { "Stream-Closed": "true" });
    const view = watch();
    await until(view, ({ connection }) => connection === "ended");
    for (const stop of stops.splice(0)) stop();
    stops.push(view.subscribe(() => undefined));
    expect(view.getSnapshot()).toMatchObject({ connection: "ended", text: "a" });
    await until(client.run("r1"), ({ connection }) => connection === "live");
    expect(counted.requests.filter(({ url }) => url.includes(PATH))).toHaveLength(1);
  });
});

describe("sessions", () => {
  const marker = (step: string, attempt: number) => ({ signoff: { step, attempt } });

  it("of another step stay when a step begins anew", () => {
    const said = new Sessions().with({ text: "", items: ["x", marker("a:0", 2), "a", marker("b:0", 2), "b", marker("b:0", 3), "B"] });
    expect(said.messages).toStrictEqual(["a", "B"]);
    expect(said.attempt).toStrictEqual({ step: "b:0", attempt: 3 });
  });

  it("are told apart wherever a text is cut", () => {
    const whole = "one\n--- a:0, attempt 2 ---\ntwo\nthree";
    for (let cut = 0; cut <= whole.length; cut++) {
      const said = new Sessions().with({ text: whole.slice(0, cut) }).with({ text: whole.slice(cut) });
      expect(said.text).toBe("two\nthree");
    }
  });

  it("are not told apart by what only looks like a marker", () => {
    const items = [{ signoff: { step: "a:0" } }, { signoff: { step: "a:0", attempt: 2 }, more: 1 }, "--- a:0, attempt 2 ---\n"];
    expect(new Sessions().with({ text: "", items }).messages).toStrictEqual(items);
    expect(new Sessions().with({ text: "so: --- a:0, attempt 2 ---\n" }).attempt).toBeUndefined();
  });
});
