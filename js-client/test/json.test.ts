import { describe, expect, it } from "vitest";
import { createSignoff } from "../src/index.js";
import { writeJson } from "../src/json.js";

const cycle: unknown[] = [];
cycle.push(cycle);

/** Values that JSON.stringify would change without a word, or not take. */
const lossy: [string, unknown][] = [
  ["NaN", Number.NaN], ["infinity", -Infinity], ["a bigint", 1n], ["a function", () => 1], ["a symbol", Symbol("x")],
  ["a map", new Map([["a", 1]])], ["a set", new Set([1])], ["a file", new Blob(["x"])], ["an invalid date", new Date(NaN)],
  ["a promise", Promise.resolve(1)], ["a cycle", cycle],
];

describe("writing JSON", () => {
  it.each<[unknown, string]>([
    [undefined, "null"], [null, "null"], [0.1, "0.1"], ["", '""'], [{}, "{}"], [[], "[]"], [{ a: undefined, b: [null] }, '{"b":[null]}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'], [Object.create(null), "{}"], [JSON.parse('{"__proto__":{"constructor":1}}'), '{"__proto__":{"constructor":1}}'],
  ])("of %j gives %s", (value, text) => {
    expect(writeJson(value)).toBe(text);
  });

  it.each(lossy)("refuses %s, at the top and below", (_name, value) => {
    expect(() => writeJson(value)).toThrow(expect.objectContaining({ problem: expect.objectContaining({ code: "not_json", status: 0 }) as object }));
    expect(() => writeJson({ amount: [value] })).toThrow(/The value cannot be written as JSON/);
  });
});

describe("a call", () => {
  it.each(lossy)("with %s sends nothing and says why", async (_name, value) => {
    let asked = 0;
    const fetch = () => Promise.reject(new Error(`asked ${++asked} times`));
    const client = createSignoff({ url: "http://127.0.0.1:9", fetch });
    const refused = { ok: false, problem: { code: "not_json" } };
    expect(await client.startRun({ workflow: "expense", input: { amount: value } })).toMatchObject(refused);
    expect(await client.send("r1", "paid", { id: "e1", payload: value })).toMatchObject(refused);
    const answered = await client.input("r1", "approve:0").answer({ action: "approve", value, seen: { revised: "1" } });
    expect(answered).toMatchObject({ status: "refused", problem: { code: "not_json" } });
    expect(asked).toBe(0);
  });
});
