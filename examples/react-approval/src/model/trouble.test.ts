import { describe, expect, it } from "vitest";
import { reasonOf } from "./outcome";
import { saidOf, troubleOf } from "./trouble";

const error = (code: string, message: string | null = null) => ({ code, message });

describe("trouble", () => {
  it("is none where there is no error", () => {
    expect(troubleOf({ status: "running", error: null })).toBeNull();
  });

  it("of a failed run is in its workflow's words, or what the code says", () => {
    expect(troubleOf({ status: "failed", error: error("public_error", "The ledger is closed.") })).toMatchObject({ text: "The ledger is closed." });
    expect(troubleOf({ status: "failed", error: error("value_error") })).toEqual({ tone: "bad", title: "This run failed", text: "Value error" });
  });

  it.each(["workflow_stuck", "worker_lost", "unknown_workflow", "non_determinism", "something_new"])("of a run blocked by %s is no failure", (code) => {
    const trouble = troubleOf({ status: "blocked", error: error(code) });
    expect(trouble?.title).toBe("This run is stuck");
    expect(trouble?.text).toContain("Nothing is lost");
    expect(trouble?.text).not.toContain(code);
  });

  it("of a run that was ended from outside is none of its own", () => {
    expect(troubleOf({ status: "cancelled", error: error("terminated") })).toMatchObject({ tone: "plain", title: "This run was ended from outside" });
    expect(troubleOf({ status: "cancelled", error: error("os_error") })?.title).toBe("This run was cancelled and could not clean up");
  });

  it("of a step is said alike", () => {
    expect(saidOf(error("value_error"))).toBe("Value error");
  });
});

describe("the reason of a withdrawal", () => {
  it("says what became of the run, and else what the workflow said", () => {
    expect(reasonOf({ reason: "terminated" })).toBe("The run was ended from outside.");
    expect(reasonOf({ reason: "Not needed any more." })).toBe("Not needed any more.");
    expect(reasonOf({ reason: null })).toBeNull();
  });
});
