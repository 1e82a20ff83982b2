import { beforeEach, describe, expect, it } from "vitest";
import { forget, hear, serverTime } from "./server-clock";

const NOON = "Mon, 01 Jun 2026 12:00:00 GMT";
const noon = Date.parse(NOON);

beforeEach(forget);

describe("the server's time", () => {
  it("is not known before it has spoken, or where it says nothing", () => {
    expect(serverTime(0)).toBeNull();
    hear(null, 10);
    hear("yesterday", 10);
    expect(serverTime(0)).toBeNull();
  });

  it("goes on from what it said, whatever the clock here shows", () => {
    hear(NOON, 5000);
    expect(serverTime(5000)).toBe(noon);
    expect(serverTime(65_000)).toBe(noon + 60_000);
  });

  it("does not go back for a reply that is late or out of a cache", () => {
    hear(NOON, 5000);
    hear("Mon, 01 Jun 2026 11:00:00 GMT", 6000);
    expect(serverTime(6000)).toBe(noon + 1000);
    hear("Mon, 01 Jun 2026 12:00:30 GMT", 6000);
    expect(serverTime(6000)).toBe(noon + 30_000);
  });
});
