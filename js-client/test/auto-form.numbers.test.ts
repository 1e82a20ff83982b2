import { describe, expect, it } from "vitest";
import { exactNumber, readJson, readNumber as readNumberIn, unambiguous } from "../src/react/auto-form/numbers.js";
import { englishWords } from "../src/react/index.js";

const readNumber = (typed: string) => readNumberIn(typed, englishWords);

describe("readNumber", () => {
  it.each([
    ["15", "15"],
    ["1,5", "1.5"],
    ["1.5", "1.5"],
    ["1.50", "1.50"],
    [" -3 ", "-3"],
    ["\u22123,5", "-3.5"],
    ["+7", "7"],
    ["-0", "0"],
    ["007", "7"],
    [",5", "0.5"],
    ["0,125", "0.125"],
    ["0.500", "0.500"],
    ["1500.250", "1500.250"],
    ["1.500,25", "1500.25"],
    ["1,500.25", "1500.25"],
    ["1.500.000", "1500000"],
    ["12,345,678.9", "12345678.9"],
    ["1 500", "1500"],
    ["1\u202f500,250", "1500.250"],
    ["1’500.25", "1500.25"],
    ["1e3", "1000"],
    ["1,5e-3", "0.0015"],
    ["12345678901234567890", "12345678901234567890"],
  ])("reads %s as %s", (typed, text) => {
    expect(readNumber(typed)).toEqual({ ok: true, value: text });
  });

  it.each([
    ["1,500", "“1,500” can be read as 1.5 or as 1500. Write 1.5 or 1500."],
    ["1.234", "“1.234” can be read as 1.234 or as 1234. Write 1.2340 or 1234."],
    ["-12.000", "“-12.000” can be read as -12 or as -12000. Write -12 or -12000."],
  ])("refuses %s, which can be read in two ways", (typed, problem) => {
    expect(readNumber(typed)).toEqual({ ok: false, problem });
  });

  it.each(["", "a", "1..5", "1,5,5", "1.50.000", "1,50.000,5", "0x10", "Infinity", "NaN", "1 50", "1 500'000", "--1", "1e9999", "1e", "1,500.250.1", "."])(
    "does not guess what %j is",
    (typed) => {
      expect(readNumber(typed)).toEqual({ ok: false, problem: `“${typed}” is not a number.` });
    },
  );
});

describe("exactNumber", () => {
  it.each([
    ["1095.68", 1095.68],
    ["1.50", 1.5],
    ["9007199254740992", 9007199254740992],
    ["-0.1", -0.1],
    ["1000000000000000000000", 1e21],
    ["0.0000001", 1e-7],
  ])("carries %s", (text, number) => {
    expect(exactNumber(text)).toBe(number);
  });

  it.each(["9007199254740993", "12345678901234567890", "0.1000000000000000055", "1".repeat(400)])("refuses to round %s", (text) => {
    expect(exactNumber(text)).toBeNull();
  });
});

describe("unambiguous", () => {
  it.each([
    ["1.500", "1.5"],
    ["12.345", "12.3450"],
    ["1234.567", "1234.567"],
    ["0.10", "0.10"],
    ["0.125", "0.125"],
    ["100", "100"],
    ["1e+21", "1000000000000000000000"],
  ])("shows %s as %s, which reads back as the same", (text, shown) => {
    expect(unambiguous(text)).toBe(shown);
    expect(readNumber(shown)).toEqual({ ok: true, value: shown });
  });
});

describe("readJson", () => {
  it.each(['{"a": [1, 2.50, "12345678901234567890", "\\"9007199254740993"], "b": null}', "true", '"text"', "-1.5e3"])("reads %s", (text) => {
    expect(readJson(text, englishWords)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
  });

  it("says what is no JSON", () => {
    expect(readJson("{a: 1}", englishWords)).toMatchObject({ ok: false });
    expect(readJson("", englishWords)).toMatchObject({ ok: false });
  });

  it("names a number that would be rounded", () => {
    expect(readJson('[1, {"id": 9007199254740993}]', englishWords)).toEqual({
      ok: false,
      problem: "9007199254740993 has more digits than a browser can send as a number: it would arrive as 9007199254740992.",
    });
  });
});
