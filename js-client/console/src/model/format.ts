/** Times, lengths and names as people read them. */
import type { DecidedBy } from "@signoff/client";
import { language, t } from "../texts";

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 31_536_000_000], ["month", 2_592_000_000], ["week", 604_800_000], ["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000],
];
const long = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const narrow = new Intl.RelativeTimeFormat(language, { numeric: "always", style: "narrow" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
// Each is made once: that takes longer than to format with it.
const number = new Intl.NumberFormat(language);
const list = new Intl.ListFormat(language, { type: "conjunction" });
const day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });

/** A distance such as "3 hours ago" or "in 2 days". */
export function relative(at: string, now: number, style: "long" | "narrow" = "long"): string {
  const distance = Date.parse(at) - now;
  const [unit, length] = UNITS.find(([, ms]) => Math.abs(distance) >= ms) ?? ["second", 1000];
  if (unit === "second" && Math.abs(distance) < 10_000) return t.time.now;
  // What is due in two days is not due tomorrow a moment later.
  return (style === "long" ? long : narrow).format(Math.trunc(distance / length + 0.05 * Math.sign(distance)), unit);
}

export function instant(at: string): string {
  return full.format(new Date(at));
}

/** The time of day; with the date where that is another than today's. */
export function timeOfDay(at: string, now: number): string {
  const then = new Date(at);
  const time = clock.format(then);
  return then.toDateString() === new Date(now).toDateString() ? time : `${day.format(then)}, ${time}`;
}

const LENGTHS: readonly (readonly [unit: string, seconds: number])[] = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const unit = (name: string, digits = 0) => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "narrow", maximumFractionDigits: digits });
const [milliseconds, tenths] = [unit("millisecond"), unit("second", 1)];
const whole = LENGTHS.map(([name]) => unit(name));

/** A length such as "340ms", "12s" or "3m 20s". */
export function duration(ms: number): string {
  if (ms < 1000) return milliseconds.format(Math.max(0, Math.round(ms)));
  const s = ms / 1000;
  if (s < 10) return tenths.format(s);
  let left = Math.round(s);
  const parts = LENGTHS.map(([, seconds]) => {
    const count = Math.floor(left / seconds);
    left -= count * seconds;
    return count;
  });
  const first = parts.findIndex((count) => count > 0);
  return parts.map((count, index) => (count === 0 ? "" : (whole[index]?.format(count) ?? ""))).slice(first, first + 2).filter((text) => text !== "").join(" ");
}

const share = new Intl.NumberFormat(language, { style: "percent" });

/** A share such as "40%". */
export function percent(fraction: number): string {
  return share.format(fraction);
}

/** What a name in code says to people: `expense_claim` is "Expense claim". */
export function words(name: string): string {
  const spaced = name.replace(/[_-]+/g, " ").replace(/([a-z0-9])([A-Z])/g, "$1 $2").trim();
  const lower = /[A-Z]{2}/.test(spaced) ? spaced : spaced.toLowerCase();
  return lower.charAt(0).toUpperCase() + lower.slice(1);
}

/** Call a principal by its name; oneself is "you". */
export function nameOf(principal: string | null | undefined, me?: string | null): string {
  if (principal === null || principal === undefined) return t.people.somebody;
  if (principal === me) return t.people.you;
  const [, kind, id] = /^(user|group):(.*)$/su.exec(principal) ?? [];
  if (id === undefined) return principal === "local" ? t.people.operator : principal;
  return kind === "group" ? t.people.group(id) : id;
}

/** Who or what did something: a person, or what nobody did. */
export function actorOf({ kind, id }: DecidedBy, me?: string | null): string {
  if (kind === "person" || kind === "operator") return nameOf(id, me);
  return t.people[kind];
}

export function listOf(items: readonly string[]): string {
  return list.format(items);
}

/** So many are named of those who are asked. */
const MOST_NAMED = 4;

/** Those who are asked something, the first of many by name. */
export function audienceOf(principals: readonly string[], me: string | null): string {
  if (principals.length === 0) return t.request.askedOfOperators;
  const names = [...principals].sort((a, b) => Number(b === me) - Number(a === me)).map((one) => nameOf(one, me));
  return listOf(names.length <= MOST_NAMED ? names : [...names.slice(0, MOST_NAMED - 1), t.people.others(names.length - MOST_NAMED + 1)]);
}

export function count(n: number): string {
  return number.format(n);
}
