/** Amounts, dates and durations in the reader's language. Pure: the time is always passed in. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export type Locale = string | undefined;

/** Write an amount with its currency; a currency Intl does not know is written behind the number. */
export function money(amount: string | number | null, currency: string, locale?: Locale): string {
  const value = Number(amount);
  if (amount === null || Number.isNaN(value)) return "–";
  try {
    return new Intl.NumberFormat(locale, { style: "currency", currency, currencyDisplay: "code" })
      .format(value)
      .replace(/\u00a0/g, "\u202f");
  } catch {
    return `${new Intl.NumberFormat(locale).format(value)}\u202f${currency}`;
  }
}

/** Write a calendar day, such as `2026-05-03`, without letting the time zone move it. */
export function day(iso: string, locale?: Locale): string {
  const at = new Date(`${iso.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(at.getTime())) return iso;
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" }).format(at);
}

/** Write two days as a range. */
export function dayRange(start: string, end: string, locale?: Locale): string {
  const from = new Date(`${start}T00:00:00Z`);
  const to = new Date(`${end}T00:00:00Z`);
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return `${start} – ${end}`;
  return new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }).formatRange(
    from,
    to,
  );
}

/** Write an instant in full, for tooltips and for readers of the details. */
export function instant(iso: string, locale?: Locale): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(iso));
}

/** Write the time of day to the second. */
export function clock(iso: string, locale?: Locale): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "medium" }).format(new Date(iso));
}

/** Say how far an instant is from now, in the largest sensible unit: "3 minutes ago", "in 2 days". */
export function relative(iso: string, now: number, style: "long" | "short" | "narrow" = "long", locale?: Locale): string {
  const distance = new Date(iso).getTime() - now;
  const size = Math.abs(distance);
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style });
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
