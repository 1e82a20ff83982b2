/** What became of a request, in words. Pure. */

import type { InputRow } from "@signoff/client";
import { type Person, nameOf } from "./identity";

const VERBS: Partial<Record<string, Verb>> = { approve: "approved", decline: "declined", reject: "rejected" };

type Verb = "approved" | "declined" | "rejected" | "answered";

/** Say what was decided: by the action, or by the value; "answered" where the workflow keeps that to itself. */
export function verbOf({ action, value }: Pick<InputRow, "action" | "value">): Verb {
  const verb = action !== null && Object.hasOwn(VERBS, action) ? VERBS[action] : undefined;
  if (verb) return verb;
  if (typeof value !== "object" || value === null || !("approved" in value) || typeof value.approved !== "boolean") return "answered";
  return value.approved ? "approved" : "declined";
}

/** Read the comment of an answer that is exposed. */
export function commentOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !("comment" in value)) return null;
  return typeof value.comment === "string" && value.comment !== "" ? value.comment : null;
}

/** Say who ended the request and how: "Bora approved this". */
export function outcomeOf(request: InputRow, me: Person): string {
  switch (request.status) {
    case "answered":
      return `${whoOf(request, me)} ${verbOf(request)} this`;
    case "expired":
      return "The deadline passed before anybody answered";
    case "withdrawn":
      return "This request was withdrawn";
    default:
      return "This request is waiting";
  }
}

const REASONS = new Map([
  ["terminated", "The run was ended from outside."],
  ["cancelled", "The run was cancelled."],
  ["failed", "The run failed."],
  ["completed", "The run ended without it."],
]);

/** Say why a request was withdrawn: in the workflow's words, or what became of its run. */
export function reasonOf({ reason }: Pick<InputRow, "reason">): string | null {
  return reason === null ? null : (REASONS.get(reason) ?? reason);
}

/** Name the one who decided. */
export function whoOf(request: InputRow, me?: Person): string {
  const by = request.decided_by;
  if (!by) return "Somebody";
  return by.kind === "operator" ? "An operator" : nameOf(by.id, me);
}
