/** What the guide shows of views, without React and in Vue, and of a wizard, is what is run here. */
import "./support/dom.js";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createApp, createSSRApp, effectScope, nextTick, ref } from "vue";
import { createSignoff, memoryStorage } from "../src/index.js";
import type { Signoff } from "../src/index.js";
import { SignoffProvider } from "../src/react/index.js";
import { quick } from "./support/network.js";
import { Onboarding } from "./guide/onboarding.js";
import { SignoffServer, tokenOf } from "./support/signoff.js";
import { eventually, until } from "./support/until.js";
import { showTalk } from "./guide/vanilla.js";
import { SIGNOFF, useInput, useView } from "./guide/vue.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const guide = readFileSync(join(here, "../../docs/guide/react.md"), "utf8");
const server = new SignoffServer();
let client: Signoff;

beforeAll(async () => {
  await server.start();
});

afterAll(async () => {
  await server.remove();
});

beforeEach(() => {
  const token = tokenOf("alice", { groups: ["finance"], grants: ["run:read:*", "run:start:*", "event:send:*"] });
  client = createSignoff({ url: server.url, timing: { ...quick, patience: 5_000, look: 30, draft: 10 }, storage: memoryStorage(), token: () => token, connections: "page" });
});

afterEach(() => {
  cleanup();
  client.close();
  window.history.replaceState(null, "", "/");
});

/** A file of this folder as a reader of the guide would write it. */
function shown(file: string): string {
  return readFileSync(join(here, "guide", file), "utf8").replaceAll(/"..\/..\/src\/(?:(react)\/)?index.js"/g, (_all, react?: string) => `"@signoff/client${react === undefined ? "" : "/react"}"`);
}

describe("the guide on views", () => {
  it.each([["vanilla.ts", "ts"], ["vue.ts", "ts"], ["onboarding.tsx", "tsx"]])("shows %s as it is run here", (file, language) => {
    expect(guide).toContain(`\`\`\`${language}\n${shown(file)}\`\`\`\n`);
  });

  it("names every hook that is a view", async () => {
    const views = readdirSync(join(here, "../src/react")).filter((file) => /^use-.*\.ts$/.test(file) && file !== "use-view.ts");
    const hooks = views.map((file) => file.slice(0, -3).replaceAll(/-(.)/g, (_all, letter: string) => letter.toUpperCase()));
    expect(Object.keys(await import("../src/react/index.js"))).toEqual(expect.arrayContaining(hooks));
    expect(hooks.filter((name) => !guide.includes(`| \`${name}(`))).toStrictEqual([]);
  });

  it("shows a page without a framework that follows an output", async () => {
    await client.startRun({ workflow: "talk", input: ["Hel", "lo"], runId: "talk-1" });
    const place = document.createElement("p");
    const stop = showTalk("talk-1", place, client);
    expect(place.dataset["state"]).toBe("connecting");
    await until(client.run("talk-1"), ({ connection }) => connection === "live");
    await client.send("talk-1", "begin", { id: "e1", payload: null });
    await eventually(() => place.dataset["state"] === "completed" && place.textContent === "Hello", "the end");
    stop();
  });

  it("shows a composable with which Vue follows a request, and answers it", async () => {
    await client.startRun({ workflow: "expense", input: 120, runId: "expense-1" });
    await client.startRun({ workflow: "expense", input: 75, runId: "expense-2" });
    const app = createApp({});
    app.provide(SIGNOFF, client);
    const scope = effectScope();
    const runId = ref("expense-1");
    const { state, answer } = app.runWithContext(() => scope.run(() => useInput(runId, "approve:0"))) ?? {};
    if (state === undefined || answer === undefined) throw new Error("the scope was stopped");
    await eventually(() => state.value.request?.title === "Approve 120?", "the first request");
    runId.value = "expense-2";
    await nextTick();
    await eventually(() => state.value.request?.title === "Approve 75?", "the second request");
    expect(await answer.value({ action: "approve", value: { approved: true } })).toMatchObject({ status: "accepted" });
    await eventually(() => state.value.submission.status === "accepted", "the answer to be shown");
    scope.stop();
    const before = state.value;
    client.input("expense-2", "approve:0").acknowledge();
    expect(state.value).toBe(before);
  });

  it("shows a composable that renders nothing on a server but that it is connecting", () => {
    const scope = effectScope();
    const run = createSSRApp({}).runWithContext(() => scope.run(() => useView(client.run("expense-1"))));
    expect(run?.value.connection).toBe("connecting");
    scope.stop();
  });

  it("shows a wizard whose first page is there again when it is opened anew", async () => {
    await client.startRun({ workflow: "onboarding", runId: "onboarding-1" });
    const page = <SignoffProvider client={client}><Onboarding runId="onboarding-1" /></SignoffProvider>;
    const { unmount } = render(page);
    fireEvent.change(await screen.findByRole("textbox"), { target: { value: "a@b.c" } });
    await screen.findByText(/saved/);
    unmount();
    render(page);
    expect(await screen.findByDisplayValue("a@b.c")).toBeDefined();
    fireEvent.click(screen.getByText("Next"));
    await screen.findByText(/2 of 3: Where do you live\?/);
    fireEvent.click(screen.getByText("Back"));
    expect(await screen.findByDisplayValue("a@b.c")).toBeDefined();
  });
});
