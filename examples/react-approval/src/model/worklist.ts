/** Which requests and runs a list shows, and in what words. Pure. */

import type { InputRow, RunRow } from "@signoff/client";
import { type Finding, asReport } from "./claim";
import { type Money, moneyParts } from "./format";

export interface Item {
  title: string;
  who: string;
  amount: Money | null;
  findings: readonly Finding[];
  /** Everything a search looks through, in lower case. */
  text: string;
}

/** Describe a request for the list. */
export function requestItem(request: InputRow): Item {
  const report = asReport(request.show);
  if (!report) return item({ title: request.title, who: request.run_id, amount: null, findings: [] }, [request.run_id]);
  const { claim } = report;
  return item(
    { title: claim.title, who: claim.claimant.name, amount: moneyParts(claim.total, claim.currency), findings: report.findings },
    [claim.id, claim.claimant.department, claim.claimant.email, claim.purpose, request.run_id],
  );
}

/** Describe a run for the list. A listing carries no inputs or outputs, so what it shows is in the run's tags. */
export function runItem(run: RunRow): Item {
  const [total, currency] = tagOf(run, "total")?.split(" ") ?? [];
  return item(
    {
      title: tagOf(run, "title") ?? run.id,
      who: tagOf(run, "from") ?? "",
      amount: total !== undefined && currency !== undefined ? moneyParts(total, currency) : null,
      findings: [],
    },
    [run.id, run.status, ...run.tags],
  );
}

/** Read a tag of the form `name:text`. */
export function tagOf(run: RunRow, name: string): string | undefined {
  return run.tags.find((tag) => tag.startsWith(`${name}:`))?.slice(name.length + 1);
}

/** Keep what contains every word of the search. */
export function matches(text: string, search: string): boolean {
  return search
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function item(shown: Omit<Item, "text">, more: string[]): Item {
  const { whole, fraction, after } = shown.amount ?? { whole: "", fraction: "", after: "" };
  const text = [shown.title, shown.who, whole + fraction + after, ...more].join(" ").toLocaleLowerCase();
  return { ...shown, text };
}
