/** What the guide on React shows is what is compiled and run here. */
import "./support/dom.js";
import { readFileSync } from "node:fs";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSignoff } from "../src/index.js";
import type { Signoff } from "../src/index.js";
import { SignoffProvider } from "../src/react/index.js";
import { Request } from "./guide/request.js";
import { Review } from "./guide/review.js";
import { AnswerServer } from "./support/answers.js";
import { quick } from "./support/network.js";
import { StreamServer, inputRow, message, runRow } from "./support/streams.js";

const guide = readFileSync(new URL("../../docs/guide/react.md", import.meta.url), "utf8");
const shown = [...guide.matchAll(/^```tsx\n([\s\S]*?)^```$/gm)].map(([, source = ""]) => source).filter((source) => /^export /m.test(source));

let streams: StreamServer;
let server: AnswerServer;
let client: Signoff;

const stars = { name: "stars", pointer: "/stars", kind: "integer", label: "Stars", required: true } as const;
const review = inputRow({ id: "review:0", name: "review", form: [stars], actions: ["approve"] });

beforeEach(async () => {
  streams = await new StreamServer().start();
  server = await new AnswerServer(streams, inputRow()).start();
  const rows = [inputRow(), review].map((row) => message("input", "insert", row.id, row));
  await streams.create("runs/r1", message("run", "insert", "r1", runRow()), ...rows);
  client = createSignoff({ url: server.url, timing: quick });
});

afterEach(async () => {
  cleanup();
  client.close();
  await server.stop();
  await streams.stop();
});

describe("the guide on React", () => {
  it.each(["page", "request", "review"])("shows %s.tsx", (name) => {
    const source = readFileSync(new URL(`guide/${name}.tsx`, import.meta.url), "utf8");
    const told = source.replaceAll("../../src/react/index.js", "@signoff/client/react").replaceAll("../../src/index.js", "@signoff/client");
    expect(shown.map((block) => block.replace(/^import ".*\.css";\n/m, ""))).toContain(told);
  });

  it.each(["app/parts/Live.tsx", "app/runs/[run]/page.tsx"])("shows %s of the example in Next.js", (name) => {
    const source = readFileSync(new URL(`../../examples/next/${name}`, import.meta.url), "utf8");
    expect(shown).toContain(source);
  });

  it("answers a request with AutoForm", async () => {
    render(<SignoffProvider client={client}><Request runId="r1" /></SignoffProvider>);
    const button = await screen.findByText("Approve");
    await waitFor(() => { expect(button.getAttribute("aria-disabled")).toBe("false"); }, { timeout: 5_000 });
    fireEvent.pointerDown(button);
    fireEvent.click(button);
    await screen.findByText("Thank you");
    expect(server.received).toMatchObject([{ action: "approve", value: null, seen_offset: inputRow().revised }]);
  });

  it("has a control and a layout of its own", async () => {
    render(<SignoffProvider client={client}><Review runId="r1" /></SignoffProvider>);
    const control = await screen.findByLabelText<HTMLInputElement>("Stars");
    expect([control.type, control.closest("aside") !== null]).toStrictEqual(["range", true]);
    fireEvent.change(control, { target: { value: "4" } });
    expect(control.value).toBe("4");
  });
});
