import { describe, expect, it } from "vitest";
import { verbOf } from "./outcome";

describe("verbOf", () => {
  it.each([
    ["approve", undefined, "approved"],
    ["decline", { comment: "No." }, "declined"],
    ["reject", { approved: true }, "rejected"],
    ["submit", { approved: false }, "declined"],
    ["submit", { approved: "yes" }, "answered"],
    ["constructor", undefined, "answered"],
    [null, undefined, "answered"],
  ])("of %s with %j is %s", (action, value, verb) => {
    expect(verbOf({ action, value })).toBe(verb);
  });
});
