/** Files in a form: chosen or dropped, sent with progress, refused where they do not fit, taken away, answered with. */
import "./support/dom.js";
import { act, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Attachment, FormField, InputFiles, UploadOptions } from "../src/index.js";
import { cleanup, keptFiles, press, show } from "./support/form.js";
import type { Scene } from "./support/form.js";

beforeEach(() => {
  vi.useFakeTimers();
  URL.createObjectURL = () => "blob:preview";
  URL.revokeObjectURL = () => undefined;
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const receipt: FormField = { name: "receipt", pointer: "/receipt", kind: "attachment", label: "Receipt", required: true, maxBytes: 2048, types: ["image/*", "application/pdf"] };
const others: FormField = {
  name: "others", pointer: "/others", kind: "list", label: "Others", required: false, default: [], max: 2,
  item: { name: "*", pointer: "/others/*", kind: "attachment", label: "Item", required: true, maxBytes: 2048 },
};
const submit = { actions: ["submit"], initial: null, choices: { submit: { label: "Send", intent: "positive" as const, confirm: null } } };

const attachment = (name: string): Attachment => ({ stream: `runs/run-1/files/${name}`, name, type: "image/png", size: 5, sha256: "0".repeat(64) });
const png = (name = "scan.png", size = 5): File => new File(["x".repeat(size)], name, { type: "image/png" });
const settle = (): Promise<void> => act(async () => { await vi.advanceTimersByTimeAsync(0); });

async function choose(label: RegExp, ...files: File[]): Promise<void> {
  fireEvent.change(screen.getByLabelText(label), { target: { files } });
  await settle();
}

/** Files of which the test says how far they are. */
function slowFiles(): { readonly files: InputFiles; readonly sent: (UploadOptions & { readonly end: (problem?: string) => void })[]; readonly removed: string[] } {
  const sent: (UploadOptions & { readonly end: (problem?: string) => void })[] = [];
  const removed: string[] = [];
  const files: InputFiles = {
    ...keptFiles(),
    upload: (file, options = {}) => new Promise((resolve) => {
      sent.push({
        ...options,
        end: (problem) => {
          if (problem === undefined) resolve({ ok: true, attachment: attachment((file as File).name) });
          else resolve({ ok: false, problem: { type: "", title: problem, status: 413, detail: null, code: "payload_too_large" } });
        },
      });
    }),
    remove: ({ name }) => {
      removed.push(name);
      return Promise.resolve({ ok: true });
    },
  };
  return { files, sent, removed };
}

function names(scene: Scene): (string | null)[] {
  return [...scene.form.querySelectorAll(".signoff-file bdi")].map(({ textContent }) => textContent);
}

describe("a file", () => {
  it("is chosen, sent at once, shown with a picture, and answered with", async () => {
    const scene = show({ ...submit, form: [receipt] });
    const control = screen.getByLabelText<HTMLInputElement>(/^Receipt/);
    expect(control.accept).toBe("image/*,application/pdf");
    const described = (control.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent);
    expect(described).toContain("At most 2 KB; images, PDF.");
    await choose(/^Receipt/, png());
    expect(names(scene)).toStrictEqual(["scan.png"]);
    expect(scene.form.querySelector("img")?.getAttribute("src")).toBe("blob:preview");
    expect(scene.form.querySelector(".signoff-files [role=status]")?.textContent).toBe("scan.png is attached.");
    await press(scene, "submit");
    expect(scene.answers).toMatchObject([{ action: "submit", value: { receipt: { name: "scan.png", type: "image/png", size: 5 } } }]);
  });

  it("that is missing is said at its field, and the focus goes there", async () => {
    const scene = show({ ...submit, form: [receipt] });
    await press(scene, "submit");
    expect(scene.answers).toStrictEqual([]);
    expect(scene.form.querySelector("fieldset .signoff-error")?.textContent).toBe("This has to be filled in.");
    expect(document.activeElement).toBe(screen.getByLabelText(/^Receipt/));
  });

  it("on its way shows how far it is, holds the answer back, and can be stopped", async () => {
    const { files, sent } = slowFiles();
    const scene = show({ ...submit, form: [receipt] }, {}, undefined, files);
    await choose(/^Receipt/, png());
    act(() => { sent[0]?.onProgress?.(3, 5); });
    const progress = screen.getByRole<HTMLProgressElement>("progressbar", { name: "Sending scan.png" });
    expect([progress.value, progress.max]).toStrictEqual([3, 5]);
    await press(scene, "submit");
    expect(scene.answers).toStrictEqual([]);
    expect(scene.form.querySelector("fieldset .signoff-error")?.textContent).toBe("This is not finished yet.");
    fireEvent.click(screen.getByRole("button", { name: "Stop sending scan.png" }));
    expect(sent[0]?.signal?.aborted).toBe(true);
    sent[0]?.end("called off");
    await settle();
    expect(names(scene)).toStrictEqual([]);
    expect(scene.form.querySelector("[role=alert]")).toBeNull();
  });

  it("that cannot be taken is refused before it is sent, in words", async () => {
    const { files, sent } = slowFiles();
    const scene = show({ ...submit, form: [receipt] }, {}, undefined, files);
    await choose(/^Receipt/, png("large.png", 3000));
    const said = (): string | null | undefined => scene.form.querySelector(".signoff-files [role=alert]")?.textContent;
    expect(said()).toBe("large.png has 2.9 KB; at most 2 KB are taken.");
    await choose(/^Receipt/, new File(["x"], "a.html", { type: "text/html" }));
    expect(said()).toBe("a.html is none of: images, PDF.");
    expect(screen.getByLabelText(/^Receipt/).getAttribute("aria-invalid")).toBe("true");
    expect(sent).toStrictEqual([]);
  });

  it("that the server refuses is said at the field", async () => {
    const { files, sent } = slowFiles();
    const scene = show({ ...submit, form: [receipt] }, {}, undefined, files);
    await choose(/^Receipt/, png());
    sent[0]?.end("It is too large");
    await settle();
    expect(scene.form.querySelector(".signoff-files [role=alert]")?.textContent).toBe("scan.png was not sent. It is too large");
    expect(names(scene)).toStrictEqual([]);
  });

  it("that an answer was refused for is said at its field", () => {
    const scene = show({ ...submit, form: [receipt, others] });
    scene.becomes({
      submission: {
        status: "invalid", submissionId: "s", action: "submit", value: {}, errors: [{ pointer: "/receipt", message: "Attach it again." }, { pointer: "/others", message: "Too many." }],
        problem: { type: "", title: "It does not fit", status: 422, detail: null, code: "invalid_answer" },
      },
    });
    const said = [...scene.form.querySelectorAll("fieldset > .signoff-error")].map(({ textContent }) => textContent);
    expect(said).toStrictEqual(["Attach it again.", "Too many."]);
  });

  it("takes the place of the one before, which is taken away", async () => {
    const { files, sent, removed } = slowFiles();
    const scene = show({ ...submit, form: [receipt], initial: { receipt: attachment("old.png") } }, {}, undefined, files);
    expect(names(scene)).toStrictEqual(["old.png"]);
    await choose(/^Receipt/, png("new.png"));
    sent[0]?.end();
    await settle();
    expect(names(scene)).toStrictEqual(["new.png"]);
    expect(removed).toStrictEqual(["old.png"]);
  });

  it("cannot be sent where the page gives no way to, and that is said", () => {
    const scene = show({ ...submit, form: [receipt] });
    scene.becomes({ files: undefined as unknown as InputFiles });
    expect(scene.form.textContent).toContain("Files cannot be sent from this page.");
    expect(scene.form.querySelector("input[type=file]")).toBeNull();
  });
});

describe("several files", () => {
  it("that arrive at the same moment, while something is typed, are all there", async () => {
    const { files, sent } = slowFiles();
    const note: FormField = { name: "note", pointer: "/note", kind: "text", label: "Note", required: true };
    const scene = show({ ...submit, form: [receipt, others, note] }, {}, undefined, files);
    await choose(/^Receipt/, png("a.png"));
    await choose(/^Others/, png("b.png"), png("c.png"));
    fireEvent.change(screen.getByLabelText("Note"), { target: { value: "typed meanwhile" } });
    for (const one of sent) one.end();
    await settle();
    expect(names(scene)).toStrictEqual(["a.png", "b.png", "c.png"]);
    await press(scene, "submit");
    expect(scene.answers).toMatchObject([{ value: { receipt: { name: "a.png" }, others: [{ name: "b.png" }, { name: "c.png" }], note: "typed meanwhile" } }]);
  });

  it("are dropped, taken away one by one, and no more than may be", async () => {
    const { files, removed } = slowFiles();
    const scene = show({ ...submit, form: [others] }, {}, undefined, { ...keptFiles(), remove: files.remove });
    const area = scene.form.querySelector(".signoff-files");
    if (area === null) throw new Error("there is no place for files");
    const dropped = { dataTransfer: { types: ["Files"], files: [png("a.png"), png("b.png"), png("c.png")] } };
    expect(fireEvent.dragOver(area, dropped)).toBe(false);
    expect(fireEvent.drop(area, dropped)).toBe(false);
    await settle();
    expect(names(scene)).toStrictEqual(["a.png", "b.png"]);
    expect(scene.form.querySelector(".signoff-files [role=alert]")?.textContent).toBe("At most 2 files are taken.");
    fireEvent.click(screen.getByRole("button", { name: "Remove a.png" }));
    expect(removed).toStrictEqual(["a.png"]);
    expect(document.activeElement).toBe(screen.getByLabelText(/^Others/));
    await press(scene, "submit");
    expect(scene.answers).toMatchObject([{ value: { others: [{ name: "b.png" }] } }]);
  });
});

describe("what is shown", () => {
  it("has files as names that can be kept", async () => {
    const clicked: string[] = [];
    const element = Object.getPrototypeOf(Object.getPrototypeOf(document.createElement("a"))) as HTMLElement;
    const click = vi.spyOn(element, "click").mockImplementation(function click(this: HTMLElement) { clicked.push(`${(this as HTMLAnchorElement).download} ${(this as HTMLAnchorElement).href}`); });
    const scene = show({ ...submit, form: null, show: { receipt: attachment("scan.png"), all: [attachment("a.png")] } });
    const about = within(scene.form.querySelector<HTMLElement>(".signoff-about") ?? scene.form);
    expect(about.getAllByRole("button").map(({ textContent }) => textContent)).toStrictEqual(["scan.png 5 B", "a.png 5 B"]);
    fireEvent.click(about.getByText("scan.png"));
    await settle();
    expect(clicked).toStrictEqual(["scan.png blob:preview"]);
    click.mockRestore();
  });
});
