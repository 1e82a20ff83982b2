/** What a person meets at a request: fields and buttons, what is wrong, what changed, what became of it. */
import "./support/dom.js";
import { act, fireEvent, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { FormField, InputRow, SignoffProblem, Submission } from "../src/index.js";
import { englishWords } from "../src/react/index.js";
import type { UseDraft, WidgetProps } from "../src/react/index.js";
import { cleanup, press, show, wait } from "./support/form.js";
import { inputRow } from "./support/streams.js";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const amount: FormField = { name: "amount", pointer: "/amount", kind: "decimal", label: "Amount", required: true };
const note: FormField = { name: "note", pointer: "/note", kind: "textarea", label: "Note", required: false, description: "For the claimant." };
const reason: FormField = { name: "reason", pointer: "/reason", kind: "text", label: "Reason", required: true, minLength: 1 };
const lines: FormField = {
  name: "lines", pointer: "/lines", kind: "list", label: "Lines", required: true,
  item: { name: "*", pointer: "/lines/*", kind: "text", label: "Line", required: true },
};

function type(label: string, text: string): void {
  fireEvent.change(screen.getByLabelText(new RegExp(`^${label}`)), { target: { value: text } });
}

function describedBy(control: Element): string {
  const ids = control.getAttribute("aria-describedby")?.split(" ") ?? [];
  return ids.map((id) => [...document.querySelectorAll("[id]")].find((one) => one.id === id)?.textContent ?? "?").join(" ");
}

const offline: SignoffProblem = { type: "", title: "The server could not be reached", status: 0, detail: null, code: "network" };

const invalid = (...errors: { pointer: string; message: string }[]): Submission => ({
  status: "invalid", submissionId: "s", action: "approve", value: {}, errors,
  problem: { type: "urn:signoff:problem:invalid_answer", title: "It does not fit", status: 422, detail: null, code: "invalid_answer" },
});

describe("actions", () => {
  const own: Partial<InputRow> = {
    form: null,
    actions: ["approve", "reject", "later"],
    choices: {
      approve: { label: "Pay it", intent: "positive", confirm: null, schema: {}, form: [amount] },
      reject: { label: "Decline", intent: "negative", confirm: "This cannot be taken back.", schema: {}, form: [reason] },
      later: { label: "Later", intent: "neutral", confirm: null, schema: null },
    },
  };

  it("are buttons with their intents, in their order", () => {
    const { form } = show(own);
    const buttons = [...form.querySelectorAll<HTMLElement>("[data-action]")];
    expect(buttons.map(({ textContent, dataset }) => [textContent, dataset["intent"]])).toStrictEqual([["Pay it", "positive"], ["Decline", "negative"], ["Later", "neutral"]]);
  });

  it("that take different things open what they take, with what to think of, and send it with a second button", async () => {
    const scene = show(own);
    expect(screen.queryByLabelText("Reason")).toBeNull();
    await press(scene, "reject");
    expect(scene.answers).toStrictEqual([]);
    expect(document.activeElement?.textContent).toBe("Decline");
    expect(scene.form.textContent).toContain("This cannot be taken back.");
    type("Reason", "No receipt");
    await press(scene, "reject");
    expect(scene.answers).toMatchObject([{ action: "reject", value: { reason: "No receipt" } }]);
  });

  it("that were opened are closed again, and the focus goes back", async () => {
    const scene = show(own);
    await press(scene, "reject");
    fireEvent.click(screen.getByText("Not yet"));
    expect(screen.queryByLabelText("Reason")).toBeNull();
    expect(document.activeElement).toBe(screen.getByText("Decline"));
  });

  it("that take nothing send null at once", async () => {
    const scene = show(own);
    await press(scene, "later");
    expect(scene.answers).toMatchObject([{ action: "later", value: null }]);
  });

  it("share the one form there is, which is filled in before any is chosen", async () => {
    const scene = show({ form: [amount, note] });
    await press(scene, "reject");
    type("Amount", "1,5");
    await press(scene, "approve");
    await press(scene, "reject");
    // Nothing had been filled in when it was rejected first.
    expect(scene.answers.map(({ action, value }) => [action, value])).toStrictEqual([["reject", null], ["approve", { amount: "1.5" }], ["reject", { amount: "1.5" }]]);
  });

  it("that ask back with a common form check it first", async () => {
    const choices = { approve: { label: "Approve", intent: "positive" as const, confirm: "Sure?" }, reject: { label: "Reject", intent: "negative" as const, confirm: null } };
    const scene = show({ form: [amount], choices });
    await press(scene, "approve");
    expect(scene.form.textContent).not.toContain("Sure?");
    type("Amount", "2");
    await press(scene, "approve");
    expect(scene.form.textContent).toContain("Sure?");
    expect(describedBy(screen.getByText("Approve", { selector: "button" }))).toBe("Sure?");
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ action: "approve", value: { amount: "2" } }]);
  });

  it("leave half a page with back, whatever stands in it", async () => {
    const choices = { approve: { label: "Next", intent: "positive" as const, confirm: null }, back: { label: "Back", intent: "neutral" as const, confirm: null } };
    const scene = show({ form: [amount, reason], actions: ["approve", "back"], choices });
    await press(scene, "back");
    type("Amount", "1,");
    await press(scene, "back");
    expect(scene.answers).toMatchObject([{ action: "back", value: null }, { action: "back", value: { amount: "1", reason: "" } }]);
  });

  it("do nothing for a second after they have come up", () => {
    const scene = show({ form: null });
    const button = screen.getByText("Approve");
    fireEvent.pointerDown(button);
    fireEvent.click(button);
    expect(scene.answers).toStrictEqual([]);
    expect(button.getAttribute("aria-disabled")).toBe("true");
    wait();
    expect(button.getAttribute("aria-disabled")).toBe("false");
  });

  it("that are not offered here have no button", () => {
    const { form } = show(own, { actions: ["later"] });
    expect([...form.querySelectorAll("[data-action]")].map((one) => one.textContent)).toStrictEqual(["Later"]);
  });

  it("say that their answer is on its way", () => {
    const scene = show({ form: [amount] });
    scene.becomes({ submission: { status: "waiting-for-network", submissionId: "s", action: "approve", value: null, attempt: 2, problem: offline } });
    expect(screen.getByText("Waiting …")).toBeDefined();
    expect(screen.getByText(englishWords.waitingTitle)).toBeDefined();
    expect(screen.getByLabelText<HTMLInputElement>("Amount").disabled).toBe(true);
  });
});

describe("what is wrong", () => {
  it("stands at its field, is bound to it, and has the focus", async () => {
    const scene = show({ form: [amount, note] });
    type("Amount", "a lot");
    await press(scene, "approve");
    const field = screen.getByLabelText("Amount");
    expect(scene.answers).toStrictEqual([]);
    expect(field.getAttribute("aria-invalid")).toBe("true");
    expect(describedBy(field)).toBe("“a lot” is not a number.");
    expect(document.activeElement).toBe(field);
    expect(describedBy(screen.getByLabelText(/^Note/))).toBe("For the claimant.");
    expect(scene.form.querySelector(".signoff-summary")?.textContent).toContain("Amount: “a lot” is not a number.");
  });

  it("as the server says, stands at its field, however deep, and what has no field above them", () => {
    const address: FormField = { name: "address", pointer: "/address", kind: "fieldset", label: "Address", required: true, fields: [{ ...reason, name: "a/b", pointer: "/address/a~1b", label: "Street" }] };
    const scene = show({ form: [address, { name: "extra", pointer: "/extra", kind: "json", label: "Extra", required: false }] });
    scene.becomes({ submission: invalid({ pointer: "/address/a~1b", message: "Too short." }, { pointer: "/extra/deep/0", message: "No number." }, { pointer: "", message: "All in all too much." }) });
    expect(describedBy(screen.getByLabelText("Street"))).toBe("Too short.");
    expect(describedBy(screen.getByLabelText(/^Extra/))).toBe("Write it as JSON. deep/0: No number.");
    const summary = scene.form.querySelector(".signoff-summary");
    expect([...(summary?.querySelectorAll("li") ?? [])].map((one) => one.textContent)).toStrictEqual(["All in all too much.", "Address › Street: Too short.", "Extra: deep/0: No number."]);
    screen.getByText("Extra: deep/0: No number.").click();
    expect(document.activeElement).toBe(screen.getByLabelText(/^Extra/));
    screen.getByText("Address › Street: Too short.").click();
    expect(document.activeElement).toBe(screen.getByLabelText("Street"));
  });

  it("stays at its row when that is moved", () => {
    const scene = show({ form: [lines], initial: { lines: ["one", "two"] } });
    scene.becomes({ submission: invalid({ pointer: "/lines/1", message: "Not two." }) });
    expect(describedBy(screen.getByLabelText("Line 2"))).toBe("Not two.");
    fireEvent.click(screen.getByLabelText("Move Line 2 up"));
    const first = screen.getByLabelText<HTMLInputElement>("Line 1");
    expect([first.value, describedBy(first)]).toStrictEqual(["two", "Not two."]);
  });

  it("in another page's answer is shown here too, and takes no focus", () => {
    const scene = show({ form: [amount] });
    act(() => { scene.becomes({ request: inputRow({ form: [amount], errors: [{ pointer: "/amount", message: "More than is left." }] }) }); });
    expect(describedBy(screen.getByLabelText("Amount"))).toBe("More than is left.");
    expect(document.activeElement).toBe(document.body);
    expect(scene.form.querySelector(".signoff-summary[role=status]")?.textContent).toContain("More than is left.");
  });

  it("is found before it is sent where a field that is wanted is blank, or would be another value", async () => {
    const ratio: FormField = { name: "ratio", pointer: "/ratio", kind: "number", label: "Ratio", required: false, default: 0.5 };
    const sure: FormField = { name: "sure", pointer: "/sure", kind: "checkbox", label: "Sure", required: true };
    const scene = show({ form: [amount, ratio, sure, reason] });
    type("Ratio", "");
    await press(scene, "approve");
    expect(scene.answers).toStrictEqual([]);
    expect(describedBy(screen.getByLabelText("Amount"))).toBe(englishWords.required);
    expect(describedBy(screen.getByLabelText(/^Ratio/))).toBe("This cannot be empty: without a value it would be 0.5.");
    expect(describedBy(screen.getByRole("radiogroup"))).toBe(englishWords.required);
    expect(describedBy(screen.getByLabelText("Reason"))).toBe(englishWords.required);
  });
});

describe("what is cleared", () => {
  it("is sent as such where it would come back as the default", async () => {
    const greeting: FormField = { name: "greeting", pointer: "/greeting", kind: "text", label: "Greeting", required: false, default: "Hello" };
    const age: FormField = { name: "age", pointer: "/age", kind: "integer", label: "Age", required: false, default: 5, blank: null };
    const scene = show({ form: [greeting, age, note] });
    await press(scene, "approve");
    type("Greeting", "");
    type("Age", "");
    await press(scene, "approve");
    expect(scene.answers.map(({ value }) => value)).toStrictEqual([{ greeting: "Hello", age: 5 }, { greeting: "", age: null }]);
  });
});

describe("rows", () => {
  it("are added, moved and removed, and the focus goes along", async () => {
    const scene = show({ form: [lines], initial: { lines: ["one"] } });
    fireEvent.click(screen.getByLabelText("Add a row: Lines"));
    expect(document.activeElement).toBe(screen.getByLabelText("Line 2"));
    type("Line 2", "two");
    fireEvent.click(screen.getByLabelText("Move Line 2 up"));
    expect(document.activeElement).toBe(screen.getByLabelText("Move Line 1 down"));
    fireEvent.click(screen.getByLabelText("Add a row: Lines"));
    type("Line 3", "three");
    fireEvent.click(screen.getByLabelText("Remove Line 2"));
    expect(document.activeElement).toBe(screen.getByLabelText("Remove Line 2"));
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ value: { lines: ["two", "three"] } }]);
  });

  it("that nobody has filled in are none, and errors still find the others", async () => {
    const scene = show({ form: [lines], initial: { lines: ["", "two"] } });
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ value: { lines: ["two"] } }]);
    scene.becomes({ submission: invalid({ pointer: "/lines/0", message: "Not two." }) });
    expect(describedBy(screen.getByLabelText("Line 2"))).toBe("Not two.");
  });

  it("of a map have names, each once", async () => {
    const map: FormField = { name: "prices", pointer: "/prices", kind: "map", label: "Prices", required: true, key: { kind: "text" }, value: { ...amount, name: "*", pointer: "/prices/*", label: "Price" } };
    const scene = show({ form: [map], initial: { prices: { a: "1", b: "2" } } });
    type("Name 2", "a");
    await press(scene, "approve");
    expect(describedBy(screen.getByLabelText("Name 2"))).toBe("“a” stands here twice.");
    type("Name 2", "c");
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ value: { prices: { a: "1", c: "2" } } }]);
  });
});

describe("a revision while somebody reads", () => {
  const before: Partial<InputRow> = { form: [amount, note], title: "Pay 100?", show: { total: 100, who: "Ada" }, initial: { amount: "100" }, description: "See **this**." };
  const after = (change: Partial<InputRow> = {}) => inputRow({ ...before, title: "Pay 120?", show: { total: 120, who: "Ada" }, initial: { amount: "120" }, revision: 1, revised: "0000000000000003", ...change });

  it("is told at the top, with what changed, and nothing answers until it was looked at", async () => {
    const scene = show(before);
    wait();
    scene.becomes({ request: after() });
    const notice = screen.getByRole("alert");
    expect(notice.textContent).toContain(englishWords.changed);
    expect([...notice.querySelectorAll("li")].map((one) => one.textContent)).toStrictEqual([
      "The title Pay 100? Pay 120?", "Total 100 120", 'What is proposed {"amount":"100"} {"amount":"120"}',
    ]);
    expect(notice.contains(document.activeElement)).toBe(true);
    // What was read is still what is shown.
    expect(screen.getByRole("heading", { level: 2 }).textContent).toBe("Pay 100?");
    await press(scene, "approve");
    expect(scene.answers).toStrictEqual([]);
    expect(scene.acknowledged()).toBe(0);
  });

  it("is one, too, if the run was deleted and another asks there, at the same offset", async () => {
    const scene = show(before);
    wait();
    const another = after({ asked_at: "2026-03-01T10:00:00.000Z", revision: 0, revised: inputRow().revised });
    scene.becomes({ request: another });
    expect(screen.getByRole("alert").textContent).toContain(englishWords.changed);
    await press(scene, "approve");
    expect(scene.answers).toStrictEqual([]);
    wait();
    fireEvent.click(screen.getByText("Review again"));
    expect(screen.queryByRole("alert")).toBeNull();
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ seen: { asked_at: another.asked_at } }]);
  });

  it("is shown when it is asked for, with what changed marked where it stands", async () => {
    const scene = show(before);
    type("Note", "Mine.");
    scene.becomes({ request: after() });
    wait();
    fireEvent.click(screen.getByText("Review again"));
    expect(scene.acknowledged()).toBe(1);
    expect(screen.queryByRole("alert")).toBeNull();
    const marked = [...scene.form.querySelectorAll("ins")].map((one) => one.textContent);
    expect(marked).toStrictEqual(["Pay 120?", "120"]);
    expect([...scene.form.querySelectorAll("del")].map((one) => one.textContent)).toStrictEqual(["before: Pay 100? ", "before: 100"]);
    expect(scene.form.querySelector("[data-kind=decimal] mark")?.textContent).toBe(" Changed");
    // What was typed stays.
    expect(screen.getByLabelText<HTMLTextAreaElement>(/^Note/).value).toBe("Mine.");
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ value: { amount: "100", note: "Mine." }, seen: { revised: "0000000000000003" } }]);
  });

  it("proposes anew where nobody has filled in anything, and keeps what was where fields are others", () => {
    const untouched = show(before);
    untouched.becomes({ request: after() });
    wait();
    fireEvent.click(screen.getByText("Review again"));
    expect(screen.getByLabelText<HTMLInputElement>(/^Amount/).value).toBe("120");
    cleanup();
    const touched = show(before);
    type("Amount", "99");
    touched.becomes({ request: after({ form: [amount, reason] }) });
    wait();
    fireEvent.click(screen.getByText("Review again"));
    expect(screen.getByLabelText<HTMLInputElement>(/^Amount/).value).toBe("99");
    expect(screen.getByLabelText(/^Reason/)).toBeDefined();
  });

  it("in the words of the page, if it has any", () => {
    const scene = show(before, { describe: (one, other) => [{ what: "Sum", before: one.title, after: other.title }] });
    scene.becomes({ request: after() });
    expect(screen.getByRole("alert").querySelector("li")?.textContent).toBe("Sum Pay 100? Pay 120?");
  });
});

describe("what became of it", () => {
  const row = (change: Partial<InputRow>) => inputRow({ decided_at: "2026-03-01T10:00:00.000Z", ...change });
  const outcomes: [string, Submission, Partial<InputRow>, string][] = [
    ["accepted", { status: "accepted", submissionId: "s", action: "approve", value: null, row: row({ status: "answered" }), offset: "1", confirmed: false }, {}, "Thank youApprove. Your answer is recorded."],
    ["voted", { status: "voted", submissionId: "s", action: "approve", value: null, row: row({ quorum: { need: 2, of: 3, veto: [] }, votes: [{ by: { kind: "person", id: "user:alice" }, action: "approve", at: "" }] }), offset: "1", confirmed: false }, {}, "Your vote countsApprove. 1 of 2 agree so far."],
    ["by somebody else", { status: "idle" }, row({ status: "answered", action: "reject", decided_by: { kind: "person", id: "user:bora" } }), "Already decidedReject, by Bora, "],
    ["by me elsewhere", { status: "idle" }, row({ status: "answered", action: "reject", decided_by: { kind: "person", id: "user:alice" } }), "Already decidedReject, by you, "],
    ["too late", { status: "decided", outcome: "expired", row: row({ status: "expired" }) }, {}, "Too lateThe time to answer is over. Nothing was recorded."],
    ["withdrawn", { status: "idle" }, row({ status: "withdrawn", reason: "No longer needed." }), "No longer needed."],
    ["judged", { status: "validating", submissionId: "s", action: "approve", value: null, attempt: 1 }, {}, "Being checkedYour answer is being checked; it is kept until then."],
    ["judged elsewhere", { status: "idle" }, { status: "validating" }, "Being checkedAn answer is being checked."],
    ["refused", { status: "refused", problem: { type: "", title: "You are not among those asked", status: 403, detail: "Nothing was recorded.", code: "not_in_audience" } }, {}, "You are not among those askedNothing was recorded."],
  ];
  it.each(outcomes)("is told: %s", (_, submission, change, text) => {
    const scene = show({}, { me: "user:alice", nameOf: (id) => (id === "user:bora" ? "Bora" : id) });
    scene.becomes({ submission, request: inputRow(change) });
    expect(scene.form.querySelector(".signoff-outcome[role=status]")?.textContent).toContain(text);
  });

  it("says below all that can be pressed that the server is away", () => {
    const scene = show({});
    scene.becomes({ connection: "reconnecting" });
    expect(scene.form.querySelector(".signoff-outcome")?.textContent).toBe(englishWords.reconnecting);
  });

  it("takes the focus when the form that had it is gone", () => {
    const scene = show({});
    scene.becomes({ request: row({ status: "withdrawn" }) });
    expect(document.activeElement?.textContent).toBe("Taken back");
  });

  it("is loading, or not there, or cannot be shown", () => {
    const scene = show({});
    const none = { request: undefined } as unknown as { request: InputRow };
    scene.becomes({ ...none, connection: "connecting" });
    expect(scene.form.textContent).toBe(englishWords.loading);
    scene.becomes({ ...none, connection: "live" });
    expect(scene.form.textContent).toBe(englishWords.missing);
    scene.becomes({ ...none, connection: "failed", error: { type: "", title: "You may not", status: 403, detail: null, code: "forbidden" } });
    expect(scene.form.textContent).toBe(`${englishWords.failed}You may not`);
  });
});

describe("what the page makes of it", () => {
  it("widgets by pointer, name, format or kind", async () => {
    const Stars = ({ id, value, onChange, describedBy: by, invalid: wrong }: WidgetProps) => (
      <button id={id} type="button" aria-describedby={by} data-wrong={wrong} onClick={() => { onChange(5); }}>{typeof value === "number" ? value : "none"} stars</button>
    );
    const stars: FormField = { name: "stars", pointer: "/stars", kind: "integer", label: "Stars", required: true };
    const scene = show({ form: [stars] }, { widgets: { integer: () => null, stars: Stars } });
    await press(scene, "approve");
    const button = screen.getByLabelText("Stars");
    expect([button.textContent, describedBy(button), button.dataset["wrong"]]).toStrictEqual(["none stars", englishWords.required, "true"]);
    fireEvent.click(button);
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ value: { stars: 5 } }]);
  });

  it("words, a view of what is shown, and a layout", () => {
    const { form } = show({ form: [note], description: "Because." }, {
      words: { blank: "(freiwillig)" },
      show: (value) => <b>{JSON.stringify(value)}</b>,
      outcome: () => <i>…</i>,
      children: ({ shown, decision, request, amended }) => <main>{request.title} {String(amended)} {shown} {decision}</main>,
    });
    expect(form.querySelector("main")?.textContent).toBe('Approve? false What it is about{"amount":120} Your answerNote (freiwillig)For the claimant.ApproveReject…');
  });

  it("what was filled in is kept, without passwords, and comes back", async () => {
    const token: FormField = { name: "token", pointer: "/token", kind: "password", label: "Token", required: true };
    const drafts: unknown[] = [];
    const accepted: Submission = { status: "accepted", submissionId: "s", action: "approve", value: null, row: inputRow(), offset: "1", confirmed: false };
    const scene = show({ form: [amount, lines, token] }, { onDraft: (draft) => { drafts.push(draft); } }, accepted);
    type("Amount", "1,500");
    fireEvent.click(screen.getByLabelText("Add a row: Lines"));
    type("Token", "secret");
    const kept = drafts.at(-1) as Record<string, unknown>;
    expect(kept).toStrictEqual({ approve: { amount: "1,500", lines: [""] } });
    type("Amount", "1500");
    await press(scene, "approve");
    expect(drafts.at(-1)).toBeUndefined();
    cleanup();
    show({ form: [amount, lines, token] }, { draft: kept });
    expect(screen.getByLabelText<HTMLInputElement>("Amount").value).toBe("1,500");
    expect(screen.getByLabelText("Line 1")).toBeDefined();
    fireEvent.click(screen.getByText("Start over"));
    expect(screen.getByLabelText<HTMLInputElement>("Amount").value).toBe("");
  });

  it("a proposal without a field is told, and is not part of the answer", async () => {
    const scene = show({ form: [note], initial: { note: { a: 1 } } });
    expect(scene.form.textContent).toContain(englishWords.misfits);
    expect(scene.form.querySelector("code")?.textContent).toBe('{"a":1}');
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ value: {} }]);
  });

  it("a kind of field that is not known yet is JSON", async () => {
    const strange = { name: "x", pointer: "/x", kind: "hologram", label: "X", required: true } as unknown as FormField;
    const scene = show({ form: [strange] });
    type("X", "[1]");
    await press(scene, "approve");
    expect(scene.answers).toMatchObject([{ value: { x: [1] } }]);
  });
});

describe("times", () => {
  const zone = process.env["TZ"];
  afterEach(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  it("are those of the wall in the browser's zone, which is named, and are sent in UTC", async () => {
    process.env["TZ"] = "America/New_York";
    const at: FormField = { name: "at", pointer: "/at", kind: "datetime", label: "At", required: true, zone: true };
    const scene = show({ form: [at], initial: { at: "2026-07-01T12:00:00.5+02:00" } });
    const field = screen.getByLabelText<HTMLInputElement>("At");
    expect(field.value).toMatch(/^2026-07-01T06:00:00\.50*$/);
    expect(scene.form.textContent).toContain("America/New_York");
    await press(scene, "approve");
    type("At", "2026-07-01T07:30");
    await press(scene, "approve");
    // What nobody has touched goes back as it came.
    expect(scene.answers.map(({ value }) => value)).toStrictEqual([{ at: "2026-07-01T12:00:00.5+02:00" }, { at: "2026-07-01T11:30:00Z" }]);
  });
});

describe("a request that was decided when somebody came", () => {
  it("is a form when its run has gone back to before that, with what was answered", () => {
    const choices = { submit: { label: "Send", intent: "positive", confirm: null } } as const;
    const scene = show({ form: [note], actions: ["submit"], choices, status: "answered", action: "submit", value: { note: "first" } });
    expect(screen.queryByLabelText(/^Note/)).toBeNull();
    scene.becomes({ request: inputRow({ form: [note], actions: ["submit"], choices, initial: { note: "first" }, revision: 1, revised: "0000000000000009" }) });
    expect(screen.getByLabelText<HTMLTextAreaElement>(/^Note/).value).toBe("first");
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

describe("what is saved as it is typed", () => {
  const row: Partial<InputRow> = { form: [note], actions: ["submit"], choices: { submit: { label: "Send", intent: "positive", confirm: null } } };
  const said = (): string => document.querySelector(".signoff-draft")?.textContent ?? "";
  let saved: unknown[];

  /** A draft as `useDraft` gives it. */
  function draft(change: Partial<UseDraft> = {}): UseDraft {
    return {
      connection: "live", status: "empty", elsewhere: false, outdated: false, ...change,
      save: (value) => { saved.push(value); },
      flush: () => Promise.resolve(true),
      discard: () => { saved.push(null); return Promise.resolve(true); },
      choose: (which) => { saved.push(which); return Promise.resolve(true); },
    };
  }

  beforeEach(() => { saved = []; });

  it("comes up when it is known, when it comes from elsewhere, and never over what is being typed", () => {
    const scene = show(row, { autosave: draft({ status: "loading" }) });
    const field = screen.getByLabelText<HTMLTextAreaElement>(/^Note/);
    scene.draws({ autosave: draft({ status: "saved", value: { submit: { note: "from before" } }, savedAt: "2026-01-01T10:00:00.000Z" }) });
    expect(field.value).toBe("from before");
    expect(said()).toMatch(/is saved, .*2026/);
    type("Note", "typed on");
    expect(saved).toStrictEqual([{ submit: { note: "typed on" } }]);
    scene.draws({ autosave: draft({ status: "unsaved", value: { submit: { note: "typed on" } }, typedAt: "2026-01-01T10:01:00.000Z", kept: "browser" }) });
    expect(field.value).toBe("typed on");
    expect(said()).toBe("Saving …");
    scene.draws({ autosave: draft({ status: "saved", value: { submit: { note: "from the phone" } }, savedAt: "2026-01-01T10:02:00.000Z" }) });
    expect(field.value).toBe("from the phone");
    scene.draws({ autosave: draft() });
    expect(field.value).toBe("");
    expect(saved).toHaveLength(1);
    scene.draws({ autosave: draft({ status: "saved", value: ["no form"], savedAt: "2026-01-01T10:03:00.000Z" }) });
    expect(field.value).toBe("");
  });

  it.each([
    ["waiting", "browser", /Kept on this device, .*2026.*when the connection is back/],
    ["waiting", "storage", /in this tab alone/],
    ["waiting", "memory", /Leave this page open/],
    ["off", "browser", /Kept on this device, .*2026/],
  ] as const)("says where it is and since when while it is %s, kept in the %s", (status, kept, words) => {
    show(row, { autosave: draft({ status, kept, value: { submit: { note: "n" } }, typedAt: "2026-01-01T10:00:00.000Z", outdated: true }) });
    expect(said()).toMatch(words);
    expect(said()).toContain("before this request changed");
    expect(document.querySelector(".signoff-draft")?.getAttribute("role")).toBe("status");
  });

  it("asks where something else was saved elsewhere, and says what differs", () => {
    const other = { value: { submit: { note: "theirs" } }, savedAt: "2026-01-01T10:00:00.000Z" };
    show(row, { autosave: draft({ status: "conflict", value: { submit: { note: "mine" } }, other }) });
    expect(screen.getByRole("alert").textContent).toContain("You filled this in elsewhere, too");
    expect(screen.getByText("theirs").closest("ins")).not.toBeNull();
    expect(screen.getByText("mine", { selector: "del *, del" })).toBeDefined();
    fireEvent.click(screen.getByText("Take what is there"));
    expect(saved).toStrictEqual([]);
    wait();
    for (const name of ["Take what is there", "Keep what is here"]) {
      const button = screen.getByText(name);
      fireEvent.pointerDown(button);
      fireEvent.click(button);
    }
    expect(saved).toStrictEqual(["other", "mine"]);
  });

  it("goes with the answer, and is for the newest that was looked at", async () => {
    const value = { submit: { note: "n" } };
    const autosave = draft({ status: "saved", value, savedAt: "2026-01-01T10:00:00.000Z" });
    const outcome: Submission = { status: "voted", submissionId: "s", action: "submit", value: {}, row: inputRow(row), offset: "1", confirmed: true };
    const scene = show(row, { autosave }, outcome);
    scene.becomes({ request: inputRow({ ...row, title: "Other", revision: 1, revised: "0000000000000009" }) });
    wait();
    fireEvent.pointerDown(screen.getByText("Review again"));
    fireEvent.click(screen.getByText("Review again"));
    expect(saved).toStrictEqual([value]);
    await press(scene, "submit");
    expect(saved).toStrictEqual([value, null]);
  });
});
