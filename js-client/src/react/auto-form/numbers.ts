/**
 * What a person typed as a number, read by one rule in every country. Pure.
 *
 * A comma and a point may both be the decimal sign. What can be read in one way only is accepted: `1,5`, `1.50`,
 * `1 500,25`, `1.500,25`, `1,500.25`, `1.500.000`, `0,125`. One sign with three digits behind it and one to three before
 * it, such as `1,500`, can be read in two ways, and is refused with both.
 */
import type { AutoFormWords } from "./words.js";

export type Reading<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly problem: string };

const SPACES = /[ \u00a0\u2009\u202f'’_]/g;

/** Read a number as plain decimal text: an optional minus, digits, and a point with digits. */
export function readNumber(typed: string, words: AutoFormWords): Reading<string> {
  const [, sign = "", rest = ""] = /^([-+\u2212]?)(.*)$/su.exec(typed.trim()) ?? [];
  const [mantissa = "", exponent, ...more] = rest.split(/[eE]/);
  const plain = readDigits(mantissa);
  if (plain === null || more.length > 0 || (exponent !== undefined && !/^[-+]?\d{1,3}$/.test(exponent))) {
    return { ok: false, problem: words.notNumber(typed) };
  }
  if (typeof plain !== "string") {
    const whole = sign + plain.whole;
    return { ok: false, problem: words.twoReadings(typed, sign + trimZeros(plain.decimal), whole, sign + unambiguous(plain.decimal)) };
  }
  const text = shift(plain, Number(exponent ?? 0));
  return { ok: true, value: /^[-\u2212]$/.test(sign) && /[1-9]/.test(text) ? `-${text}` : text };
}

/** Give the number that JSON can carry, or null if it would come out as another one. */
export function exactNumber(text: string): number | null {
  const number = Number(text);
  return Number.isFinite(number) && trimZeros(plainText(String(number))) === trimZeros(plainText(text)) ? number : null;
}

/** Write decimal text so that `readNumber` can only read it as what it is: `12.345` becomes `12.3450`. */
export function unambiguous(text: string): string {
  const plain = plainText(text);
  if (!TWO_READINGS.test(plain)) return plain;
  const short = trimZeros(plain);
  return TWO_READINGS.test(short) ? `${short}0` : short;
}

const TWO_READINGS = /^-?[1-9]\d{0,2}\.\d{3}$/;

/** Texts, which are passed over, and numbers. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** Read JSON text. A number that would come out as another one is refused by name. */
export function readJson(text: string, words: AutoFormWords): Reading<unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: words.notJson(error instanceof Error ? error.message : "?") };
  }
  for (const [token] of text.matchAll(TOKENS)) {
    if (!token.startsWith('"') && exactNumber(token) === null) return { ok: false, problem: words.tooExact(token, String(Number(token))) };
  }
  return { ok: true, value };
}

/** Write out an exponent: `1e+21` becomes a one with 21 zeros. What is no number stays as it is. */
function plainText(text: string): string {
  const [, sign = "", digits, exponent] = /^(-?)(\d*\.?\d+|\d+\.)(?:[eE]([-+]?\d{1,3}))?$/.exec(text) ?? [];
  return digits === undefined ? text : sign + shift(digits, Number(exponent ?? 0));
}

type Digits = string | { readonly decimal: string; readonly whole: string } | null;

function readDigits(text: string): Digits {
  const spaced = text.match(SPACES);
  if (spaced !== null) {
    if (new Set(spaced).size > 1 || !/^\d{1,3}(?:\D\d{3})+(?:[.,]\d+)?$/.test(text)) return null;
    const [whole = "", fraction] = text.replace(SPACES, "").split(/[.,]/);
    return tidy(whole, fraction);
  }
  const signs = text.match(/[.,]/g) ?? [];
  if (!/^[\d.,]*\d[\d.,]*$/.test(text)) return null;
  const last = signs.at(-1);
  if (last === undefined) return tidy(text);
  if (signs.length === 1) {
    const [whole = "", fraction = ""] = text.split(last);
    if (/^[1-9]\d{0,2}$/.test(whole) && fraction.length === 3) return { decimal: `${whole}.${fraction}`, whole: whole + fraction };
    return tidy(whole, fraction);
  }
  if (new Set(signs).size === 1) return /^\d{1,3}(?:[.,]\d{3})+$/.test(text) ? tidy(text.replaceAll(last, "")) : null;
  // Both stand there: the last one is the decimal sign, the other groups thousands.
  if (!/^\d{1,3}(?:\.\d{3})+,\d+$|^\d{1,3}(?:,\d{3})+\.\d+$/.test(text)) return null;
  const [whole = "", fraction] = text.split(last);
  return tidy(whole.replace(/[.,]/g, ""), fraction);
}

function tidy(whole: string, fraction = ""): string {
  const digits = whole.replace(/^0+(?=\d)/, "") || "0";
  return fraction === "" ? digits : `${digits}.${fraction}`;
}

/** Move the decimal point. */
function shift(text: string, by: number): string {
  const [whole = "", fraction = ""] = text.split(".");
  if (by === 0) return tidy(whole, fraction);
  const digits = whole + fraction;
  const point = whole.length + by;
  if (point <= 0) return tidy("", digits.padStart(digits.length - point, "0"));
  return tidy(digits.slice(0, point).padEnd(point, "0"), digits.slice(point));
}

function trimZeros(text: string): string {
  const trimmed = text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  return trimmed === "-0" ? "0" : trimmed;
}
