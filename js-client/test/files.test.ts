/** Files sent, tried again, given up and read back, against the real server. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createSignoff, isAttachment, memoryStorage } from "../src/index.js";
import type { Signoff, SignoffOptions } from "../src/index.js";
import { quick } from "./support/network.js";
import { SignoffServer, tokenOf } from "./support/signoff.js";
import { until } from "./support/until.js";

const server = new SignoffServer();
const clients: Signoff[] = [];
let count = 0;

beforeAll(() => server.start());
afterAll(() => server.remove());
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function connect(options: Partial<SignoffOptions> = {}): Signoff {
  const submit = { first: 5, most: 20, factor: 2 };
  const client = createSignoff({ url: server.url, timing: { ...quick, submit }, storage: memoryStorage(), ...options });
  clients.push(client);
  return client;
}

async function asked(client: Signoff): Promise<string> {
  const runId = `receipt-${count += 1}`;
  await client.startRun({ workflow: "receipts", runId });
  const view = client.input(runId, "approve:0");
  const stop = view.subscribe(() => undefined);
  await until(view, ({ request }) => request !== undefined);
  stop();
  return runId;
}

const png = (bytes = 2_500_000): File => new File([new Uint8Array(bytes).fill(7)], "Beleg März.png", { type: "image/png" });

describe("a file", () => {
  it("is sent, answered with, read by a step, and downloaded", async () => {
    const client = connect();
    const runId = await asked(client);
    const files = client.files(runId, "approve:0");
    const sent = await files.upload(png());
    if (!sent.ok) throw new Error(sent.problem.title);
    expect(sent.attachment).toMatchObject({ name: "Beleg März.png", type: "image/png", size: 2_500_000 });
    expect(isAttachment(sent.attachment)).toBe(true);
    const view = client.input(runId, "approve:0");
    const stop = view.subscribe(() => undefined);
    await until(view, ({ request }) => request !== undefined);
    expect(await view.answer({ action: "submit", value: { receipt: sent.attachment } })).toMatchObject({ status: "accepted" });
    stop();
    expect(await client.result(runId)).toBe(2_500_000);
    const read = await files.download(sent.attachment);
    if (!read.ok) throw new Error(read.problem.title);
    expect([read.blob.type, read.blob.size]).toStrictEqual(["application/octet-stream", 2_500_000]);
  });

  it("that cannot be taken is refused with what is wrong, at once", async () => {
    const client = connect();
    const files = client.files(await asked(client), "approve:0");
    expect(await files.upload(png(4_000_000))).toMatchObject({ ok: false, problem: { code: "payload_too_large" } });
    expect(await files.upload(new Blob(["x"], { type: "text/html" }))).toMatchObject({ ok: false, problem: { code: "unsupported_media_type" } });
    const stranger = connect({ token: () => tokenOf("eve") }).files("receipt-1", "approve:0");
    expect(await stranger.upload(png(1))).toMatchObject({ ok: false, problem: { code: "not_in_audience" } });
  });

  it("is sent again under its id when the reply was lost", async () => {
    const lost: string[] = [];
    const client = connect({
      fetch: async (input, init) => {
        const reply = await globalThis.fetch(input, init);
        if (init?.method !== "PUT" || lost.length === 2) return reply;
        lost.push(input instanceof Request ? input.url : input.toString());
        throw new TypeError("the reply was lost");
      },
    });
    const runId = await asked(client);
    const sent = await client.files(runId, "approve:0").upload(png(10));
    expect(sent).toMatchObject({ ok: true });
    expect(new Set(lost).size).toBe(1);
  });

  it("that is called off is not sent on", async () => {
    const client = connect();
    const files = client.files(await asked(client), "approve:0");
    const stop = new AbortController();
    stop.abort();
    expect(await files.upload(png(10), { signal: stop.signal })).toMatchObject({ ok: false, problem: { code: "aborted" } });
  });

  it("that is taken away is gone", async () => {
    const client = connect();
    const files = client.files(await asked(client), "approve:0");
    const sent = await files.upload(png(10));
    if (!sent.ok) throw new Error(sent.problem.title);
    expect(await files.remove(sent.attachment)).toStrictEqual({ ok: true });
    expect(await files.download(sent.attachment)).toMatchObject({ ok: false, problem: { status: 404 } });
  });
});
