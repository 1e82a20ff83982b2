/** What a run has done, put in order from rows and journal. */
import type { RunRow, RunSnapshot, StepRow } from "@signoff/client";
import { describe, expect, it } from "vitest";
import type { JournalEntry } from "../src/model/api";
import { parseRoute, href } from "../src/model/route";
import { fits } from "../src/runs/fitting";
import { piecesOf } from "../src/runs/said";
import { momentKey, momentsOf } from "../src/runs/moments";

const at = (s: number): string => new Date(1_700_000_000_000 + s * 1000).toISOString();
const ms = (s: number): number => 1_700_000_000_000 + s * 1000;

function snapshot(run: Partial<RunRow>, steps: Partial<StepRow>[]): RunSnapshot {
  const row = { id: "r1", workflow: "w", version: "1", status: "failed", created_at: at(0), updated_at: at(90), tags: [], parent: null, started_by: null, error: { code: "step_failed", message: null }, ...run };
  return { connection: "live", run: row as RunRow, steps: steps as StepRow[], inputs: [], progress: [], rows: () => [] };
}

const step = { id: "post:0", name: "post", n: 0, label: null, status: "failed", attempt: 2, started_at: at(10), ended_at: at(20), retry_at: null, error: null } as const;
const frames = [{ file: "a.py", line: 3, function: "f" }];
const journal: JournalEntry[] = [
  { type: "run.started", at: ms(0) },
  { type: "timer.started", at: ms(1), id: "sleep:0", fire_at: ms(5) },
  { type: "timer.fired", at: ms(5), id: "sleep:0" },
  { type: "event.awaited", at: ms(6), id: "paid:0", topic: "paid" },
  { type: "event.received", at: ms(8), topic: "paid" },
  { type: "event.awaited", at: ms(9), id: "paid:1", topic: "paid" },
  { type: "step.failed", at: ms(15), id: "post:0", attempt: 1, error: { code: "oops", message: "first", frames } },
  { type: "step.failed", at: ms(20), id: "post:0", attempt: 2, error: { code: "oops", message: "second", frames } },
  { type: "run.failed", at: ms(90), error: { code: "step_failed", message: "post:0 failed", frames } },
];

describe("the timeline", () => {
  it("has steps, waits and the end in the order of time, with what operators may read", () => {
    const moments = momentsOf(snapshot({}, [step]), journal);
    expect(moments.map(momentKey)).toStrictEqual(["started", "timer/sleep:0", "event/paid:0", "event/paid:1", "step/post:0", "ended"]);
    expect(moments[1]).toMatchObject({ until: at(5), done: at(5) });
    expect(moments[2]).toMatchObject({ done: at(8), over: false });
    expect(moments[3]).toMatchObject({ done: null, over: false });
    expect(moments[4]).toMatchObject({ attempts: [{ attempt: 1, trouble: { message: "first" } }, { attempt: 2, trouble: { frames } }] });
    expect(moments[5]).toMatchObject({ trouble: { message: "post:0 failed", frames } });
  });

  it("says without the journal what rows say, and no frame", () => {
    const moments = momentsOf(snapshot({}, [step]), []);
    expect(moments.map(({ kind }) => kind)).toStrictEqual(["started", "step", "ended"]);
    expect(JSON.stringify(moments)).not.toContain("frames\":[{");
  });

  it("goes on without an end while the run does", () => {
    expect(momentsOf(snapshot({ status: "sleeping", error: null }, []), []).map(({ kind }) => kind)).toStrictEqual(["started"]);
  });
});

describe("addresses", () => {
  it("are read as they were written, whatever is in them", () => {
    const route = parseRoute(href(["inbox", "r/1", "approve:0"], { q: "a&b #c", view: null }));
    expect([route.page, route.path, [...route.query]]).toStrictEqual(["inbox", ["r/1", "approve:0"], [["q", "a&b #c"]]]);
    expect(parseRoute("").page).toBe("inbox");
    expect(parseRoute("#/runs/%E0%A4%A").path).toStrictEqual(["%E0%A4%A"]);
  });
});

describe("verbs", () => {
  it("are offered where they can do something", () => {
    const offered = (status: RunRow["status"]) => (["pause", "resume", "cancel", "terminate", "retry", "delete"] as const).filter((verb) => fits(verb, { status } as RunRow));
    expect(offered("waiting")).toStrictEqual(["pause", "cancel", "terminate"]);
    expect(offered("paused")).toStrictEqual(["resume", "cancel", "terminate"]);
    expect(offered("failed")).toStrictEqual(["terminate", "retry", "delete"]);
    expect(offered("blocked")).toStrictEqual(["pause", "cancel", "terminate", "retry"]);
    expect(offered("completed")).toStrictEqual(["delete"]);
  });
});

describe("outputs", () => {
  it("are drawn as text, chunks of the AI SDK by what they add", () => {
    expect(piecesOf(["Hi ", "you", { done: 2 }])).toStrictEqual([{ kind: "text", text: "Hi you" }, { kind: "json", text: '{"done":2}' }]);
    const chunks = [
      { type: "start" }, { type: "reasoning-start", id: "1" }, { type: "reasoning-delta", id: "1", delta: "Hm" }, { type: "reasoning-delta", id: "1", delta: "m." }, { type: "reasoning-end", id: "1" },
      { type: "text-start", id: "2" }, { type: "text-delta", id: "2", delta: "One." }, { type: "text-end", id: "2" }, { type: "text-start", id: "3" }, { type: "text-delta", id: "3", delta: "Two." },
      { type: "tool-input-available", toolCallId: "c", toolName: "remove", input: { path: "log" } }, { type: "finish" },
    ];
    expect(piecesOf(chunks)).toStrictEqual([
      { kind: "reasoning", text: "Hmm." }, { kind: "text", text: "One." }, { kind: "text", text: "Two." }, { kind: "tool", name: "remove", text: '{"path":"log"}' },
    ]);
    expect(piecesOf([])).toStrictEqual([]);
  });
});
