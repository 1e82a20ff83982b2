import { describe, expect, it } from "vitest";
import { pointerParts, toErrorSchema } from "./answer-errors";

describe("pointerParts", () => {
  it("splits and unescapes a JSON Pointer", () => {
    expect(pointerParts("")).toEqual([]);
    expect(pointerParts("/comment")).toEqual(["comment"]);
    expect(pointerParts("/items/0/a~1b~0c")).toEqual(["items", "0", "a/b~c"]);
    expect(pointerParts("/")).toEqual([""]);
  });

  it("reads ~01 as ~1, not as /", () => {
    expect(pointerParts("/a~01")).toEqual(["a~1"]);
  });
});

describe("toErrorSchema", () => {
  it("puts each message at its field, and those about the whole at the top", () => {
    const errors = [
      { pointer: "/comment", message: "This may not be empty." },
      { pointer: "/comment", message: "Say why." },
      { pointer: "/items/0/amount", message: "This must be more than 0." },
      { pointer: "", message: "This does not fit together." },
    ];
    expect(toErrorSchema(errors)).toEqual({
      __errors: ["This does not fit together."],
      comment: { __errors: ["This may not be empty.", "Say why."] },
      items: { "0": { amount: { __errors: ["This must be more than 0."] } } },
    });
  });

  it("is empty without errors", () => {
    expect(toErrorSchema([])).toEqual({});
  });
});
