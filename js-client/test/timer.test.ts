import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { after, within } from "../src/timer.js";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("a timer", () => {
  it.each([2_592_000_000, Infinity])("of %d ms, more than a timer holds, does not fire at once", async (ms) => {
    const run = vi.fn();
    const cancel = after(ms, run);
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(run).not.toHaveBeenCalled();
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a bounded wait", () => {
  it("gives what comes in time, and leaves no timer behind", async () => {
    expect(await within(100, Promise.resolve(1), () => new Error("late"))).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects when nothing does", async () => {
    const waiting = within(100, new Promise(() => undefined), () => new Error("late"));
    const rejected = expect(waiting).rejects.toThrow("late");
    await vi.advanceTimersByTimeAsync(100);
    await rejected;
  });
});
