/** Each form of the protocol's vectors is drawn, filled in, and read as the page without scripts reads it. */
import "./support/dom.js";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { act } from "@testing-library/react";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { FormField } from "../src/index.js";
import { cleanup, fillIn, filledIn, press, show } from "./support/form.js";

interface Case {
  readonly name: string;
  readonly form: readonly FormField[] | null;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const cases = (JSON.parse(readFileSync(join(root, "protocol/vectors/forms.json"), "utf8")) as { cases: readonly Case[] }).cases;

/** What the server's own page makes of what was filled in. */
function readByPython(given: readonly { readonly form: unknown; readonly filled: unknown }[]): unknown[] {
  const python = process.env["SIGNOFF_PYTHON"] ?? join(root, ".venv", "bin", "python");
  const script = fileURLToPath(new URL("support/reading.py", import.meta.url));
  const { stdout, stderr, status } = spawnSync(python, [script], {
    input: JSON.stringify(given), encoding: "utf8", env: { ...process.env, PYTHONPATH: join(root, "python"), PYTHONDONTWRITEBYTECODE: "1" },
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as unknown[];
}

interface Sent {
  readonly filled: Record<string, string[]>;
  readonly value: unknown;
}

const zone = process.env["TZ"];

describe("forms.json", () => {
  const sent = new Map<string, Sent>();
  let read: Map<string, unknown>;

  beforeAll(async () => {
    // The page without scripts knows no zone but UTC.
    process.env["TZ"] = "UTC";
    vi.useFakeTimers();
    for (const { name, form } of cases) {
      const scene = show({ form, initial: null, actions: ["submit"] });
      fillIn(scene.form);
      // What was attached is there.
      await act(() => vi.advanceTimersByTimeAsync(0));
      const filled = filledIn(scene.form);
      await press(scene, "submit");
      const [answer] = scene.answers;
      if (answer === undefined) throw new Error(`${name} is not sent: ${scene.form.textContent}`);
      sent.set(name, { filled, value: answer.value });
      cleanup();
    }
    vi.useRealTimers();
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
    const given = cases.filter(({ form }) => form !== null);
    const values = readByPython(given.map(({ name, form }) => ({ form, filled: sent.get(name)?.filled })));
    read = new Map(given.map(({ name }, index) => [name, values[index]]));
  });

  it.each(cases)("$name", ({ name, form }) => {
    expect(sent.get(name)?.value).toStrictEqual(form === null ? null : read.get(name));
    if (form !== null && form.length > 0) expect(Object.keys(sent.get(name)?.filled ?? {})).not.toHaveLength(0);
  });
});
