/** Why an answer did not count, in words. Pure. */

import type { Failed, UndeliveredAnswer } from "@signoff/client";
import { type Person, nameOf } from "./identity";

/** Name the request that was answered: by its title, where the refusal brought it along. */
export function aboutUndelivered({ runId, outcome }: Pick<UndeliveredAnswer, "runId" | "outcome">): string {
  const title: unknown = "row" in outcome ? outcome.row.title : null;
  // It comes from a storage that anybody can write to.
  return typeof title === "string" && title !== "" ? title : `Run ${runId}`;
}

/** Say why an answer was refused after its page had gone. */
export function whyUndelivered(outcome: Failed, me: Person): string {
  switch (outcome.status) {
    case "stale":
      return "The request had changed before it arrived. Look at it again.";
    case "invalid":
      return `It did not fit what was asked: ${outcome.errors.map(({ message }) => message).join(" ")}`;
    case "refused":
      return [outcome.problem.title, outcome.problem.detail].filter(Boolean).join(": ");
    case "decided":
      switch (outcome.outcome) {
        case "already_decided":
          return `${nameOf(outcome.by?.id, me)} had decided already.`;
        case "expired":
          return "The deadline had passed.";
        case "withdrawn":
          return "The request had been withdrawn.";
        case "run_closed":
          return "The run was over.";
      }
  }
}
