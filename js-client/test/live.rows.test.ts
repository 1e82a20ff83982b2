import { deepEquals } from "@tanstack/db";
import type * as Db from "@tanstack/db";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createSignoff } from "../src/index.js";
import { HandNetwork, quick } from "./support/network.js";
import { StreamServer, inputRow, message } from "./support/streams.js";
import { until } from "./support/until.js";

vi.mock("@tanstack/db", async (original) => {
  const real = await original<typeof Db>();
  return { ...real, deepEquals: vi.fn(real.deepEquals) };
});

let streams: StreamServer;

beforeEach(async () => {
  streams = await new StreamServer().start();
});

afterEach(async () => {
  await streams.stop();
});

it("after a reconnection each row is compared with what is shown once, not with each batch again", async () => {
  const key = (n: number): string => `r${n}/approve:0`;
  const row = (n: number) => message("input", "insert", key(n), { ...inputRow(), id: key(n), run_id: `r${n}` });
  await streams.create("inbox/user:alice", ...Array.from({ length: 50 }, (_item, n) => row(n)));
  const network = new HandNetwork();
  const client = createSignoff({ url: streams.url, timing: quick, network });
  const inbox = client.inbox("user:alice");
  const stop = inbox.subscribe(() => undefined);
  const before = await until(inbox, ({ requests }) => requests.length === 50);
  network.wake("online");
  await streams.append("inbox/user:alice", row(50));
  const { requests } = await until(inbox, (shown) => shown.requests.length === 51);
  expect(before.requests.every((one) => requests.includes(one))).toBe(true);
  const compared = vi.mocked(deepEquals).mock.calls.length;
  for (const n of [51, 52, 53]) {
    await streams.append("inbox/user:alice", row(n));
    await until(inbox, (shown) => shown.requests.length === n + 1);
  }
  expect(vi.mocked(deepEquals).mock.calls.length).toBe(compared);
  stop();
  client.close();
});
