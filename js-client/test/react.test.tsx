import "./support/dom.js";
import { act, cleanup, fireEvent, render, renderHook, screen, waitFor } from "@testing-library/react";
import { StrictMode } from "react";
import type { ReactNode } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { Signoff } from "../src/index.js";
import { SignoffProvider, useInbox, useInput, useRun, useRuns, useSignoff, useUndelivered } from "../src/react/index.js";
import { AnswerServer } from "./support/answers.js";
import { countingFetch, quick } from "./support/network.js";
import { StreamServer, inputRow, message, runRow, stepRow } from "./support/streams.js";
import { eventually } from "./support/until.js";

let streams: StreamServer;
let server: AnswerServer;
let client: Signoff;
let counted: ReturnType<typeof countingFetch>;

beforeEach(async () => {
  streams = await new StreamServer().start();
  server = await new AnswerServer(streams, inputRow()).start();
  await streams.create("runs/r1", message("run", "insert", "r1", runRow()), message("input", "insert", "approve:0", inputRow()));
  counted = countingFetch();
  // The server here has one connection a stream, as any Durable Streams server has.
  client = createSignoff({ url: server.url, timing: quick, fetch: counted.fetch, connections: "stream" });
});

afterEach(async () => {
  cleanup();
  client.close();
  await server.stop();
  await streams.stop();
});

function Frame({ children }: { readonly children: ReactNode }) {
  return (
    <StrictMode>
      <SignoffProvider client={client}>{children}</SignoffProvider>
    </StrictMode>
  );
}

function Run({ id }: { readonly id: string }) {
  const { connection, run, steps } = useRun(id);
  return <p>{`${connection} ${run?.status ?? "-"} ${steps.map((step) => step.name).join()}`}</p>;
}

function Inbox() {
  const { connection, requests } = useInbox([]);
  return <p>{`inbox ${connection} ${requests.length}`}</p>;
}

function Request() {
  const { request, submission, answer, shown } = useInput("r1", "approve:0");
  const changed = request !== undefined && shown !== undefined && shown.revision < request.revision;
  return (
    <section>
      <h1>{request?.title ?? "…"}</h1>
      <output>{`${submission.status} ${request?.status ?? "-"}${changed ? " changed" : ""}`}</output>
      <button onClick={() => void answer({ action: "approve", value: { approved: true } })}>Approve</button>
    </section>
  );
}

describe("useRun", () => {
  it("follows a run, in StrictMode, over one connection", async () => {
    render(<Run id="r1" />, { wrapper: Frame });
    await screen.findByText("live waiting");
    await act(() => streams.append("runs/r1", message("step", "insert", "check:0", stepRow())));
    await screen.findByText("live waiting check");
    await act(() => streams.finish("runs/r1", message("run", "update", "r1", runRow({ status: "completed" }))));
    await screen.findByText("ended completed check");
    expect(counted.requests.filter(({ url }) => !url.includes("live="))).toHaveLength(1);
  });

  it("closes its connection after the last component has gone", async () => {
    const { unmount } = render(<><Run id="r1" /><Run id="r1" /></>, { wrapper: Frame });
    expect(await screen.findAllByText("live waiting")).toHaveLength(2);
    await eventually(() => counted.requests.length === 2, "the live request");
    unmount();
    await eventually(() => counted.requests[1]?.init?.signal?.aborted === true, "the live request to be aborted");
    expect(counted.requests).toHaveLength(2);
  });

  it("turns to another run when the id changes", async () => {
    await streams.create("runs/r2", message("run", "insert", "r2", runRow({ id: "r2", status: "sleeping" })));
    const { rerender } = render(<Run id="r1" />, { wrapper: Frame });
    await screen.findByText("live waiting");
    rerender(<Run id="r2" />);
    await screen.findByText("live sleeping");
    expect(screen.queryByText("live waiting")).toBeNull();
  });

  it("renders on a server as still connecting", () => {
    expect(renderToString(<Frame><Run id="r1" /></Frame>)).toBe("<p>connecting - </p>");
    expect(counted.requests).toStrictEqual([]);
  });
});

describe("a page rendered on a server", () => {
  it("is taken over without a mismatch, even if its view went live before", async () => {
    const page = <Frame><Run id="r1" /><Inbox /></Frame>;
    const html = renderToString(page);
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    await waitFor(() => { expect(view.getSnapshot().connection).toBe("live"); });
    const container = document.createElement("div");
    document.body.append(container);
    container.innerHTML = html;
    const errors: unknown[] = [];
    const root = await act(() => Promise.resolve(hydrateRoot(container, page, { onRecoverableError: (error) => errors.push(error) })));
    await screen.findByText("live waiting");
    expect(errors).toStrictEqual([]);
    act(() => { root.unmount(); });
    container.remove();
    stop();
  });

  it("takes a relative address for what it will be in the browser", () => {
    const relative = createSignoff({ url: "/" });
    const html = renderToString(<SignoffProvider client={relative}><Run id="r1" /><Request /></SignoffProvider>);
    expect(html).toContain("connecting");
    expect(html).toContain("idle");
  });
});

describe("useUndelivered", () => {
  it("shows what was refused while nobody looked, until it is dismissed", async () => {
    const storage = memoryStorage();
    server.acts = ["hold", { status: 403, body: { code: "not_in_audience", title: "You are not asked" } }];
    const before = createSignoff({ url: server.url, timing: quick, storage });
    void before.input("r1", "approve:0").answer({ action: "approve", seen: inputRow() });
    await eventually(() => server.received.length === 1, "the answer");
    before.close();
    client = createSignoff({ url: server.url, timing: quick, storage });
    const { result } = renderHook(() => useUndelivered(), { wrapper: Frame });
    await waitFor(() => { expect(result.current.answers).toHaveLength(1); });
    const [answer] = result.current.answers;
    expect(answer).toMatchObject({ runId: "r1", key: "approve:0", outcome: { status: "refused", problem: { title: "You are not asked" } } });
    act(() => { result.current.dismiss(answer?.submissionId ?? ""); });
    expect(result.current.answers).toStrictEqual([]);
  });

  it("follows what another tab does with the same storage", async () => {
    const storage = memoryStorage();
    server.acts = [{ status: 403, body: { code: "not_in_audience", title: "You are not asked" } }];
    const stored = { runId: "r1", key: "approve:0", submissionId: "s1", action: "approve", value: null, seenOffset: "1", by: null };
    client = createSignoff({ url: server.url, timing: quick, storage });
    const { result } = renderHook(() => useUndelivered(), { wrapper: Frame });
    const other = createSignoff({ url: server.url, timing: quick, storage });
    storage.setItem(`signoff:answer:${JSON.stringify([server.url, null, "r1", "approve:0"])}`, JSON.stringify(stored));
    const resuming = createSignoff({ url: server.url, timing: quick, storage });
    await waitFor(() => { expect(resuming.undelivered.getSnapshot().answers).toHaveLength(1); });
    expect(result.current.answers).toStrictEqual([]);
    act(() => { window.dispatchEvent(new window.Event("storage")); });
    expect(result.current.answers).toHaveLength(1);
    other.undelivered.dismiss("s1");
    act(() => { window.dispatchEvent(new window.Event("storage")); });
    expect(result.current.answers).toStrictEqual([]);
    other.close();
    resuming.close();
  });
});

describe("useInput", () => {
  it("answers once however often the button is pressed", async () => {
    render(<Request />, { wrapper: Frame });
    await screen.findByText("idle pending");
    const button = screen.getByText("Approve");
    fireEvent.click(button);
    fireEvent.click(button);
    await screen.findByText("accepted answered");
    expect(server.received).toHaveLength(1);
    expect(server.effects).toHaveLength(1);
  });

  it("lets the screen say that the request changed", async () => {
    render(<Request />, { wrapper: Frame });
    await screen.findByText("idle pending");
    const revised = inputRow({ revision: 1, revised: "0000000000000003", title: "Approve more?" });
    await act(() => streams.append("runs/r1", message("input", "update", "approve:0", revised)));
    await screen.findByText("Approve more?");
    expect(screen.getByText("idle pending changed")).toBeDefined();
  });

  it("gives functions that stay the same from render to render", async () => {
    const { result, rerender } = renderHook(() => useInput("r1", "approve:0"), { wrapper: Frame });
    await waitFor(() => { expect(result.current.request).toBeDefined(); });
    const { answer, acknowledge, seen } = result.current;
    rerender();
    expect(result.current).toMatchObject({ answer, acknowledge, seen });
  });
});

describe("useInbox and useRuns", () => {
  it("take an array written inline, and list what there is", async () => {
    const row = inputRow({ id: "r1/approve:0" });
    await streams.create("inbox/group:finance", message("input", "insert", row.id, row));
    await streams.create("workflows/expense", message("run", "insert", "r1", runRow()));
    let renders = 0;
    const { result } = renderHook(
      () => {
        renders += 1;
        return { inbox: useInbox(["user:alice", "group:finance"]), runs: useRuns("expense") };
      },
      { wrapper: Frame },
    );
    await waitFor(() => {
      expect(result.current.inbox.requests).toStrictEqual([row]);
      expect(result.current.runs.runs).toStrictEqual([runRow()]);
    });
    expect(renders).toBeLessThan(20);
  });
});

describe("useSignoff", () => {
  it("gives the provider's client", () => {
    expect(renderHook(() => useSignoff(), { wrapper: Frame }).result.current).toBe(client);
  });

  it("says what is missing without one", () => {
    expect(() => renderToString(<Run id="r1" />)).toThrow(/SignoffProvider/);
  });
});
