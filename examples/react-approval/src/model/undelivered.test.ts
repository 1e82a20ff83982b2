import type { InputRow } from "@signoff/client";
import { describe, expect, it } from "vitest";
import { PEOPLE } from "./identity";
import { aboutUndelivered, whyUndelivered } from "./undelivered";

const row = {} as InputRow;
const problem = { type: "urn:signoff:problem:not_in_audience", title: "You are not among those asked", status: 403, detail: null, code: "x" };

describe("whyUndelivered", () => {
  it.each([
    [{ status: "decided", outcome: "already_decided", row, by: { kind: "person", id: "user:bora" } }, "Bora had decided already."],
    [{ status: "decided", outcome: "expired", row }, "The deadline had passed."],
    [{ status: "stale", action: "submit", value: 1, row }, "The request had changed before it arrived. Look at it again."],
    [{ status: "refused", problem }, "You are not among those asked"],
    [
      { status: "invalid", submissionId: "1", action: "submit", value: 1, errors: [{ pointer: "", message: "Say why." }], problem },
      "It did not fit what was asked: Say why.",
    ],
  ] as const)("says why: %j", (outcome, text) => {
    expect(whyUndelivered(outcome, PEOPLE[0])).toBe(text);
  });
});

describe("aboutUndelivered", () => {
  it("names the request by its title, else by its run", () => {
    const titled = { ...row, title: "Approve it?" };
    expect(aboutUndelivered({ runId: "r1", outcome: { status: "stale", action: "submit", value: 1, row: titled } })).toBe("Approve it?");
    expect(aboutUndelivered({ runId: "r1", outcome: { status: "stale", action: "submit", value: 1, row } })).toBe("Run r1");
    expect(aboutUndelivered({ runId: "r1", outcome: { status: "refused", problem } })).toBe("Run r1");
  });
});
