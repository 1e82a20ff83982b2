import { describe, expect, it } from "vitest";
import { readJson } from "./json-text";

describe("readJson", () => {
  it.each(['{"a": [1, 2.50, "12345678901234567890", "\\"9007199254740993"], "b": null}', "true", '"text"', "-1.5e3"])("reads %s", (text) => {
    expect(readJson(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
  });

  it("says what is no JSON", () => {
    expect(readJson("{a: 1}")).toMatchObject({ ok: false });
    expect(readJson("")).toMatchObject({ ok: false });
  });

  it("names a number that would be rounded", () => {
    expect(readJson('[1, {"id": 9007199254740993}]')).toEqual({
      ok: false,
      problem: "9007199254740993 has more digits than a browser can send as a number: it would arrive as 9007199254740992.",
    });
  });
});
