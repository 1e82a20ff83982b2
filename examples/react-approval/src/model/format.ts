/** Amounts, dates and durations in the reader's language. Pure: the time is always passed in. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export type Locale = string | undefined;

/** Making a formatter costs a hundred times what using it does. */
const formatters = new Map<string, unknown>();

function cached<Formatter>(kind: string, locale: Locale, options: object, make: () => Formatter): Formatter {
  const name = JSON.stringify([kind, locale, options]);
  const found = formatters.get(name) as Formatter | undefined;
  if (found !== undefined) return found;
  const made = make();
  formatters.set(name, made);
  return made;
}

function dateFormat(options: Intl.DateTimeFormatOptions, locale: Locale): Intl.DateTimeFormat {
  return cached("date", locale, options, () => new Intl.DateTimeFormat(locale, options));
}

function numberFormat(options: Intl.NumberFormatOptions, locale: Locale): Intl.NumberFormat {
  return cached("number", locale, options, () => new Intl.NumberFormat(locale, options));
}

/** An amount in its pieces, so that amounts below each other can have their decimal signs below each other. */
export interface Money {
  /** The currency, where it stands in front, and all before the decimal sign. */
  whole: string;
  /** The decimal sign and what follows; empty for a currency without. */
  fraction: string;
  /** The currency, where it stands behind. */
  after: string;
}

/** Write an amount with its currency; see `moneyParts`. */
export function money(amount: string | number | null, currency: string, locale?: Locale): string {
  const { whole, fraction, after } = moneyParts(amount, currency, locale);
  return whole + fraction + after;
}

/**
 * Write an amount with its currency, every digit of it: nothing is rounded. A currency Intl does not know is written
 * behind the number.
 */
export function moneyParts(amount: string | number | null, currency: string, locale?: Locale): Money {
  const text = String(amount);
  if (amount === null || !/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return { whole: "–", fraction: "", after: "" };
  const digits = Math.min(/\.(\d*?)0*$/.exec(text)?.[1]?.length ?? 0, 20);
  try {
    const style = { style: "currency", currency, currencyDisplay: "code" } as const;
    const usual = numberFormat(style, locale).resolvedOptions().maximumFractionDigits ?? 2;
    return pieces(numberFormat({ ...style, maximumFractionDigits: Math.max(usual, digits) }, locale), text);
  } catch {
    const { whole, fraction } = pieces(numberFormat({ maximumFractionDigits: Math.max(2, digits) }, locale), text);
    return { whole, fraction, after: `\u202f${currency}` };
  }
}

function pieces(format: Intl.NumberFormat, text: string): Money {
  const parts = format.formatToParts(text as `${number}`);
  const decimal = parts.findIndex(({ type }) => type === "decimal");
  const end = parts.findLastIndex(({ type }) => type === "integer" || type === "fraction") + 1;
  const joined = (from: number, to: number) => parts.slice(from, to).map(({ value }) => value).join("").replace(/\u00a0/g, "\u202f");
  const whole = decimal < 0 ? end : decimal;
  return { whole: joined(0, whole), fraction: joined(whole, end), after: joined(end, parts.length) };
}

/** Write a calendar day, such as `2026-05-03`, without letting the time zone move it. */
export function day(iso: string, locale?: Locale): string {
  const at = new Date(`${iso.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(at.getTime())) return iso;
  return dateFormat({ day: "numeric", month: "short", timeZone: "UTC" }, locale).format(at);
}

/** Write two days as a range. */
export function dayRange(start: string, end: string, locale?: Locale): string {
  const from = new Date(`${start}T00:00:00Z`);
  const to = new Date(`${end}T00:00:00Z`);
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return `${start} – ${end}`;
  return dateFormat({ day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }, locale).formatRange(
    from,
    to,
  );
}

/** Write an instant in full, for tooltips and for readers of the details. */
export function instant(iso: string, locale?: Locale): string {
  return formatted(iso, { dateStyle: "medium", timeStyle: "medium" }, locale);
}

/** Write the time of day to the second. */
export function clock(iso: string, locale?: Locale): string {
  return formatted(iso, { timeStyle: "medium" }, locale);
}

/** Write an instant without its seconds, where its distance from now is not known. */
export function moment(iso: string, locale?: Locale): string {
  return formatted(iso, { dateStyle: "medium", timeStyle: "short" }, locale);
}

/** What is no instant stays as it is. */
function formatted(iso: string, options: Intl.DateTimeFormatOptions, locale: Locale): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : dateFormat(options, locale).format(at);
}

/** Say how far an instant is from now, in the largest sensible unit: "3 minutes ago"; the date where now is not known. */
export function relative(iso: string, now: number | null, style: "long" | "short" | "narrow" = "long", locale?: Locale): string {
  const distance = new Date(iso).getTime() - (now ?? NaN);
  if (Number.isNaN(distance)) return moment(iso, locale);
  const size = Math.abs(distance);
  const options = { numeric: "auto", style } as const;
  const format = cached("relative", locale, options, () => new Intl.RelativeTimeFormat(locale, options));
  if (size < MINUTE) return format.format(Math.round(distance / 1000), "second");
  if (size < HOUR) return format.format(Math.round(distance / MINUTE), "minute");
  if (size < 2 * DAY) return format.format(Math.round(distance / HOUR), "hour");
  return format.format(Math.round(distance / DAY), "day");
}

/** Write how long something took: "480 ms", "2.1 s", "3 min 4 s", "2 h 10 min", "3 d 4 h". */
export function duration(ms: number): string {
  if (ms < 0) return "0 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < MINUTE) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ${Math.floor((ms % MINUTE) / 1000)} s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

/** Turn `over_limit` into "Over limit". */
export function words(name: string): string {
  const text = name.replace(/[_.-]+/g, " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
