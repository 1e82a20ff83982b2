/** Which requests and runs a list shows, and in what words. Pure. */

import type { InputRow, RunRow } from "@signoff/client";
import { type Finding, asReceipt, asReport, isClaim } from "./claim";
import { money } from "./format";

export interface Item {
  title: string;
  who: string;
  amount: string | null;
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
    { title: claim.title, who: claim.claimant.name, amount: money(claim.total, claim.currency), findings: report.findings },
    [claim.id, claim.claimant.department, claim.claimant.email, claim.purpose, request.run_id],
  );
}

/** Describe a run for the list; what its workflow does not expose is not there. */
export function runItem(run: RunRow): Item {
  const claim = isClaim(run.input) ? run.input : null;
  const receipt = asReceipt(run.output);
  const amount = receipt?.booking?.paid ?? claim?.total ?? null;
  const currency = receipt?.currency ?? claim?.currency;
  return item(
    {
      title: claim?.title ?? run.id,
      who: claim?.claimant.name ?? run.tags.join(" · "),
      amount: amount !== null && currency ? money(amount, currency) : null,
      findings: [],
    },
    [run.id, run.status, receipt?.outcome ?? "", ...run.tags],
  );
}

/** Keep what contains every word of the search. */
export function matches(text: string, search: string): boolean {
  return search
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function item(shown: Omit<Item, "text">, more: string[]): Item {
  const text = [shown.title, shown.who, shown.amount ?? "", ...more].join(" ").toLocaleLowerCase();
  return { ...shown, text };
}
