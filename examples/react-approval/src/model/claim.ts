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

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isAmount: Check = (value) => typeof value === "string" || typeof value === "number";
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const shaped =
  (members: Record<string, Check>): Check =>
  (value) =>
    typeof value === "object" && value !== null && Object.entries(members).every(([name, check]) => check((value as Record<string, unknown>)[name]));

const isItem = shaped({ date: isText, category: isText, description: isText, amount: isAmount, receipt: orNull(isText) });

const isClaim = shaped({
  id: isText,
  title: isText,
  claimant: shaped({ name: isText, email: isText, department: isText }),
  cost_centre: isText,
  currency: isText,
  total: isAmount,
  items: listOf(isItem),
  submitted: isText,
  purpose: isText,
  trip: orNull(shaped({ destination: isText, start: isText, end: isText })),
});

const isFinding = shaped({ code: isText, message: isText, item: orNull((value) => typeof value === "number") });
const isReport = shaped({ claim: isClaim, amount: isAmount, findings: listOf(isFinding) });
const isBooking = shaped({ reference: isText, paid: isAmount, booked: isAmount, rate: isAmount, memo: isText });

const isReceipt = shaped({
  outcome: (value) => value === "paid" || value === "declined" || value === "expired",
  currency: isText,
  booking: orNull(isBooking),
  decided_by: orNull(isText),
  comment: isText,
});

/** Read a request's `show` as a report, or null if it is something else: every member has to be what it is taken for. */
export function asReport(value: unknown): Report | null {
  return isReport(value) ? (value as Report) : null;
}

/** Read a run's output as a receipt, or null if it is something else. */
export function asReceipt(value: unknown): Receipt | null {
  return isReceipt(value) ? (value as Receipt) : null;
}

/** Group what the checks found by line item; what concerns the whole claim comes under null. */
export function findingsByItem(report: Report): Map<number | null, Finding[]> {
  const groups = new Map<number | null, Finding[]>();
  for (const finding of report.findings) groups.set(finding.item, [...(groups.get(finding.item) ?? []), finding]);
  return groups;
}
