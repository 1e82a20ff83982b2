import type { InputRow, RunRow, StepRow } from "@signoff/client";
import { describe, expect, it } from "vitest";
import { PEOPLE, currentPerson, nameOf, tokenFor } from "./identity";
import { hrefOf, parseRoute } from "./route";
import { timeline } from "./timeline";
import { matches, runItem } from "./worklist";

const run: RunRow = {
  id: "exp-1",
  workflow: "expense",
  version: "1",
  status: "completed",
  created_at: "2026-06-01T12:00:00.000Z",
  updated_at: "2026-06-01T12:00:09.000Z",
  tags: ["title:Two days: in Oslo", "from:Łukasz", "total:12.50 NOK"],
  parent: null, started_by: null,
  error: null,
};

describe("route", () => {
  it.each([
    { page: "inbox" },
    { page: "runs" },
    { page: "run", runId: "a/b c" },
    { page: "request", runId: "exp-2026-1001", key: "approve:0" },
  ] as const)("$page survives the address bar", (route) => {
    expect(parseRoute(hrefOf(route))).toEqual(route);
  });

  it("is the inbox where the address is not understood", () => {
    expect(parseRoute("#/request/only-half")).toEqual({ page: "inbox" });
    expect(parseRoute("#/%E0%A4%A")).toEqual({ page: "inbox" });
  });
});

describe("identity", () => {
  it("takes the address before the memory, and neither on faith", () => {
    const bora = { getItem: () => "bora" };
    expect(currentPerson("?as=chidi", bora).id).toBe("chidi");
    expect(currentPerson("", bora).id).toBe("bora");
    expect(currentPerson("?as=mallory", bora).id).toBe("alice");
  });

  it("writes an unsecured token with the person's groups and grants", () => {
    const [header, claims, signature] = tokenFor(PEOPLE[0]).split(".").map((part) => part && (JSON.parse(atob(part)) as unknown));
    expect(header).toEqual({ alg: "none" });
    expect(claims).toEqual({ sub: "alice", groups: ["finance"], grants: ["run:read:*", "workflow:list:expense"] });
    expect(signature).toBe("");
  });

  it("knows people by name", () => {
    expect(nameOf("user:bora")).toBe("Bora");
    expect(nameOf("user:alice", PEOPLE[0])).toBe("You");
    expect(nameOf("user:zoe")).toBe("zoe");
    expect(nameOf(null)).toBe("Somebody");
  });
});

describe("timeline", () => {
  it("puts an answer before the steps it caused, though they were written down together", () => {
    const at = "2026-06-01T12:00:05.000Z";
    const step = { id: "rate:0", name: "rate", started_at: at } as StepRow;
    const input = { id: "approve:0", asked_at: "2026-06-01T12:00:01.000Z", decided_at: at, status: "answered" } as InputRow;
    expect(timeline(run, [step], [input]).map(({ kind }) => kind)).toEqual(["started", "asked", "decided", "step", "ended"]);
  });

  it("ends with what a run is stuck at, which is not over", () => {
    const blocked: RunRow = { ...run, status: "blocked", error: { code: "workflow_stuck", message: null } };
    expect(timeline(blocked, [], []).map(({ kind }) => kind)).toEqual(["started", "blocked"]);
  });
});

describe("worklist", () => {
  it("reads a run's tags", () => {
    expect(runItem(run)).toMatchObject({ title: "Two days: in Oslo", who: "Łukasz" });
    expect(runItem(run).amount).toMatchObject({ fraction: ".50" });
    expect(runItem(run).text).toContain("12.50");
    expect(runItem({ ...run, tags: [] })).toMatchObject({ title: "exp-1", who: "", amount: null });
  });

  it("matches every word of a search, in any case", () => {
    const { text } = runItem(run);
    expect(matches(text, "OSLO łukasz")).toBe(true);
    expect(matches(text, "oslo bora")).toBe(false);
    expect(matches(text, " ")).toBe(true);
  });
});
