/**
 * What `workflow.py` shows of a claim. Amounts are decimals, written as strings on the wire, so that no cent is lost.
 *
 * A request's `show` is whatever a workflow put there, so it is looked at before it is believed.
 */

export interface LineItem {
  date: string;
  category: string;
  description: string;
  amount: string;
  receipt: string | null;
}

export interface Claim {
  id: string;
  title: string;
  claimant: { name: string; email: string; department: string };
  cost_centre: string;
  currency: string;
  total: string;
  items: LineItem[];
  submitted: string;
  purpose: string;
  trip: { destination: string; start: string; end: string } | null;
}

export interface Finding {
  code: string;
  message: string;
  item: number | null;
}

export interface Report {
  claim: Claim;
  /** In house currency. */
  amount: string;
  findings: Finding[];
}

/** One row of the ledger. */
export interface Booking {
  reference: string;
  paid: string;
  booked: string;
  rate: string;
  memo: string;
}

export interface Receipt {
  outcome: "paid" | "declined" | "expired";
  currency: string;
  booking: Booking | null;
  decided_by: string | null;
  comment: string;
}

export const HOUSE_CURRENCY = "EUR";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isClaim(value: unknown): value is Claim {
  return isObject(value) && isObject(value.claimant) && Array.isArray(value.items) && "currency" in value;
}

/** Read a request's `show` as a report, or null if it is something else. */
export function asReport(value: unknown): Report | null {
  if (!isObject(value) || !isClaim(value.claim) || !Array.isArray(value.findings)) return null;
  return value as unknown as Report;
}

/** Read a run's output as a receipt, or null if it is something else. */
export function asReceipt(value: unknown): Receipt | null {
  return isObject(value) && typeof value.outcome === "string" ? (value as unknown as Receipt) : null;
}

/** Group what the checks found by line item; what concerns the whole claim comes under null. */
export function findingsByItem(report: Report): Map<number | null, Finding[]> {
  const groups = new Map<number | null, Finding[]>();
  for (const finding of report.findings) groups.set(finding.item, [...(groups.get(finding.item) ?? []), finding]);
  return groups;
}
