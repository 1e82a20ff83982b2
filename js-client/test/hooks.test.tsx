/** The hooks beside those of runs, inboxes and requests, in StrictMode, against the real server. */
import "./support/dom.js";
import { act, cleanup, fireEvent, render, renderHook, screen, waitFor } from "@testing-library/react";
import { StrictMode, Suspense, useState, version } from "react";
import type { ReactNode } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { Row, Signoff, StandardSchema } from "../src/index.js";
import {
  SignoffProvider, useClaim, useComments, useDraft, useInput, useOutput, useResult, useRows, useRun, useVerbs, useVotes, useWizard,
} from "../src/react/index.js";
import { quick } from "./support/network.js";
import { SignoffServer, tokenOf } from "./support/signoff.js";
import { until } from "./support/until.js";

const server = new SignoffServer();
let client: Signoff;
let alice: Signoff;
let count = 0;

beforeAll(async () => {
  await server.start();
});

afterAll(async () => {
  await server.remove();
});

beforeEach(() => {
  const options = { url: server.url, timing: { ...quick, patience: 5_000, look: 30, draft: 10 }, storage: memoryStorage(), connections: "page" } as const;
  const token = tokenOf("alice", { groups: ["finance"], grants: ["run:read:*"] });
  client = createSignoff(options);
  alice = createSignoff({ ...options, token: () => token });
});

afterEach(() => {
  cleanup();
  client.close();
  alice.close();
  window.history.replaceState(null, "", "/");
});

/** Start a run, and wait until it asks. */
async function ask(workflow = "expense", input: unknown = 1): Promise<string> {
  const runId = `${workflow}-${++count}`;
  await client.startRun({ workflow, input, runId });
  await until(client.run(runId), ({ inputs }) => inputs.length > 0);
  return runId;
}

function frame(of: Signoff): (props: { readonly children: ReactNode }) => ReactNode {
  return ({ children }) => <StrictMode><SignoffProvider client={of}>{children}</SignoffProvider></StrictMode>;
}

/** A hook's latest value, in StrictMode. */
function use<T>(hook: () => T, of: Signoff = client): { readonly current: T } {
  return renderHook(hook, { wrapper: frame(of) }).result;
}

interface Seat extends Row { readonly price: number }

const seat: StandardSchema<Seat> = {
  "~standard": {
    version: 1, vendor: "test",
    validate: (value) => (typeof (value as Seat).price === "number" ? { value: value as Seat } : { issues: [{ message: "no number" }] }),
  },
};

describe(`on React ${version}`, () => {
  it("is the React that this project is about", ({ task }) => {
    expect(version.startsWith(task.file.projectName === "react 18" ? "18." : "19.")).toBe(true);
  });

  it("useOutput, useRows and useResult follow a run to its end", async () => {
    const runId = `talk-${++count}`;
    await client.startRun({ workflow: "talk", input: ["Hel", "lo"], runId });
    let renders = 0;
    const result = use(() => {
      renders += 1;
      // A schema that is made in rendering is no loop.
      return { output: useOutput<string>(runId, "tokens"), rows: useRows(runId, "seat", { ...seat }), result: useResult<string>(runId) };
    });
    await waitFor(() => { expect(result.current.rows.connection).toBe("live"); });
    expect(result.current).toMatchObject({ output: { connection: "connecting" }, result: { status: "pending" } });
    await act(() => client.send(runId, "begin", { id: "e1", payload: null }));
    await waitFor(() => {
      expect(result.current.result).toStrictEqual({ status: "completed", output: "Hello" });
      expect(result.current.output).toMatchObject({ connection: "ended", text: "Hello", messages: ["Hel", "lo"] });
    });
    expect(result.current.rows).toMatchObject({ rows: [{ id: "a1", price: 120 }], unfit: [{ row: { id: "a2" } }] });
    expect(renders).toBeLessThan(60);
  });

  it("useVerbs does what it is asked once, and shows what was refused", async () => {
    const runId = await ask();
    const result = use(() => useVerbs(runId));
    await act(async () => { await Promise.all([result.current.pause(), result.current.pause()]); });
    expect(result.current).toMatchObject({ pending: [], done: "pause" });
    await act(() => result.current.retry());
    expect(result.current.refused).toMatchObject({ verb: "retry", problem: { status: 409 } });
  });

  it("useClaim, useVotes and useComments show what is done about a request", async () => {
    const runId = await ask("board", null);
    const key = "agree:0";
    const result = use(() => ({ claim: useClaim(runId, key), votes: useVotes(runId, key), comments: useComments(runId, key), input: useInput(runId, key) }), alice);
    await waitFor(() => { expect(result.current.claim.holder).toBe("nobody"); });
    await act(() => result.current.claim.claim());
    expect(result.current.claim).toMatchObject({ holder: "me", by: { id: "user:alice" } });
    let adding: Promise<unknown> = Promise.resolve();
    act(() => { adding = result.current.comments.add("Fine by me"); });
    expect(result.current.comments.comments).toMatchObject([{ text: "Fine by me", status: "sending" }]);
    await act(async () => { await adding; });
    await waitFor(() => { expect(result.current.comments.comments).toMatchObject([{ text: "Fine by me", status: "said", by: { id: "user:alice" } }]); });
    await act(() => result.current.input.answer({ action: "approve", value: true }));
    await waitFor(() => { expect(result.current.votes).toMatchObject({ mine: { action: "approve" }, tally: { approve: { votes: 1, missing: 1 } } }); });
    expect(result.current.claim.holder).toBe("nobody");
  });

  it("useDraft keeps what is typed, whatever becomes of the component", async () => {
    const runId = await ask();
    function Note() {
      const { value = "", status, save } = useDraft<string>(runId, "approve:0");
      return <label>{status}<input value={value} onChange={(event) => { save(event.target.value); }} /></label>;
    }
    const { unmount } = render(<Note />, { wrapper: frame(alice) });
    await screen.findByText("empty");
    fireEvent.change(screen.getByRole("textbox"), { target: { value: "half" } });
    expect(screen.getByRole("textbox")).toHaveProperty("value", "half");
    unmount();
    render(<Note />, { wrapper: frame(createSignoff({ url: server.url, timing: quick, token: () => tokenOf("alice") })) });
    await screen.findByText("saved");
    expect(screen.getByRole("textbox")).toHaveProperty("value", "half");
  });
});

function Wizard({ runId }: { readonly runId: string }) {
  const { page, step, of, outcome, back, previous } = useWizard(runId, { address: "page", leaving: () => ({ city: "half" }) });
  if (page === undefined) return <p>{outcome ?? "…"}</p>;
  return (
    <section>
      <h1>{`${step} of ${of ?? "?"}: ${page.title}`}</h1>
      <Page key={page.key} runId={runId} page={page.key} />
      {previous !== undefined && <button onClick={() => void back()}>Back</button>}
    </section>
  );
}

const values: Record<string, unknown> = { "contact:0": { email: "a@b.c" }, "address:0": { city: "Berlin" }, "consent:0": true };

function Page({ runId, page }: { readonly runId: string; readonly page: string }) {
  const { request, answer } = useInput(runId, page);
  const [initial] = useState(() => request?.initial);
  return <button title={JSON.stringify(initial ?? request?.initial)} onClick={() => void answer({ action: "submit", value: values[page] })}>Next</button>;
}

describe("useWizard", () => {
  const shown = (): string => window.location.search;

  it("says in the address which page is open, and goes back with the browser", async () => {
    const runId = await ask("onboarding", null);
    window.history.replaceState(null, "", "/?lang=de&page=consent");
    render(<Wizard runId={runId} />, { wrapper: frame(alice) });
    await screen.findByText("1 of 3: Who are you?");
    // A link does not say how far a run is.
    expect(shown()).toBe("?lang=de&page=contact");
    fireEvent.click(screen.getByText("Next"));
    await screen.findByText("2 of 3: Where do you live?");
    expect(shown()).toBe("?lang=de&page=address");
    fireEvent.click(screen.getByText("Next"));
    await screen.findByText("3 of 3: Do you agree?");

    act(() => { window.history.back(); });
    await screen.findByText("2 of 3: Where do you live?");
    expect(shown()).toBe("?lang=de&page=address");
    act(() => { window.history.back(); });
    await screen.findByText("1 of 3: Who are you?");
    expect(shown()).toBe("?lang=de&page=contact");
    fireEvent.click(screen.getByText("Next"));
    await screen.findByText("2 of 3: Where do you live?");
    await waitFor(() => { expect(screen.getByText("Next").title).toBe('{"city":"half"}'); });
    fireEvent.click(screen.getByText("Back"));
    await screen.findByText("1 of 3: Who are you?");
    await waitFor(() => { expect(shown()).toBe("?lang=de&page=contact"); });
  });
});

describe("suspense", () => {
  function Title({ runId }: { readonly runId: string }) {
    const { request } = useInput(runId, "approve:0", { suspense: true });
    const { connection } = useRun(runId, { suspense: true });
    return <p>{`${connection} ${request?.title ?? "-"}`}</p>;
  }

  it("shows the fallback until something is known", async () => {
    const runId = await ask();
    render(<Suspense fallback={<p>waiting</p>}><Title runId={runId} /></Suspense>, { wrapper: frame(alice) });
    expect(screen.getByText("waiting")).toBeDefined();
    await screen.findByText("live Approve 1?");
  });

  it("shows what is wrong where nothing can be known", async () => {
    render(<Suspense fallback={<p>waiting</p>}><Title runId="nobody-started-this" /></Suspense>, { wrapper: frame(alice) });
    await screen.findByText("failed -");
  });

  it("takes over what a server rendered, which waits for nothing", async () => {
    const runId = await ask();
    const Frame = frame(alice);
    const page = <Frame><Suspense fallback={<p>waiting</p>}><Title runId={runId} /></Suspense></Frame>;
    const { document: hidden } = globalThis;
    Reflect.deleteProperty(globalThis, "document");
    const html = renderToString(page);
    Object.defineProperty(globalThis, "document", { value: hidden, configurable: true, writable: true });
    expect(html).toContain("connecting -");
    const container = document.createElement("div");
    document.body.append(container);
    container.innerHTML = html;
    const errors: unknown[] = [];
    const root = await act(() => Promise.resolve(hydrateRoot(container, page, { onRecoverableError: (error) => errors.push(error) })));
    expect(container.textContent).toBe("connecting -");
    await screen.findByText("live Approve 1?");
    expect(errors).toStrictEqual([]);
    act(() => { root.unmount(); });
    container.remove();
  });
});
