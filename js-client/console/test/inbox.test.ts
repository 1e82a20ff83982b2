/** Which requests are listed, and what each filter counts. */
import type { InputRow, RunRow } from "@signoff/client";
import { beforeEach, describe, expect, it } from "vitest";
import { claimerOf, listed, wantedOf } from "../src/inbox/model";
import { isNewsOfRun, look, lookAtRun, lookedAt, newsOf, seenBy } from "../src/model/seen";

const NOW = Date.parse("2026-03-01T12:00:00Z");

function row(n: number, more: Partial<InputRow> = {}): InputRow {
  const base = {
    id: `r${n}/approve:0`, run_id: `r${n}`, workflow: "expense", name: "approve", n: 0, title: `Claim ${n}`, description: null, schema: {}, form: null, ui: {},
    show: null, initial: null, actions: ["approve"], choices: {}, audience: ["group:finance"], forbid: [], quorum: null, votes: [], claim: null,
    deadline: null, revision: 0, revised: "0000000000000002", errors: [], status: "pending", asked_at: `2026-03-01T10:00:0${n}Z`,
    decided_by: null, decided_at: null, action: null, reason: null, schedule: [], wizard: null, history: [],
  } as unknown as InputRow;
  return { ...base, ...more };
}

const claim = { by: { kind: "person", id: "user:ann" }, until: "2026-03-01T12:30:00Z" } as InputRow["claim"];
const all = [
  row(1, { deadline: "2026-03-01T11:00:00Z" }),
  row(2, { deadline: "2026-03-01T20:00:00Z", claim }),
  row(3, { workflow: "hire", title: "Offer for Inês", show: { note: "starts in May" } }),
];

function find(query: string) {
  return listed(all, wantedOf(new URLSearchParams(query)), NOW, "user:ann");
}

beforeEach(() => { seenBy(`somebody ${Math.random()}`); });

describe("the list", () => {
  it("is the newest first, and in whatever order the address says", () => {
    expect(find("").requests.map(({ run_id }) => run_id)).toStrictEqual(["r3", "r2", "r1"]);
    expect(find("sort=old").requests.map(({ run_id }) => run_id)).toStrictEqual(["r1", "r2", "r3"]);
    expect(find("sort=due").requests.map(({ run_id }) => run_id)).toStrictEqual(["r1", "r2", "r3"]);
    expect(find("sort=title").requests.map(({ title }) => title)).toStrictEqual(["Claim 1", "Claim 2", "Offer for Inês"]);
    expect(find("sort=nonsense&view=nonsense").requests).toHaveLength(3);
  });

  it("counts for each view what that view would show, whatever else is filtered", () => {
    const views = ["all", "overdue", "soon", "mine", "free"] as const;
    for (const others of ["", "q=claim", "workflow=hire", "q=may&workflow=hire"]) {
      const { counts } = find(others);
      for (const view of views) expect([others, view, counts[view]]).toStrictEqual([others, view, find(`${others}&view=${view}`).requests.length]);
    }
    expect(find("").counts).toMatchObject({ all: 3, overdue: 1, soon: 1, mine: 1, free: 2 });
  });

  it("finds each word anywhere that a person can read", () => {
    expect(find("q=MAY offer").requests.map(({ run_id }) => run_id)).toStrictEqual(["r3"]);
    expect(find("q=r2").requests).toHaveLength(1);
    expect(find("q=nowhere").requests).toHaveLength(0);
  });

  it("takes a claim whose time is over for none", () => {
    expect(claimerOf(all[1] ?? row(0), NOW)).toBe("user:ann");
    expect(claimerOf(all[1] ?? row(0), NOW + 3_600_000)).toBeNull();
  });
});

describe("what was looked at", () => {
  const by = (id: string) => ({ kind: "person", id }) as const;

  it("is new no more, until it changes", () => {
    const one = row(1);
    expect(newsOf(one, null)).toBe("new");
    look(one);
    expect(newsOf(one, null)).toBeNull();
    expect(newsOf({ ...one, revised: "0000000000000009", revision: 1 }, null)).toBe("changed");
  });

  it("has changed by what others do and say since, and not by what one does oneself", () => {
    const one = row(1);
    look(one);
    const voted = (id: string): InputRow => ({ ...one, votes: [{ by: by(id), action: "approve", at: "2026-03-01T11:00:00Z" }] });
    expect(newsOf(voted("user:bora"), "user:ann")).toBe("changed");
    expect(newsOf(voted("user:ann"), "user:ann")).toBeNull();
    expect(newsOf(one, "user:ann", [{ by: by("user:bora"), at: "2026-03-01T11:30:00Z" }])).toBe("changed");
    look(voted("user:bora"), [{ by: by("user:bora"), at: "2026-03-01T11:30:00Z" }]);
    expect(newsOf(voted("user:bora"), "user:ann", [{ by: by("user:bora"), at: "2026-03-01T11:30:00Z" }])).toBeNull();
    expect(newsOf({ ...one, history: [{ what: "delegated", by: by("user:bora"), at: "2026-03-01T11:31:00Z", reason: null }] }, "user:ann")).toBe("changed");
  });

  it("is each person's own", () => {
    const one = row(1);
    look(one);
    seenBy("somebody else");
    expect(newsOf(one, null)).toBe("new");
  });

  it("says of a run that was looked at whether it has gone on", () => {
    const run = { id: "r1", updated_at: "2026-03-01T10:00:00Z", status: "waiting" } as RunRow;
    expect(isNewsOfRun(run)).toBe(false);
    lookAtRun(run);
    expect(isNewsOfRun(run)).toBe(false);
    expect(isNewsOfRun({ ...run, updated_at: "2026-03-01T10:00:01Z" })).toBe(true);
  });

  it("is remembered of the latest, and what was asked of fewer", () => {
    for (let n = 0; n < 150; n++) look({ ...row(1), run_id: `many-${n}` });
    expect(lookedAt("many-0/approve:0")).toMatchObject({ revision: 0 });
    expect(lookedAt("many-0/approve:0")?.about).toBeUndefined();
    expect(lookedAt("many-149/approve:0")?.about).toMatchObject({ title: "Claim 1" });
  });
});
