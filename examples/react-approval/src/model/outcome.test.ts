import { describe, expect, it } from "vitest";
import { labelOfAction, needsValue } from "./actions";
import { verbOf } from "./outcome";

describe("verbOf", () => {
  it.each([
    ["approve", undefined, "approved"],
    ["reject", { approved: true }, "rejected"],
    ["submit", { approved: false }, "declined"],
    ["submit", { approved: "yes" }, "answered"],
    ["constructor", undefined, "answered"],
    [null, undefined, "answered"],
  ])("of %s with %j is %s", (action, value, verb) => {
    expect(verbOf({ action, value })).toBe(verb);
  });
});

describe("actions", () => {
  it("have names of their own", () => {
    expect(["submit", "approve", "reject", "ask_again"].map(labelOfAction)).toEqual(["Send decision", "Approve", "Reject", "Ask again"]);
  });

  it("are sent with the form where they need it", () => {
    expect(["submit", "approve", "edit", "respond", "reject", "back"].filter(needsValue)).toEqual(["submit", "approve", "edit", "respond"]);
  });
});
