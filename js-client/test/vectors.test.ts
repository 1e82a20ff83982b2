/** The protocol's own test vectors, as far as they concern a client. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSignoff } from "../src/index.js";
import type { InputRow, Row } from "../src/index.js";
import { readProblem } from "../src/problem.js";
import { judge } from "../src/submission.js";
import { Transport } from "../src/transport.js";
import type { Reply } from "../src/transport.js";
import { quick } from "./support/network.js";
import { StreamServer } from "./support/streams.js";
import type { Message } from "./support/streams.js";
import { until } from "./support/until.js";

interface AnswerCase {
  readonly name: string;
  readonly row: InputRow;
  readonly body: { readonly submission_id: string; readonly action: string; readonly value: unknown; readonly seen_offset: string; readonly asked_at?: string };
  readonly reply: { readonly status: number; readonly headers: Record<string, string>; readonly body: Record<string, unknown> };
  readonly client_state: string;
}

interface RowCase {
  readonly name: string;
  readonly streams: Readonly<Record<string, readonly Message[]>>;
  readonly closed: boolean;
  readonly final: Readonly<Record<string, readonly { readonly type: string; readonly key: string; readonly value: Row }[]>>;
}

function cases<C>(file: string): readonly C[] {
  const text = readFileSync(new URL(`../../protocol/vectors/${file}`, import.meta.url), "utf8");
  return (JSON.parse(text) as { cases: C[] }).cases;
}

interface NameCase {
  readonly name: string;
  readonly kind: string;
  readonly text: string;
  readonly address?: string;
}

describe("names.json", () => {
  it.each(cases<NameCase>("names.json").filter(({ address }) => address !== undefined))("$name", ({ kind, text, address }) => {
    const segments = kind === "principal" ? ["inbox", text] : text.split("/");
    expect(new Transport("https://x.example", undefined, undefined).address("v1", "stream", ...segments)).toBe(`https://x.example/v1/stream/${address}`);
  });
});

describe("answers.json", () => {
  it.each(cases<AnswerCase>("answers.json"))("$name", ({ row, body, reply, client_state }) => {
    const text = JSON.stringify(reply.body);
    const read: Reply =
      reply.status < 300
        ? { ok: true, status: reply.status, headers: new Headers(reply.headers), body: reply.body }
        : { ok: false, problem: readProblem(reply.status, text) };
    const given = { submissionId: body.submission_id, action: body.action, value: body.value, seenOffset: body.seen_offset };
    const verdict = judge(read, given, row);
    expect(verdict.kind).toBe(client_state === "validating" ? "judged" : "settled");
    if (verdict.kind !== "settled") return;
    expect(verdict.outcome.status).toBe(client_state);
    if ("row" in verdict.outcome) expect(verdict.outcome.row).toStrictEqual(reply.body["row"]);
    if (verdict.outcome.status === "invalid") expect(verdict.outcome.errors).toStrictEqual(reply.body["errors"]);
  });
});

describe("rows.json", () => {
  let streams: StreamServer;
  beforeEach(async () => {
    streams = await new StreamServer().start();
  });
  afterEach(async () => {
    await streams.stop();
  });

  it.each(cases<RowCase>("rows.json"))("$name", async ({ streams: written, closed, final }) => {
    for (const [path, messages] of Object.entries(written)) {
      await streams.create(path, ...messages);
      if (closed && path.startsWith("runs/")) await streams.finish(path);
    }
    const client = createSignoff({ url: streams.url, timing: quick });
    for (const path of Object.keys(written)) {
      const [kind = "", name = ""] = path.split("/");
      const rows = (final[path] ?? []).map(({ type, value }) => ({ type, value })).sort(byId);
      expect(await shown(client, kind, name, closed, rows), path).toStrictEqual(rows);
    }
  });
});

interface Shown {
  readonly type: string;
  readonly value: Row;
}

/** What the client's view of a stream shows, of the types that are expected. */
async function shown(client: ReturnType<typeof createSignoff>, kind: string, name: string, closed: boolean, rows: readonly Shown[]): Promise<Shown[]> {
  const upToDate = ({ connection }: { connection: string }) => connection === "live" || connection === "ended";
  if (kind === "inbox") {
    const { requests } = await until(client.inbox(name), upToDate);
    return requests.map((value) => ({ type: "input", value })).sort(byId);
  }
  if (kind === "workflows") {
    const { runs } = await until(client.runs(name), upToDate);
    return runs.map((value) => ({ type: "run", value })).sort(byId);
  }
  const snapshot = await until(client.run(name), ({ connection }) => connection === (closed ? "ended" : "live"));
  const types = [...new Set([...rows.map(({ type }) => type), "run", "step", "input", "progress"])];
  return types.flatMap((type) => snapshot.rows(type).map((value) => ({ type, value }))).sort(byId);
}

function byId(a: Shown, b: Shown): number {
  const [left, right] = [`${a.type} ${a.value.id}`, `${b.type} ${b.value.id}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
