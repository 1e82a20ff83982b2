/** The protocol's vectors, as far as they concern a client: folding rows, and what a reply means. */
import { readFileSync } from "node:fs";
import { MaterializedState } from "@durable-streams/state";
import type { ChangeEvent } from "@durable-streams/state";
import { DurableStreamTestServer } from "@durable-streams/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { InputRow, Row } from "../src/index.js";
import { readProblem } from "../src/problem.js";
import { judge } from "../src/submission.js";
import type { Given } from "../src/submission.js";
import type { Reply } from "../src/transport.js";

interface Case {
  readonly name: string;
  readonly why: string;
}

interface RowsCase extends Case {
  readonly streams: Readonly<Record<string, readonly ChangeEvent[]>>;
  readonly closed: boolean;
  readonly final: Readonly<Record<string, readonly FinalRow[]>>;
}

interface FinalRow {
  readonly type: string;
  readonly key: string;
  readonly value: Row;
}

interface AnswersCase extends Case {
  readonly row: InputRow;
  readonly body: unknown;
  readonly reply: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Readonly<Record<string, unknown>>;
  };
  readonly expect: { readonly code: string | null; readonly pointers?: readonly string[] };
  readonly client_state: "accepted" | "invalid" | "stale" | "decided" | "refused";
}

interface OffsetsFile {
  readonly ascending: readonly string[];
}

const rows = cases<RowsCase>("rows.json");
const answers = cases<AnswersCase>("answers.json");

function load(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../protocol/vectors/${name}`, import.meta.url), "utf8"));
}

function cases<C extends Case>(name: string): readonly C[] {
  return (load(name) as { cases: readonly C[] }).cases;
}

describe("rows: any State Protocol materializer folds them", () => {
  it.each(rows)("$name", ({ streams, final }) => {
    for (const [path, messages] of Object.entries(streams)) {
      const state = new MaterializedState();
      state.applyBatch([...messages]);
      const types = new Set(messages.map(({ type }) => type));
      const left = [...types].flatMap((type) =>
        [...state.getType(type)].map(([key, value]) => ({ type, key, value })),
      );
      expect(left).toHaveLength(final[path]?.length ?? 0);
      expect(left).toEqual(expect.arrayContaining([...(final[path] ?? [])]));
    }
  });
});

describe("rows: the client shows them from a live stream", () => {
  let server: DurableStreamTestServer;
  let url: string;

  beforeAll(async () => {
    server = new DurableStreamTestServer({ port: 0, host: "127.0.0.1" });
    url = await server.start();
  });

  afterAll(() => server.stop());

  it.each(rows.map((each, index) => ({ ...each, index })))("$name", async ({ index, streams, closed, final }) => {
    const base = `${url}/case-${index}`;
    for (const [path, messages] of Object.entries(streams)) {
      const reply = await fetch(`${base}/v1/stream/${path}`, {
        method: "PUT",
        headers: {
          "Content-Type": "application/json",
          ...(closed && path === "runs/r1" ? { "Stream-Closed": "true" } : {}),
        },
        body: JSON.stringify(messages),
      });
      expect(reply.status).toBe(201);
    }
    const client = createSignoff({ url: base, storage: memoryStorage(), timing: { grace: 0 } });
    const view = client.run("r1");
    const snapshot = await new Promise<ReturnType<typeof view.getSnapshot>>((resolve) => {
      const stop = view.subscribe(() => {
        const now = view.getSnapshot();
        if (now.connection !== (closed ? "ended" : "live")) return;
        setTimeout(() => { stop(); });
        resolve(now);
      });
    });
    for (const type of new Set(streams["runs/r1"]?.map((message) => message.type))) {
      const wanted = (final["runs/r1"] ?? []).filter((row) => row.type === type).map(({ value }) => value);
      const shown = snapshot.rows(type);
      expect(shown).toHaveLength(wanted.length);
      expect(shown).toEqual(expect.arrayContaining(wanted));
    }
    expect(snapshot.run).toEqual(final["runs/r1"]?.find(({ type }) => type === "run")?.value);
    client.close();
  });
});

describe("answers: every reply is one of five states", () => {
  const given: Given = { submissionId: "sub-1", action: "approve", value: { approved: true }, seenOffset: "-1" };

  it.each(answers)("$name", ({ reply, row, expect: expected, client_state }) => {
    const verdict = judge(asReply(reply), given, row);
    expect(verdict.kind).toBe("settled");
    if (verdict.kind !== "settled") return;
    const { outcome } = verdict;
    expect(outcome.status).toBe(client_state);
    switch (outcome.status) {
      case "accepted":
        expect(outcome.row).toEqual(reply.body["row"]);
        expect(outcome.offset).toBe(reply.body["offset"]);
        break;
      case "invalid":
        expect(outcome.errors.map(({ pointer }) => pointer).sort()).toEqual(expected.pointers);
        break;
      case "stale":
        expect(outcome.row).toEqual(reply.body["row"]);
        break;
      case "decided":
        expect(outcome.outcome).toBe(expected.code);
        expect(outcome.row).toEqual(reply.body["row"]);
        expect(outcome.by).toEqual(outcome.row.decided_by);
        break;
      case "refused":
        expect(outcome.problem.code).toBe(expected.code);
        break;
    }
  });

  it.each([408, 425, 429, 500, 502, 503, 504])("%i leaves the outcome open, to be asked for again", (status) => {
    const verdict = judge({ ok: false, problem: readProblem(status, "<html>busy</html>") }, given, undefined);
    expect(verdict.kind).toBe("busy");
  });
});

describe("offsets", () => {
  it("sort as text", () => {
    const { ascending } = load("offsets.json") as OffsetsFile;
    expect([...ascending].sort()).toEqual(ascending);
  });
});

function asReply({ status, headers, body }: AnswersCase["reply"]): Reply {
  if (status < 300) return { ok: true, status, headers: new Headers(headers), body };
  return { ok: false, problem: readProblem(status, JSON.stringify(body)) };
}
