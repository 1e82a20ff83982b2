/** The actions of a request, in words: each has a button of its own, so that nobody sends another than they mean. Pure. */

import { words } from "./format";

const LABELS = new Map([
  ["submit", "Send decision"],
  ["approve", "Approve"],
  ["edit", "Send with changes"],
  ["reject", "Reject"],
  ["respond", "Send response"],
  ["back", "Go back"],
]);

const NEEDS_VALUE = new Set(["submit", "approve", "edit", "respond"]);

/** Name the button of an action. */
export function labelOfAction(action: string): string {
  return LABELS.get(action) ?? (words(action) || action);
}

/** Tell whether an action is sent with the form; the others go without it, unless something was typed. */
export function needsValue(action: string): boolean {
  return NEEDS_VALUE.has(action);
}
