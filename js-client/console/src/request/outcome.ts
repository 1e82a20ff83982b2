/** What came of an answer, in words. */
import type { InputRow, Submission } from "@signoff/client";
import { nameOf, words } from "../model/format";
import { t } from "../texts";

export function labelOf(row: Pick<InputRow, "choices">, action: string | null): string {
  if (action === null) return "";
  return row.choices[action]?.label ?? words(action);
}

/** How a request ended, from where `me` stands; null while it has not. */
export function endOf(row: InputRow, me: string | null): string | null {
  switch (row.status) {
    case "answered": {
      const by = row.decided_by;
      const label = labelOf(row, row.action);
      if (by?.kind === "timeout") return t.request.decided.by(t.people.timeout, label);
      if (by?.kind === "policy") return t.request.decided.by(t.people.policy, label);
      if (by?.id === (me ?? "local")) return t.request.decided.you(label);
      return t.request.decided.by(nameOf(by?.id, me), label);
    }
    case "expired":
      return t.request.decided.expired;
    case "withdrawn":
      return t.request.decided.withdrawn;
    case "pending":
    case "validating":
      return null;
  }
}

export function whyNot(outcome: Submission): string {
  switch (outcome.status) {
    case "stale":
      return t.request.outcome.stale;
    case "decided":
      return t.request.outcome.decided;
    case "invalid":
      return outcome.errors.map(({ message }) => message).join(" ") || t.request.outcome.invalid;
    case "refused":
      return outcome.problem.detail ?? outcome.problem.title;
    case "idle":
    case "sending":
    case "waiting-for-network":
    case "validating":
    case "accepted":
    case "voted":
      return "";
  }
}
