import { describe, expect, it } from "vitest";
import { asReceipt, asReport } from "./claim";

const claim = {
  id: "exp-1",
  title: "Workshop",
  claimant: { name: "יעל", email: "yael@example.org", department: "Research" },
  cost_centre: "CC-1",
  currency: "EUR",
  total: "57.00",
  submitted: "2026-06-09",
  purpose: "",
  trip: null,
  items: [{ date: "2026-06-04", category: "meals", description: "Lunch", amount: 12, receipt: null }],
};
const report = { claim, amount: "57.00", findings: [{ code: "over_limit", message: "Too much.", item: 0 }] };

describe("asReport", () => {
  it("takes a report", () => {
    expect(asReport(report)).toBe(report);
  });

  it.each([
    null,
    [],
    "claim",
    { claim },
    { ...report, findings: [null] },
    { ...report, findings: [{ code: "x", message: 1, item: null }] },
    { ...report, amount: { a: 1 } },
    { ...report, claim: { ...claim, items: [null] } },
    { ...report, claim: { ...claim, items: {} } },
    { ...report, claim: { ...claim, claimant: "me" } },
    { ...report, claim: { ...claim, trip: { destination: "Oslo" } } },
    { ...report, claim: { ...claim, purpose: null } },
  ])("leaves alone what only looks like one: %j", (value) => {
    expect(asReport(value)).toBeNull();
  });
});

describe("asReceipt", () => {
  const receipt = { outcome: "paid", currency: "EUR", booking: null, decided_by: null, comment: "" };

  it("takes a receipt, and nothing that only looks like one", () => {
    expect(asReceipt(receipt)).toBe(receipt);
    expect(asReceipt({ ...receipt, outcome: "lost" })).toBeNull();
    expect(asReceipt({ ...receipt, booking: {} })).toBeNull();
    expect(asReceipt({ outcome: "paid" })).toBeNull();
  });
});
