import { describe, expect, it } from "vitest";
import type { SignoffProblem, Submission } from "../src/index.js";
import { idle, judge, mayAnswer, reduce, sameAnswer, sameBody } from "../src/submission.js";
import type { Given, Outcome, SubmissionEvent } from "../src/submission.js";
import type { Reply } from "../src/transport.js";
import { inputRow } from "./support/streams.js";

const given: Given = { submissionId: "s1", action: "approve", value: { ok: true }, seenOffset: "0000000000000002" };
const problem: SignoffProblem = { type: "about:blank", title: "No", status: 403, detail: null, code: "not_in_audience" };
const row = inputRow({ status: "answered", decided_by: { kind: "person", id: "user:bob" } });
const body = { submissionId: "s1", action: "approve", value: { ok: true } };

const sending: Submission = { status: "sending", ...body, attempt: 1 };
const waiting: Submission = { status: "waiting-for-network", ...body, attempt: 1, problem };
const validating: Submission = { status: "validating", ...body, attempt: 1 };
const accepted: Outcome = { status: "accepted", ...body, row, offset: "5", confirmed: false };
const voted: Outcome = { ...accepted, status: "voted" };
const invalid: Outcome = { status: "invalid", ...body, errors: [], problem };
const stale: Outcome = { status: "stale", action: "approve", value: null, row };
const decided: Outcome = { status: "decided", outcome: "already_decided", row };
const refused: Outcome = { status: "refused", problem };
const states = { idle, sending, waiting, validating, accepted, voted, invalid, stale, decided, refused };

const events = {
  given: { type: "given", given },
  tried: { type: "tried", attempt: 2 },
  unreachable: { type: "unreachable", problem },
  judged: { type: "judged" },
  settled: { type: "settled", outcome: refused },
  confirmed: { type: "confirmed" },
  acknowledged: { type: "acknowledged" },
  reopened: { type: "reopened" },
  forgotten: { type: "forgotten" },
} as const satisfies Record<string, SubmissionEvent>;

/** Every transition there is; a pair that is not named here changes nothing. */
const transitions: Partial<Record<keyof typeof states, Partial<Record<keyof typeof events, Submission>>>> = {
  idle: { given: sending },
  sending: { tried: { ...sending, attempt: 2 }, unreachable: waiting, judged: validating, settled: refused, forgotten: idle },
  waiting: { tried: { ...sending, attempt: 2 }, unreachable: waiting, judged: validating, settled: refused, forgotten: idle },
  validating: { tried: { ...validating, attempt: 2 }, unreachable: waiting, judged: validating, settled: refused, forgotten: idle },
  accepted: { confirmed: { ...accepted, confirmed: true }, reopened: idle },
  voted: { given: sending, confirmed: { ...voted, confirmed: true }, acknowledged: idle },
  invalid: { given: sending, acknowledged: idle },
  stale: { acknowledged: idle },
  decided: { reopened: idle },
  refused: { given: sending, acknowledged: idle },
};

describe("the states of a submission", () => {
  const pairs = Object.keys(states).flatMap((state) => Object.keys(events).map((event) => [state, event] as const));

  it.each(pairs)("%s, when %s", (stateName, eventName) => {
    const state = states[stateName as keyof typeof states];
    const next = reduce(state, events[eventName as keyof typeof events]);
    const expected = transitions[stateName as keyof typeof states]?.[eventName as keyof typeof events];
    if (expected === undefined) expect(next).toBe(state);
    else expect(next).toStrictEqual(expected);
  });

  it("allow an answer from idle, voted, invalid and refused alone", () => {
    const allowed = Object.entries(states).filter(([, state]) => mayAnswer(state)).map(([name]) => name);
    expect(allowed).toStrictEqual(["idle", "voted", "invalid", "refused"]);
  });
});

describe("a reply", () => {
  const failed = (status: number, code: string, more: Partial<SignoffProblem> = {}): Reply => ({
    ok: false,
    problem: { ...problem, status, code, ...more },
  });
  const kindOf = (reply: Reply, known = inputRow()): string => {
    const verdict = judge(reply, given, known);
    return verdict.kind === "settled" ? verdict.outcome.status : verdict.kind;
  };

  it.each([
    [failed(0, "network"), "unreachable"],
    [failed(408, "http_408"), "busy"],
    [failed(429, "too_many"), "busy"],
    [failed(500, "http_500"), "busy"],
    [failed(502, "http_502"), "busy"],
    [failed(503, "store_unavailable"), "busy"],
    [failed(501, "http_501"), "refused"],
    [failed(400, "bad_request"), "refused"],
    [failed(401, "unauthorized"), "refused"],
    [failed(403, "not_in_audience"), "refused"],
    [failed(404, "input_not_found"), "refused"],
    [failed(413, "payload_too_large"), "refused"],
    [failed(409, "claimed", { row }), "refused"],
    [failed(409, "submission_reused"), "refused"],
    [failed(409, "something_new", { row }), "refused"],
    [failed(409, "stale", { row }), "stale"],
    [failed(409, "already_decided", { row }), "decided"],
    [failed(409, "expired", { row }), "decided"],
    [failed(409, "withdrawn", { row }), "decided"],
    [failed(409, "run_closed", { row }), "decided"],
    [failed(422, "invalid_answer", { errors: [] }), "invalid"],
  ])("%j means %s", (reply, kind) => {
    expect(kindOf(reply)).toBe(kind);
  });

  it("of 200 that is not from Signoff, such as a captive portal's, settles nothing", () => {
    const reply = (members: Record<string, unknown>): Reply => ({ ok: true, status: 200, headers: new Headers(), body: members });
    expect(kindOf(reply({}))).toBe("busy");
    expect(kindOf(reply({ outcome: "accepted" }))).toBe("busy");
    expect(kindOf(reply({ outcome: "accepted", offset: "5", row }))).toBe("accepted");
  });

  it("without a row falls back on the row that is known, and says who decided", () => {
    const verdict = judge(failed(409, "already_decided"), given, row);
    expect(verdict).toStrictEqual({
      kind: "settled",
      outcome: { status: "decided", outcome: "already_decided", row, by: { kind: "person", id: "user:bob" } },
    });
  });
});

describe("two answers", () => {
  it("are the same if they say the same, in whatever order", () => {
    expect(sameBody({ action: "a", value: { x: 1, y: [1, { b: 2, a: 1 }] } }, { action: "a", value: { y: [1, { a: 1, b: 2 }], x: 1 } })).toBe(true);
    expect(sameBody({ action: "a", value: [1, 2] }, { action: "a", value: [2, 1] })).toBe(false);
    expect(sameBody({ action: "a", value: 1 }, { action: "b", value: 1 })).toBe(false);
    expect(sameBody({ action: "a", value: 1 }, { action: "a", value: "1" })).toBe(false);
  });

  it("share a submission id only if the same was seen, too", () => {
    expect(sameAnswer(given, { ...given })).toBe(true);
    expect(sameAnswer(given, { ...given, seenOffset: "0000000000000009" })).toBe(false);
    expect(sameAnswer(given, { ...given, askedAt: "2026-03-01T09:30:00.000Z" })).toBe(false);
  });
});
