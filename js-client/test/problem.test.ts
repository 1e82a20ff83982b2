import { FetchError } from "@durable-streams/client";
import { describe, expect, it } from "vitest";
import { problemFrom, readProblem } from "../src/problem.js";
import { inputRow } from "./support/streams.js";

describe("a refused reply", () => {
  it("is read as RFC 9457 says", () => {
    const row = inputRow();
    const document = { type: "urn:signoff:problem:stale", title: "Changed", status: 409, detail: "Look again", code: "stale", row };
    expect(readProblem(409, JSON.stringify(document))).toStrictEqual({
      type: "urn:signoff:problem:stale", title: "Changed", status: 409, detail: "Look again", code: "stale", row,
    });
  });

  it("without a code is named after its type", () => {
    expect(readProblem(409, '{"type":"urn:signoff:problem:expired"}').code).toBe("expired");
  });

  it.each(["", "<!doctype html><h1>502 Bad Gateway</h1>", "null", "[]", '"text"', '{"broken":', '{"title":7,"code":null}'])(
    "with the body %j is a problem named after its status",
    (body) => {
      expect(readProblem(502, body)).toStrictEqual({
        type: "about:blank", title: "The server replied 502", status: 502, detail: null, code: "http_502",
      });
    },
  );

  it("keeps only errors that have a pointer and a message, and only rows that are objects", () => {
    const body = JSON.stringify({ errors: [{ pointer: "/amount", message: "too much" }, { pointer: 1 }, null, "no"], row: "no" });
    const problem = readProblem(422, body);
    expect(problem.errors).toStrictEqual([{ pointer: "/amount", message: "too much" }]);
    expect(problem).not.toHaveProperty("row");
  });

  it.each([["3", 3000], ["0", 0], ["soon", undefined], ["", undefined], [null, undefined]] as const)(
    "with Retry-After %j waits %j ms",
    (header, wait) => {
      expect(readProblem(503, "", header).retryAfterMs).toBe(wait);
    },
  );
});

describe("an error of the stream package", () => {
  it("that came of a reply is that reply's problem", () => {
    const error = new FetchError(403, '{"code":"forbidden","title":"No"}', undefined, { "retry-after": "1" }, "http://x");
    expect(problemFrom(error)).toMatchObject({ status: 403, code: "forbidden", title: "No", retryAfterMs: 1000 });
  });

  it("that did not is a matter of the network", () => {
    expect(problemFrom(new TypeError("fetch failed"))).toMatchObject({ status: 0, code: "network", detail: "fetch failed" });
    expect(problemFrom("odd")).toMatchObject({ status: 0, code: "network", detail: "odd" });
  });
});
