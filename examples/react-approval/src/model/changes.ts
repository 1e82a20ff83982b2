/** What a revision changed, in words: a person who read the old one should not have to search. */

import type { InputRow } from "@signoff/client";
import type { Change } from "@signoff/client/react";
import { day, moment, money, words } from "./format";
import { type Claim, type LineItem, type Report, asReport } from "./claim";

/** Compare the revision of a request that was read with the one that stands now: all that a person sees of it. */
export function requestChanges(before: InputRow, after: InputRow): Change[] {
  const texts = ({ title, description, deadline, actions, choices }: InputRow): Record<string, string | null> => ({
    "What is asked": title,
    Description: description,
    Deadline: deadline === null ? null : moment(deadline),
    "Possible answers": actions.map((action) => choices[action]?.label ?? action).join(", "),
  });
  return [...compare(texts(before), texts(after)), ...compare({ "Proposed answer": text(before.initial) }, { "Proposed answer": text(after.initial) }), ...changesBetween(before.show, after.show)];
}

/** Compare what was shown with what is shown now. Things that are not reports are compared member by member. */
export function changesBetween(before: unknown, after: unknown): Change[] {
  const [old, now] = [asReport(before), asReport(after)];
  return old && now ? reportChanges(old, now) : memberChanges(before, after);
}

function reportChanges(old: Report, now: Report): Change[] {
  return [
    ...factChanges(old.claim, now.claim),
    ...itemChanges(old.claim, now.claim),
    ...findingChanges(old, now),
  ];
}

function factChanges(old: Claim, now: Claim): Change[] {
  const facts = (claim: Claim): Record<string, string | null> => ({
    Title: claim.title,
    Total: money(claim.total, claim.currency),
    "Cost centre": claim.cost_centre,
    Purpose: claim.purpose || null,
    Trip: claim.trip && `${claim.trip.destination}, ${claim.trip.start} – ${claim.trip.end}`,
  });
  return compare(facts(old), facts(now));
}

function itemChanges(old: Claim, now: Claim): Change[] {
  return compare(itemTexts(old), itemTexts(now));
}

function findingChanges(old: Report, now: Report): Change[] {
  const texts = ({ claim, findings }: Report): Record<string, string | null> =>
    named(
      findings.map(({ code, item, message }) => {
        const about = item === null ? undefined : claim.items[item]?.description;
        return [about === undefined ? words(code) : `${words(code)}: ${about}`, message] as const;
      }),
    );
  return compare(texts(old), texts(now));
}

/** Items are known by their description. */
function itemTexts(claim: Claim): Record<string, string> {
  return named(claim.items.map((item) => [item.description, itemText(item, claim.currency)] as const));
}

/** Put texts under their names; the second of a name is called so. */
function named<Text>(entries: readonly (readonly [string, Text])[]): Record<string, Text> {
  const texts = new Map<string, Text>();
  for (const [wanted, text] of entries) {
    let name = wanted;
    for (let n = 2; texts.has(name); n += 1) name = `${wanted} (${n})`;
    texts.set(name, text);
  }
  return Object.fromEntries(texts);
}

function itemText(item: LineItem, currency: string): string {
  return [day(item.date), money(item.amount, currency), item.receipt ? `receipt ${item.receipt}` : "no receipt"].join(", ");
}

function memberChanges(before: unknown, after: unknown): Change[] {
  const members = (value: unknown): Record<string, string | null> =>
    typeof value === "object" && value !== null
      ? named(Object.entries(value).map(([name, member]) => [words(name), text(member)] as const))
      : { Value: text(value) };
  return compare(members(before), members(after));
}

function text(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function compare(before: Record<string, string | null>, after: Record<string, string | null>): Change[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .map((what) => ({ what, before: own(before, what), after: own(after, what) }))
    .filter((change) => change.before !== change.after);
}

/** A name may be that of a member that every object has: `constructor`. */
function own(texts: Record<string, string | null>, name: string): string | null {
  return Object.hasOwn(texts, name) ? (texts[name] ?? null) : null;
}
