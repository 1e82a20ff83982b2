import { describe, expect, it } from "vitest";
import { clock, day, dayRange, duration, instant, money, relative, words } from "./format";

const plain = (text: string) => text.replace(/\s/g, " ");

describe("money", () => {
  it("writes the currency's own number of decimals", () => {
    expect(plain(money("1095.68", "EUR", "en"))).toBe("EUR 1,095.68");
    expect(plain(money("20580.00", "JPY", "en"))).toBe("JPY 20,580");
  });

  it("follows the reader's language", () => {
    expect(plain(money("1095.68", "EUR", "de"))).toBe("1.095,68 EUR");
  });

  it("writes what Intl does not know behind the number", () => {
    expect(plain(money(12.5, "points", "en"))).toBe("12.5 points");
  });

  it("rounds nothing", () => {
    expect(plain(money("12345678901234567.89", "EUR", "en"))).toBe("EUR 12,345,678,901,234,567.89");
    expect(plain(money("10.005", "EUR", "en"))).toBe("EUR 10.005");
    expect(plain(money("0.1250", "points", "en"))).toBe("0.125 points");
  });

  it("says nothing about what is no amount", () => {
    expect(money(null, "EUR")).toBe("–");
    expect(money("a lot", "EUR")).toBe("–");
  });
});

describe("days", () => {
  it("do not move with the time zone", () => {
    expect(day("2026-06-04", "en")).toBe("Jun 4");
    expect(plain(dayRange("2026-06-04", "2026-06-08", "en"))).toBe("Jun 4 – 8, 2026");
  });

  it("stay as they are if they are none", () => {
    expect(day("soon")).toBe("soon");
    expect(dayRange("soon", "later")).toBe("soon – later");
  });
});

describe("relative", () => {
  const now = Date.parse("2026-06-01T12:00:00Z");

  it.each([
    ["2026-06-01T12:00:00Z", "now"],
    ["2026-06-01T11:59:57Z", "3 seconds ago"],
    ["2026-06-01T11:40:00Z", "20 minutes ago"],
    ["2026-05-31T12:00:00Z", "24 hours ago"],
    ["2026-06-04T12:00:00Z", "in 3 days"],
  ])("%s is %s", (iso, text) => {
    expect(relative(iso, now, "long", "en")).toBe(text);
  });
});

describe("what cannot be told", () => {
  it("is a date where now is not known, and stays as it is where it is none", () => {
    expect(plain(relative("2026-06-01T12:00:00Z", null, "long", "en"))).toContain("2026");
    expect(relative("soon", 0)).toBe("soon");
    expect(instant("soon")).toBe("soon");
    expect(clock("soon")).toBe("soon");
  });
});

describe("duration", () => {
  it.each([
    [-5, "0 ms"],
    [14, "14 ms"],
    [2100, "2.1 s"],
    [42_300, "42 s"],
    [184_000, "3 min 4 s"],
    [7_800_000, "2 h 10 min"],
    [273_600_000, "3 d 4 h"],
  ])("%i ms is %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe("words", () => {
  it("turns names into words", () => {
    expect(words("over_limit")).toBe("Over limit");
    expect(words("reimburse")).toBe("Reimburse");
  });
});
