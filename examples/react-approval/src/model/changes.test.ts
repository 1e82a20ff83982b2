import { describe, expect, it } from "vitest";
import type { InputRow } from "@signoff/client";
import { changesBetween, requestChanges } from "./changes";
import type { Report } from "./claim";

const report: Report = {
  amount: "57.00",
  findings: [{ code: "missing_receipt", message: "No receipt for EUR 12.00.", item: 1 }],
  claim: {
    id: "exp-1",
    title: "Workshop",
    claimant: { name: "יעל", email: "yael@example.org", department: "Research" },
    cost_centre: "CC-1",
    currency: "EUR",
    total: "57.00",
    submitted: "2026-06-09",
    purpose: "",
    trip: null,
    items: [
      { date: "2026-06-04", category: "transport", description: "Train", amount: "45.00", receipt: "a.pdf" },
      { date: "2026-06-04", category: "meals", description: "Lunch", amount: "12.00", receipt: null },
    ],
  },
};

const plain = (text: string | null) => text?.replace(/\s/g, " ") ?? null;

describe("requestChanges", () => {
  const row = { title: "Well?", description: null, deadline: null, actions: ["submit"], choices: { submit: { label: "Send" } }, initial: null, show: null } as unknown as InputRow;

  it("names all that a person sees of a request", () => {
    expect(requestChanges(row, { ...row })).toEqual([]);
    const next = { ...row, title: "Sure?", actions: ["approve", "reject"], choices: { approve: { label: "Approve", intent: "positive" as const, confirm: null } }, initial: { a: 1 }, show: "new" };
    expect(requestChanges(row, next)).toEqual([
      { what: "What is asked", before: "Well?", after: "Sure?" },
      { what: "Possible answers", before: "Send", after: "Approve, reject" },
      { what: "Proposed answer", before: null, after: '{"a":1}' },
      { what: "Value", before: null, after: "new" },
    ]);
  });
});

describe("changesBetween", () => {
  it("finds nothing in equal reports", () => {
    expect(changesBetween(report, structuredClone(report))).toEqual([]);
  });

  it("names the facts, items and findings that differ", () => {
    const next = structuredClone(report);
    next.claim.total = "60.00";
    next.claim.items[1] = { date: "2026-06-04", category: "meals", description: "Lunch", amount: "15.00", receipt: "b.pdf" };
    next.findings = [];
    const changes = changesBetween(report, next).map(({ what, before, after }) => [what, plain(before), plain(after)]);
    expect(changes.map(([what]) => what)).toEqual(["Total", "Lunch", "Missing receipt: Lunch"]);
    expect(changes[0]?.slice(1)).toEqual(["EUR 57.00", "EUR 60.00"]);
    expect(changes[1]?.[1]).toContain("no receipt");
    expect(changes[1]?.[2]).toContain("receipt b.pdf");
    expect(changes[2]?.slice(1)).toEqual(["No receipt for EUR 12.00.", null]);
  });

  it("tells two items of the same description apart", () => {
    const next = structuredClone(report);
    next.claim.items.push({ date: "2026-06-05", category: "meals", description: "Lunch", amount: "9.00", receipt: null });
    expect(changesBetween(report, next)).toMatchObject([{ what: "Lunch (2)", before: null }]);
  });

  it("loses none of two findings about the same thing, nor a member with a name that every object has", () => {
    const next = structuredClone(report);
    next.findings.push({ code: "missing_receipt", message: "Nor for EUR 3.00.", item: 1 });
    expect(changesBetween(report, next)).toEqual([{ what: "Missing receipt: Lunch (2)", before: null, after: "Nor for EUR 3.00." }]);
    expect(changesBetween({}, { constructor: "x" })).toEqual([{ what: "Constructor", before: null, after: "x" }]);
    expect(changesBetween({ a_b: 1, "a b": 2 }, { a_b: 1, "a b": 3 })).toEqual([{ what: "A b (2)", before: "2", after: "3" }]);
  });

  it("compares what it does not know member by member", () => {
    expect(changesBetween({ risk_score: 3, note: "a" }, { risk_score: 4, note: "a" })).toEqual([
      { what: "Risk score", before: "3", after: "4" },
    ]);
    expect(changesBetween(null, "new")).toEqual([{ what: "Value", before: null, after: "new" }]);
  });
});
