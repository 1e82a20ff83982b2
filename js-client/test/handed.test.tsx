/** Pages that are rendered on a server, with what it has read, and taken over in a browser. */
import { StrictMode, Suspense, act } from "react";
import type { ReactElement, ReactNode } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { SignoffError, createSignoff } from "../src/index.js";
import type { HandedRows, Signoff } from "../src/index.js";
import { AutoForm, SignoffProvider, useInbox, useInput, useResult, useRows, useRun, useRuns, useWizard } from "../src/react/index.js";
import { AnswerServer } from "./support/answers.js";
import { countingFetch, quick } from "./support/network.js";
import { StreamServer, inputRow, message, runRow, stepRow } from "./support/streams.js";
import { eventually, until } from "./support/until.js";

const TOKEN = `e30.${btoa(JSON.stringify({ sub: "alice" }))}.secret`;

let streams: StreamServer;
let server: AnswerServer;
let counted: ReturnType<typeof countingFetch>;
let clients: Signoff[];

beforeEach(async () => {
  streams = await new StreamServer().start();
  server = await new AnswerServer(streams, inputRow()).start();
  await streams.create("runs/r1", message("run", "insert", "r1", runRow()), message("input", "insert", "approve:0", inputRow()));
  counted = countingFetch();
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await server.stop();
  await streams.stop();
});

function make(url = server.url): Signoff {
  const client = createSignoff({ url, timing: quick, token: () => TOKEN, fetch: counted.fetch, connections: "stream" });
  clients.push(client);
  return client;
}

/** As they travel in a page. */
function sent(rows: HandedRows): HandedRows {
  return JSON.parse(JSON.stringify(rows)) as HandedRows;
}

function Run({ suspense = false }: { readonly suspense?: boolean }) {
  const { run, steps } = useRun("r1", { suspense });
  return <p>{`${run?.status ?? "-"} ${steps.map((step) => step.name).join()}`}</p>;
}

function Count() {
  return <b>{`${useInbox("group:finance").requests.length} wait`}</b>;
}

function Lists() {
  const { requests } = useInbox("group:finance");
  const { runs } = useRuns("expense");
  const { rows } = useRows("r1", "step");
  return <p>{[...requests, ...runs, ...rows].map(({ id }) => id).join()}</p>;
}

function Ended() {
  const result = useResult<string>("r1");
  return <em>{result.status === "completed" ? result.output : result.status}</em>;
}

function Wizard() {
  const { page, step, of } = useWizard("r1");
  return <strong>{`${page?.title ?? "-"} ${step}/${of ?? "?"}`}</strong>;
}

function Request() {
  return <AutoForm input={useInput("r1", "approve:0")} />;
}

describe("reading once", () => {
  it("gives the rows as they are, and what they show, in one request each", async () => {
    await streams.append("runs/r1", message("step", "insert", "check:0", stepRow()), message("step", "insert", "gone:0", stepRow({ id: "gone:0" })));
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "running" })), message("step", "delete", "gone:0"));
    const client = make();
    const { rows, snapshot } = await client.run("r1").read();
    expect(snapshot).toMatchObject({ connection: "connecting", run: { status: "running" }, steps: [{ name: "check" }], inputs: [{ title: "Approve?" }] });
    expect(rows).toMatchObject([{ stream: "runs/r1", asOf: snapshot.asOf }]);
    const { snapshot: input } = await client.input("r1", "approve:0").read();
    expect(input).toMatchObject({ connection: "connecting", request: inputRow(), submission: { status: "idle" } });
    const { snapshot: inbox } = await client.inbox(["user:alice", "group:finance"]).read();
    expect(inbox.requests).toStrictEqual([]);
    expect(counted.requests.map(({ url, init }) => [new URL(url).pathname, url.includes("live="), init?.cache])).toStrictEqual([
      ["/v1/stream/runs/r1", false, "no-store"], ["/v1/runs/r1/inputs/approve:0", false, "no-store"],
      ["/v1/stream/inbox/group:finance", false, "no-store"], ["/v1/stream/inbox/user:alice", false, "no-store"],
    ]);
    expect(counted.requests.every(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);
  });

  it("leaves the token and the address with the server", async () => {
    const client = make();
    const read = [await client.run("r1").read(), await client.input("r1", "approve:0").read()];
    const text = JSON.stringify(read.flatMap(({ rows }) => rows));
    expect(text).toContain("Approve?");
    expect(text).not.toContain(TOKEN.slice(0, 8));
    expect(text).not.toContain("secret");
    expect(text).not.toContain(server.url);
  });

  it("needs nothing that would keep a client for ever, which Node.js has as browsers do", async () => {
    const held = vi.fn(() => new Promise(() => undefined));
    const Channel = vi.fn();
    vi.stubGlobal("navigator", { locks: { request: held, query: held } });
    vi.stubGlobal("BroadcastChannel", Channel);
    try {
      const client = createSignoff({ url: server.url });
      clients.push(client);
      expect((await client.run("r1").read()).snapshot.run?.status).toBe("waiting");
    } finally {
      vi.unstubAllGlobals();
    }
    expect([held.mock.calls, Channel.mock.calls]).toStrictEqual([[], []]);
  });

  it("says why it cannot", async () => {
    await expect(make().run("r9").read()).rejects.toMatchObject({ problem: { status: 404 } });
    server.refuseReads = 403;
    await expect(make().input("r1", "approve:0").read()).rejects.toMatchObject({ problem: { status: 403 } });
    await expect(make().input("..", "approve:0").read()).rejects.toMatchObject({ problem: { code: "invalid_name" } });
    await expect(make("http://127.0.0.1:1").runs("expense").read()).rejects.toThrow(SignoffError);
  });
});

describe("a page rendered on a server", () => {
  it("holds what was read for it, and nothing of what was read for another", async () => {
    expect(typeof document).toBe("undefined");
    await streams.create("inbox/group:finance", message("input", "insert", "r1/approve:0", inputRow({ id: "r1/approve:0" })));
    await streams.create("workflows/expense", message("run", "insert", "r1", runRow()));
    await streams.append("runs/r1", message("step", "insert", "check:0", stepRow()));
    const reader = make();
    const read = await Promise.all([reader.inbox("group:finance").read(), reader.runs("expense").read(), reader.run("r1").read()]);
    // As in a module that everybody's pages are rendered with.
    const shared = make("/");
    const page = (rows?: HandedRows) =>
      renderToString(<SignoffProvider client={shared} {...(rows === undefined ? {} : { rows })}><Lists /><Run suspense /><Request /></SignoffProvider>);
    const html = page(sent(read.flatMap(({ rows }) => rows)));
    expect(html).toContain("<p>r1/approve:0,r1,check:0</p><p>waiting check</p>");
    expect(html).toContain("Approve?");
    expect(html).toContain("data-action=\"approve\"");
    const others = page();
    expect(others).toContain("<p></p><p>- </p>");
    expect(others).not.toContain("Approve?");
  });

  it("says how a run ended, and which page of a wizard is open", async () => {
    const page = inputRow({ wizard: { step: 2, of: 3, back: null } });
    await streams.append("runs/r1", message("input", "update", "approve:0", page), message("run", "update", "r1", runRow({ status: "completed", output: "paid" })));
    const { rows } = await make().run("r1").read();
    expect(renderToString(<SignoffProvider client={make("/")} rows={rows}><Ended /><Wizard /></SignoffProvider>)).toBe("<em>paid</em><strong>Approve? 2/3</strong>");
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "failed", error: { code: "no", message: "No" } })));
    const failed = await make().run("r1").read();
    expect(renderToString(<SignoffProvider client={make("/")} rows={failed.rows}><Ended /></SignoffProvider>)).toBe("<em>failed</em>");
  });

  it("adds what a part of it was read for to what the whole was", async () => {
    await streams.create("inbox/group:finance", message("input", "insert", "r1/approve:0", inputRow({ id: "r1/approve:0" })));
    const reader = make();
    const [whole, part] = [await reader.inbox("group:finance").read(), await reader.input("r1", "approve:0").read()];
    const html = renderToString(
      <SignoffProvider client={make("/")} rows={whole.rows}>
        <SignoffProvider rows={part.rows}><Count /><Request /></SignoffProvider>
      </SignoffProvider>,
    );
    expect(html).toContain("1 wait");
    expect(html).toContain("Approve?");
  });

  it("puts together what was read of one run in parts", async () => {
    const client = make();
    const [first] = (await client.input("r1", "approve:0").read()).rows;
    server.row = inputRow({ id: "second:0", name: "second", title: "And this?" });
    const [second] = (await client.input("r1", "second:0").read()).rows;
    const rows = [first, second].flatMap((one) => one ?? []);
    expect(client.input("r1", "approve:0").getInitialSnapshot(rows).request?.title).toBe("Approve?");
    expect(client.input("r1", "second:0").getInitialSnapshot(rows).request?.title).toBe("And this?");
    expect(client.run("r1").getInitialSnapshot(rows)).toMatchObject({ inputs: [{ name: "approve" }, { name: "second" }] });
  });
});

describe("in the browser, a page that was handed its rows", () => {
  let root: { unmount: () => void } | undefined;
  let container: HTMLElement;
  const errors: unknown[] = [];
  const removed: string[] = [];

  beforeAll(async () => { await import("./support/dom.js"); });

  beforeEach(() => {
    container = document.createElement("div");
    document.body.append(container);
    [errors.length, removed.length] = [0, 0];
  });

  afterEach(() => {
    act(() => { root?.unmount(); });
    root = undefined;
    container.remove();
  });

  /** Take over what another page was rendered as. */
  async function takeOver(page: ReactElement, html = renderToString(page)): Promise<void> {
    const { hydrateRoot } = await import("react-dom/client");
    container.innerHTML = html;
    new MutationObserver((changes) => {
      for (const { removedNodes } of changes) for (const node of removedNodes) removed.push(node.textContent ?? "");
    }).observe(container, { childList: true, subtree: true });
    root = await act(() => Promise.resolve(hydrateRoot(container, page, { onRecoverableError: (error) => errors.push(error) })));
  }

  /** Whatever a microtask, a timer of nothing and an effect have to do. */
  async function rest(): Promise<void> {
    await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
  }

  function framed(client: Signoff, rows: HandedRows, children: ReactNode): ReactElement {
    return (
      <StrictMode>
        <SignoffProvider client={client} rows={rows}><Suspense fallback={<i>Wait</i>}>{children}</Suspense></SignoffProvider>
      </StrictMode>
    );
  }

  /** Wait as `eventually` does; React 18 shows nothing before an `act` is over. */
  async function seen(condition: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + 8_000;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`not within 8 s: ${what}`);
      await rest();
    }
  }

  it("shows them without a mismatch or a flash, and follows on", async () => {
    const rows = sent((await make().run("r1").read()).rows);
    const client = make();
    await takeOver(framed(client, rows, <><Run suspense /><Request /></>));
    const [row, title] = [container.querySelector("p"), container.querySelector("h2")];
    expect([row?.textContent, title?.textContent]).toStrictEqual(["waiting ", "Approve?"]);
    await seen(() => client.run("r1").getSnapshot().connection === "live", "the stream");
    await rest();
    expect([container.querySelector("p"), container.querySelector("h2")]).toStrictEqual([row, title]);
    expect(removed).toStrictEqual([]);
    await act(() => streams.append("runs/r1", message("step", "insert", "check:0", stepRow())));
    await seen(() => row?.textContent === "waiting check", "the step");
    expect(container.querySelector("p")).toBe(row);
    expect(client.run("r1").getSnapshot().asOf).toBeUndefined();
    expect(errors).toStrictEqual([]);
  });

  it("goes on with how the run ended, until it is rewound", async () => {
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "failed", error: { code: "no", message: "No" } })));
    const rows = sent((await make().run("r1").read()).rows);
    const client = make();
    await takeOver(framed(client, rows, <><Ended /><Wizard /></>));
    const shown: string[] = [];
    const stop = client.outcome("r1").subscribe(() => { shown.push(client.outcome("r1").getSnapshot().status); });
    await seen(() => client.run("r1").getSnapshot().connection === "live" && shown.length > 0, "the server's word on it");
    expect(shown).toStrictEqual(["failed"]);
    await act(() => streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "running" }))));
    await seen(() => container.querySelector("em")?.textContent === "pending", "that it goes on");
    stop();
    expect(errors).toStrictEqual([]);
  });

  it("says that a run goes on that was over when it was rendered", async () => {
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "failed", error: { code: "no", message: "No" } })));
    const rows = sent((await make().run("r1").read()).rows);
    await streams.append("runs/r1", message("run", "update", "r1", runRow({ status: "running" })));
    expect(renderToString(framed(make("/"), rows, <Ended />))).toContain("<em>failed</em>");
    await takeOver(framed(make(), rows, <Ended />));
    await seen(() => container.textContent === "pending", "that it goes on");
    expect(errors).toStrictEqual([]);
  });

  it("keeps them while the server cannot be reached, and says how old they are", async () => {
    const rows = sent((await make().run("r1").read()).rows);
    const client = make();
    await streams.stop();
    await takeOver(framed(client, rows, <><Run suspense /><Request /></>));
    await seen(() => client.run("r1").getSnapshot().connection === "reconnecting", "an attempt");
    expect(client.run("r1").getSnapshot()).toMatchObject({ asOf: rows[0]?.asOf, run: { status: "waiting" } });
    expect(container.textContent).toContain("Approve?");
    await streams.start();
  });

  it("answers what it shows before its stream is there", async () => {
    const rows = sent((await make().input("r1", "approve:0").read()).rows);
    const client = make();
    client.hand(rows);
    const view = client.input("r1", "approve:0");
    expect(view.getSnapshot()).toMatchObject({ connection: "connecting", asOf: rows[0]?.asOf, request: inputRow() });
    const stop = view.subscribe(() => undefined);
    expect(await view.answer({ action: "approve" })).toMatchObject({ status: "accepted" });
    expect(server.received).toMatchObject([{ seen_offset: inputRow().revised }]);
    stop();
  });

  it("says that a request was revised since it was rendered", async () => {
    const rows = sent((await make().input("r1", "approve:0").read()).rows);
    const client = make();
    const revised = inputRow({ revision: 1, revised: "0000000000000003", title: "Approve more?" });
    await streams.append("runs/r1", message("input", "update", "approve:0", revised));
    await takeOver(framed(client, rows, <Request />));
    await seen(() => container.querySelector(".signoff-amended, [role=alert], .signoff-notice") !== null, "the notice");
    expect(container.querySelector("h2")?.textContent).toBe("Approve?");
    expect(client.input("r1", "approve:0").getSnapshot()).toMatchObject({ shown: { revision: 0 }, request: { revision: 1 } });
  });

  it("is found again below a part that was not handed them", async () => {
    await streams.create("inbox/group:finance", message("input", "insert", "r1/approve:0", inputRow({ id: "r1/approve:0" })));
    const rows = sent((await make().inbox("group:finance").read()).rows);
    const client = make();
    await takeOver(<SignoffProvider client={client}><Count /><SignoffProvider rows={rows}><Lists /></SignoffProvider></SignoffProvider>, "<b>0 wait</b><p>r1/approve:0</p>");
    const list = container.querySelector("p");
    expect(list?.textContent).toBe("r1/approve:0");
    await seen(() => container.querySelector("b")?.textContent === "1 wait", "the count");
    expect(container.querySelector("p")).toBe(list);
    expect(errors).toStrictEqual([]);
  });

  it("begins with them though a part of it is on its way to them", async () => {
    const rows = sent((await make().run("r1").read()).rows);
    await streams.stop();
    const client = make();
    const view = client.run("r1");
    const stop = view.subscribe(() => undefined);
    expect(view.getSnapshot().run).toBeUndefined();
    client.hand(rows);
    expect(view.getSnapshot().run).toBeUndefined();
    expect(await until(view, ({ run }) => run !== undefined)).toMatchObject({ run: { status: "waiting" }, asOf: rows[0]?.asOf });
    stop();
    await streams.start();
  });

  it("does not go back to them when it is visited again", async () => {
    const rows = sent((await make().run("r1").read()).rows);
    const client = make();
    client.hand(rows);
    expect(client.run("r1").getSnapshot().run?.status).toBe("waiting");
    const stop = client.run("r1").subscribe(() => undefined);
    await until(client.run("r1"), ({ connection }) => connection === "live");
    stop();
    await eventually(() => counted.requests.at(-1)?.init?.signal?.aborted === true, "the stream to be left");
    client.hand(sent(rows));
    expect(client.run("r1").getSnapshot().run).toBeUndefined();
    client.hand((await make().run("r1").read()).rows);
    expect(client.run("r1").getSnapshot().run?.status).toBe("waiting");
  });

  it("shows them no longer where they may not be read", async () => {
    const rows = sent((await make().run("r1").read()).rows);
    const client = make();
    client.hand(rows);
    streams.server.injectFault("/v1/stream/runs/r1", { status: 403, count: 1_000, method: "GET" });
    const stop = client.run("r1").subscribe(() => undefined);
    const failed = await until(client.run("r1"), ({ connection }) => connection === "failed");
    expect(failed.run).toBeUndefined();
    expect(failed.asOf).toBeUndefined();
    stop();
  });

  it("shows them to nobody who signs in next", async () => {
    const rows = sent((await make().run("r1").read()).rows);
    let sub = "alice";
    const client = createSignoff({ url: server.url, timing: quick, token: () => `e30.${btoa(JSON.stringify({ sub }))}.`, connections: "stream" });
    clients.push(client);
    await client.act("cancel", "r9");
    client.hand(rows);
    sub = "bora";
    await client.act("cancel", "r9");
    expect(client.run("r1").getSnapshot().run).toBeUndefined();
  });
});
