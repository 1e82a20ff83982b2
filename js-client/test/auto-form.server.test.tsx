/** `AutoForm` where there is no window, and taken over in a browser. */
import { readFileSync } from "node:fs";
import { act } from "react";
import { renderToString } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { AutoForm } from "../src/react/index.js";
import type { UseInput } from "../src/react/index.js";
import type { FormField } from "../src/index.js";
import { inputRow } from "./support/streams.js";

interface Case {
  readonly name: string;
  readonly form: readonly FormField[] | null;
}

const { cases } = JSON.parse(readFileSync(new URL("../../protocol/vectors/forms.json", import.meta.url), "utf8")) as { cases: readonly Case[] };

function input(form: readonly FormField[] | null): UseInput {
  const nothing = () => undefined;
  return {
    connection: "live", submission: { status: "idle" }, acknowledge: nothing, seen: nothing,
    request: inputRow({ form, deadline: "2026-03-02T12:00:00.000Z", initial: { aware: "2026-05-01T10:00:00Z" } }),
    answer: () => Promise.resolve({ status: "idle" }),
  };
}

describe("AutoForm", () => {
  const pages = cases.map(({ name, form }) => ({ name, page: <AutoForm input={input(form)} />, html: "" }));

  it("renders without a window, in UTC, and without styles of its own", () => {
    expect(typeof document).toBe("undefined");
    for (const page of pages) {
      page.html = renderToString(page.page);
      expect(page.html).toContain("2026-03-02 12:00 UTC");
      expect(page.html).not.toMatch(/ style=/);
    }
  });

  it.each(pages)("is taken over without a mismatch: $name", async ({ page, html }) => {
    await import("./support/dom.js");
    const { hydrateRoot } = await import("react-dom/client");
    const container = document.createElement("div");
    document.body.append(container);
    container.innerHTML = html;
    const errors: unknown[] = [];
    const root = await act(() => Promise.resolve(hydrateRoot(container, page, { onRecoverableError: (error) => errors.push(error) })));
    expect(errors).toStrictEqual([]);
    expect(container.querySelector("[data-action=approve]")).not.toBeNull();
    // Then it is in the browser's zone.
    expect(container.querySelector("time")?.textContent).not.toContain("UTC");
    act(() => { root.unmount(); });
    container.remove();
  });
});
