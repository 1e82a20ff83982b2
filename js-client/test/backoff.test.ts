import { describe, expect, it } from "vitest";
import { delay } from "../src/backoff.js";

const backoff = { first: 100, most: 1_000, factor: 2 };

describe("the wait before trying again", () => {
  it("doubles up to the most", () => {
    expect([0, 1, 2, 3, 4, 50].map((attempt) => delay(backoff, attempt, 0, () => 1))).toStrictEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("is at least half, the rest by chance", () => {
    expect([0, 0.5, 1].map((chance) => delay(backoff, 1, 0, () => chance))).toStrictEqual([100, 150, 200]);
  });

  it("is never less than the server asks", () => {
    expect(delay(backoff, 0, 5_000, () => 1)).toBe(5_000);
  });

  it("is five minutes at most when the server asks for a month, and its own if that is longer", () => {
    expect(delay(backoff, 0, 2_592_000_000, () => 1)).toBe(300_000);
    expect(delay({ first: 600_000, most: 600_000, factor: 1 }, 0, 2_592_000_000, () => 1)).toBe(600_000);
  });
});
