import { describe, expect, it } from "vitest";
import { write } from "./answer";
import { begin } from "./begin";
import { type Schema, wantedBy } from "./schema";

const object = (properties: Schema, more: Schema = {}): Schema => ({ type: "object", properties, ...more });
const decimal: Schema = { anyOf: [{ type: "number" }, { type: "string", format: "decimal", pattern: "^[+-]?([0-9]+\\.?[0-9]*)$" }] };

/** What is sent if nobody touches the form. */
const untouched = (schema: Schema, initial?: unknown) => write(schema, begin(schema, initial).draft);
const message = (schema: Schema, draft: unknown) => write(schema, draft).errors.map(({ pointer, message: text }) => [pointer, text]);

describe("numbers", () => {
  it("go out as what was typed", () => {
    expect(write(object({ n: { type: "number" } }), { n: "1.500,25" }).value).toEqual({ n: 1500.25 });
    expect(write(object({ n: { type: "number" } }), { n: "1,5" }).value).toEqual({ n: 1.5 });
    expect(message(object({ n: { type: "number" } }), { n: "1,500" })).toEqual([
      ["/n", "“1,500” can be read as 1.5 or as 1500. Write 1.5 or 1500."],
    ]);
  });

  it("are refused rather than rounded", () => {
    expect(write({ type: "integer" }, "9007199254740993")).toMatchObject({ value: undefined, errors: [{ pointer: "" }] });
    expect(write({ type: "number" }, "0.1000000000000000055").errors).toHaveLength(1);
  });

  it("keep every digit where the schema takes text", () => {
    expect(write(decimal, "12345678901234567890,10").value).toBe("12345678901234567890.10");
    expect(write({ ...decimal, anyOf: [...(decimal.anyOf as unknown[]), { type: "null" }] }, "").value).toBeNull();
    expect(message(decimal, "many")).toEqual([["", "“many” is not a number."]]);
  });

  it("go back as they were proposed, in spite of looking ambiguous", () => {
    expect(untouched(object({ n: decimal }), { n: "1.500" })).toMatchObject({ value: { n: "1.500" }, errors: [] });
    expect(untouched({ type: "number" }, 12.345).value).toBe(12.345);
  });
});

describe("a proposed whole number that a browser cannot hold", () => {
  // As it comes out of JSON: 2 ** 60 is 1152921504606846976.
  const rounded = JSON.parse("1152921504606846976") as number;

  it("is said and not proposed, since it is another one by now", () => {
    const schema = object({ n: { type: "integer", default: rounded } });
    expect(begin(schema, undefined).misfits).toEqual([{ pointer: "/n", value: rounded }]);
    expect(untouched(schema).errors).toMatchObject([{ pointer: "/n" }]);
    expect(begin({}, { deep: [rounded] })).toMatchObject({ draft: undefined, misfits: [{ pointer: "" }] });
  });

  it("is proposed where it came as text, or is a fraction's double", () => {
    expect(begin({ type: "integer" }, "1152921504606846976").draft).toEqual({ exact: "1152921504606846976" });
    expect(untouched({ type: "number" }, 1e21)).toMatchObject({ value: 1e21, errors: [] });
  });
});

describe("choices", () => {
  it("name a single value by itself, and nothing as nothing", () => {
    expect(wantedBy({ const: "only", title: "Const" }, {}).part).toEqual({ kind: "choice", options: [{ label: "only", value: "only" }] });
    expect(wantedBy({ enum: [1, "two", null] }, {})).toMatchObject({ nullable: true, part: { options: [{ label: "1" }, { label: "two" }] } });
    expect(wantedBy({ oneOf: [{ const: 1, title: "One" }, { const: 2, title: "Two" }] }, {}).part).toMatchObject({ options: [{ label: "One" }, { label: "Two" }] });
  });

  it("of nothing go out as null", () => {
    expect(write(object({ a: { enum: ["x", null] } }, { required: ["a"] }), {}).value).toEqual({ a: null });
    expect(untouched(object({ a: { enum: ["x", null] } }), { a: null }).value).toEqual({});
  });
});

describe("texts", () => {
  it("are never made of something else", () => {
    for (const wrong of [{ a: 1 }, [1], 5, true]) {
      expect(begin({ type: "string" }, wrong)).toEqual({ draft: undefined, misfits: [{ pointer: "", value: wrong }] });
      expect(write({ type: "string" }, wrong)).toMatchObject({ value: undefined, errors: [{ pointer: "" }] });
    }
  });

  it("are left out where they are optional and empty, whatever their pattern", () => {
    const pattern = "(?P<year>\\d{4})\\Z";
    const schema = object({ a: { anyOf: [{ type: "string", pattern }, { type: "null" }], default: null }, b: { type: "string", pattern } });
    expect(untouched(schema)).toMatchObject({ value: {}, errors: [] });
    expect(write(schema, { a: "2026", b: "" }).value).toEqual({ a: "2026" });
    expect(write({ ...schema, required: ["a"] }, {}).value).toEqual({ a: null });
  });

  it("that were emptied do not come back as their default", () => {
    const schema = object({ note: { type: "string", default: "hello" }, count: { type: "integer", default: 5 } });
    expect(untouched(schema).value).toEqual({ note: "hello", count: 5 });
    expect(write(schema, { note: "", count: "" })).toMatchObject({ value: { note: "" }, errors: [{ pointer: "/count" }] });
  });

  it("may be empty where the hints say so", () => {
    const schema = object({ note: { type: "string" } }, { required: ["note"] });
    expect(write(schema, {}).value).toEqual({});
    expect(write(schema, {}, { note: { "ui:emptyValue": "" } }).value).toEqual({ note: "" });
  });
});

describe("groups", () => {
  const decision = object(
    { approved: { type: "boolean" }, comment: { $ref: "#/$defs/comment" } },
    {
      required: ["approved"],
      if: { properties: { approved: { const: false } }, required: ["approved"] },
      then: { properties: { comment: { minLength: 1 } }, required: ["comment"] },
      $defs: { comment: { anyOf: [{ type: "string" }, { type: "null" }] } },
    },
  );

  it("propose nothing that nobody decided", () => {
    expect(untouched(decision).value).toEqual({});
    expect(untouched(object({ sure: { const: true } }, { required: ["sure"] })).value).toEqual({});
  });

  it("follow their conditions", () => {
    expect(write(decision, { approved: true }).value).toEqual({ approved: true });
    expect(write(decision, { approved: false }).value).toEqual({ approved: false, comment: null });
  });

  it("are judged by the server where a condition cannot be told", () => {
    const odd = { ...decision, if: { properties: { comment: { pattern: "(?P<a>x)" } } } };
    expect(write(odd, { approved: false, comment: "x" }).value).toEqual({ approved: false, comment: "x" });
  });

  it("have the members that the schema names, and no others", () => {
    const schema = object({ constructor: { type: "string" }, ["__proto__"]: { type: "string" } });
    expect(write(schema, {}).value).toEqual({});
    const draft = JSON.parse('{"constructor": "a", "__proto__": "b"}') as unknown;
    expect(JSON.stringify(write(schema, draft).value)).toBe('{"constructor":"a","__proto__":"b"}');
  });

  it("that are optional may be absent", () => {
    const schema = object({ trip: { anyOf: [object({ to: { type: "string" } }, { required: ["to"] }), { type: "null" }], default: null } });
    expect(untouched(schema).value).toEqual({});
    expect(write(schema, { trip: {} }).value).toEqual({ trip: {} });
    expect(untouched(schema, { trip: { to: "Oslo" } }).value).toEqual({ trip: { to: "Oslo" } });
  });
});

describe("lists, tuples, maps", () => {
  it("are written item by item", () => {
    const tuple = { type: "array", prefixItems: [{ type: "integer" }, { type: "string" }], minItems: 2, maxItems: 2 };
    expect(write(tuple, ["7", "a"]).value).toEqual([7, "a"]);
    expect(untouched(tuple, [1, "x"]).value).toEqual([1, "x"]);
    expect(message(tuple, ["", "a"])).toEqual([["/0", "Fill this in."]]);
    expect(write({ type: "array", items: { type: "string" } }, ["", "b"]).value).toEqual(["", "b"]);
    expect(write({ type: "array", items: { type: "string" } }, undefined).value).toEqual([]);
  });

  it("keep names as they were typed, and each once", () => {
    const map = { type: "object", additionalProperties: { type: "integer" } };
    expect(JSON.stringify(write(map, [["__proto__", "1"], ["b", "2"]]).value)).toBe('{"__proto__":1,"b":2}');
    expect(message(map, [["a", "1"], ["a", "2"]])).toEqual([["", "“a” stands here twice."]]);
    expect(untouched(map, { x: 3 }).value).toEqual({ x: 3 });
  });
});

describe("unions", () => {
  const root: Schema = {
    $defs: {
      Card: object({ kind: { const: "card" }, number: { type: "string" } }, { title: "Card", required: ["kind", "number"] }),
      Cash: object({ kind: { const: "cash" }, amount: { type: "integer" } }, { title: "Cash", required: ["kind", "amount"] }),
    },
    oneOf: [{ $ref: "#/$defs/Card" }, { $ref: "#/$defs/Cash" }],
  };

  it("say the branch that was chosen", () => {
    expect(write(root, { branch: 1, value: { amount: "5" } }).value).toEqual({ kind: "cash", amount: 5 });
    expect(untouched(root, { kind: "cash", amount: 7 }).value).toEqual({ kind: "cash", amount: 7 });
    expect(write(root, undefined).errors).toEqual([{ pointer: "", message: "Fill this in." }]);
  });

  it("do not turn a number into a text, nor a text into a number", () => {
    const schema = { anyOf: [{ type: "number" }, { type: "string" }] };
    expect(untouched(schema, "5").value).toBe("5");
    expect(untouched(schema, 5).value).toBe(5);
  });
});

describe("what the form cannot show", () => {
  it("is written as JSON", () => {
    expect(write({}, '{"a": [1, null]}').value).toEqual({ a: [1, null] });
    expect(write({ type: "object", additionalProperties: true }, "{").errors).toHaveLength(1);
    expect(untouched({}, { a: 1 }).value).toEqual({ a: 1 });
    expect(write({ $ref: "#/nowhere" }, "1").value).toBe(1);
    expect(write({ anyOf: [{ $ref: "#" }] }, "1").value).toBe(1);
    expect(write({ $ref: "#" }, "1").value).toBe(1);
  });

  it("ends where a group requires itself", () => {
    const node: Schema = { $defs: { N: object({ next: { $ref: "#/$defs/N" } }, { required: ["next"] }) }, $ref: "#/$defs/N" };
    expect(untouched(node).errors).toEqual([]);
  });

  it("survives a draft of any shape", () => {
    const schemas: Schema[] = [
      { type: "string" }, { type: "number" }, { type: "boolean" }, { enum: [1] }, object({ a: { type: "string" } }), {},
      { type: "array", items: { type: "string" } }, { type: "array", prefixItems: [{ type: "string" }] },
      { type: "object", additionalProperties: { type: "string" } }, { anyOf: [{ type: "string" }, { type: "integer" }] },
    ];
    const drafts = [null, 1, "x", true, [], [null], [[1, 2]], {}, { a: {} }, { branch: "x" }, { branch: 9 }, { exact: {} }];
    for (const schema of schemas) {
      for (const draft of drafts) expect(JSON.stringify([write(schema, draft).value])).not.toContain("[object");
    }
  });
});
