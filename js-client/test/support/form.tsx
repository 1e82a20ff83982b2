/** `AutoForm` in a document, with a request that is not on any stream, and a person who fills it in. */
import "./dom.js";
import { act, cleanup, fireEvent, render } from "@testing-library/react";
import { StrictMode } from "react";
import { vi } from "vitest";
import type { Answer, InputFiles, InputRow, Submission } from "../../src/index.js";
import { AutoForm } from "../../src/react/index.js";
import type { AutoFormProps, UseInput } from "../../src/react/index.js";
import { inputRow } from "./streams.js";

export interface Scene {
  readonly form: HTMLElement;
  readonly answers: Answer[];
  /** How often somebody has looked at what changed. */
  readonly acknowledged: () => number;
  /** The request, or what became of the answer, is another one now. */
  readonly becomes: (change: Partial<UseInput>) => void;
  /** The same is drawn with other properties. */
  readonly draws: (change: Partial<AutoFormProps>) => void;
}

/** Show a request; what is answered is collected, and comes to `outcome`. */
export function show(row: Partial<InputRow>, given: Partial<AutoFormProps> = {}, outcome: Submission = { status: "idle" }, files: InputFiles = keptFiles()): Scene {
  const answers: Answer[] = [];
  let looked = 0;
  let props = given;
  let input: UseInput = {
    connection: "live",
    request: inputRow(row),
    submission: { status: "idle" },
    answer: (answer) => {
      answers.push(answer);
      return Promise.resolve(outcome);
    },
    acknowledge: () => { looked += 1; },
    seen: () => undefined,
    files,
  };
  const page = () => <StrictMode><AutoForm {...props} input={input} /></StrictMode>;
  const { container, rerender } = render(page());
  return {
    form: container,
    answers,
    acknowledged: () => looked,
    becomes: (change) => {
      input = { ...input, ...change };
      rerender(page());
    },
    draws: (change) => {
      props = { ...props, ...change };
      rerender(page());
    },
  };
}

/** Files that are there as soon as they are sent. */
export function keptFiles(): InputFiles {
  let count = 0;
  return {
    upload: (file, { name = file instanceof File ? file.name : "file" } = {}) =>
      Promise.resolve({
        ok: true,
        attachment: { stream: `runs/run-1/files/f${count += 1}`, name, type: file.type, size: file.size, sha256: "0".repeat(64) },
      }),
    download: () => Promise.resolve({ ok: true, blob: new Blob(["bytes"]) }),
    remove: () => Promise.resolve({ ok: true }),
  };
}

/** Buttons that answer do nothing for a second after they have come up. */
export function wait(): void {
  act(() => { vi.advanceTimersByTime(1100); });
}

/** Press the button of an action, as somebody who has looked first. */
export async function press(scene: Scene, action: string): Promise<void> {
  wait();
  const button = scene.form.querySelector(`[data-action="${action}"]`);
  if (button === null) throw new Error(`There is no button for ${action}.`);
  await act(async () => {
    fireEvent.pointerDown(button);
    fireEvent.click(button);
    await Promise.resolve();
  });
}

const TYPED: Readonly<Record<string, string>> = {
  integer: "3", number: "0.5", decimal: "1.25", date: "2026-05-01", time: "10:30", datetime: "2026-05-01T10:00", json: '{"a": [1, null]}',
};

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** Add a row wherever one can be added, and fill in whatever there is, with something of its kind. */
export function fillIn(form: HTMLElement): void {
  const done = new Set<string>();
  for (;;) {
    const add = [...form.querySelectorAll<HTMLElement>(".signoff-add")].find((one) => !done.has(labelOf(one)));
    const control = [...form.querySelectorAll<Control>("input:not([type=hidden]), select, textarea")].find((one) => !done.has(one.name));
    if (control !== undefined) {
      done.add(control.name);
      fillControl(control);
    } else if (add !== undefined) {
      done.add(labelOf(add));
      fireEvent.click(add);
    } else return;
  }
}

function labelOf(button: HTMLElement): string {
  return `${button.closest("fieldset")?.id ?? ""} ${button.getAttribute("aria-label") ?? ""}`;
}

function fillControl(control: Control): void {
  if (control.type === "radio") fireEvent.click(control);
  else if (control.type === "file") fireEvent.change(control, { target: { files: [new File(["bytes"], "scan.png", { type: "image/png" })] } });
  else if (control.type === "checkbox") {
    if (!(control as HTMLInputElement).checked) fireEvent.click(control);
  } else if (control.tagName === "SELECT") fireEvent.change(control, { target: { value: "0" } });
  else {
    const kind = control.closest("[data-kind]")?.getAttribute("data-kind") ?? "text";
    fireEvent.change(control, { target: { value: TYPED[kind] ?? `Some ${kind}` } });
  }
}

/** What a browser would send of the form, by the names of the controls, with the number of rows that a page has. */
export function filledIn(form: HTMLElement): Record<string, string[]> {
  const filled: Record<string, string[]> = {};
  const put = (name: string, value: string): void => { (filled[name] ??= []).push(value); };
  for (const control of form.querySelectorAll<Control>("input, select, textarea")) {
    if ((control.type === "radio" || control.type === "checkbox") && !(control as HTMLInputElement).checked) continue;
    put(control.name, control.value);
  }
  const named = form.querySelector<Control>("input, select, textarea");
  for (const rows of form.querySelectorAll<HTMLElement>(".signoff-rows-of")) {
    const path = rows.closest("fieldset")?.id.replace(/^.*?(?=v(?:\/|@|$))/, "") ?? "";
    put(`${path}?n`, String(rows.querySelectorAll(":scope > .signoff-row").length));
  }
  if (named === null && Object.keys(filled).length === 0) return {};
  return filled;
}

export { cleanup };
