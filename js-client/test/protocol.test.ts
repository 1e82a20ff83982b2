/** The types of src/protocol.ts are those of protocol/schemas, and are made from nothing else. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { engineRowTypes } from "../src/protocol.js";
import { rowDefinitions } from "../src/rows.js";

const script = fileURLToPath(new URL("../scripts/protocol-types.mjs", import.meta.url));
const schemas = fileURLToPath(new URL("../../protocol/schemas", import.meta.url));
const written = fileURLToPath(new URL("../src/protocol.ts", import.meta.url));

type Schema = Record<string, unknown> & { properties: Record<string, unknown>; required: string[] };

function run(...options: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [script, ...options], { encoding: "utf8" });
}

describe("src/protocol.ts", () => {
  it("is what the schemas say", () => {
    expect(run("--check")).toMatchObject({ status: 0, stderr: "" });
  });

  it("lists the row types of messages, each declared for the stream's reader", () => {
    const { allOf } = JSON.parse(readFileSync(join(schemas, "state-message.json"), "utf8")) as {
      allOf: { if: { properties: { type?: { const: string } } } }[];
    };
    expect(engineRowTypes).toStrictEqual(allOf.flatMap((rule) => rule.if.properties.type?.const ?? []));
    expect(Object.entries(rowDefinitions).map(([type, definition]) => [type, definition.type])).toStrictEqual(engineRowTypes.map((type) => [type, type]));
  });
});

describe("a schema that changes", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "schemas-"));
    cpSync(schemas, folder, { recursive: true });
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Change one schema, and return the lines that come and go in what is made of them. */
  function changed(file: string, change: (schema: Schema) => void): { came: string[]; went: string[] } {
    alter(file, change);
    const out = join(folder, "protocol.ts");
    expect(run("--schemas", folder, "--out", out).stderr).toBe("");
    const [before, after] = [readFileSync(written, "utf8").split("\n"), readFileSync(out, "utf8").split("\n")];
    rmSync(out);
    return { came: after.filter((line) => !before.includes(line)), went: before.filter((line) => !after.includes(line)) };
  }

  function alter(file: string, change: (schema: Schema) => void): void {
    const schema = JSON.parse(readFileSync(join(folder, file), "utf8")) as Schema;
    change(schema);
    writeFileSync(join(folder, file), JSON.stringify(schema));
  }

  it("is told of with the command that mends it, until the types are made anew", () => {
    alter("run-row.json", ({ properties }) => { properties["queue"] = { type: "string" }; });
    const { status, stderr } = run("--check", "--schemas", folder);
    expect(status).toBe(1);
    expect(stderr).toContain("npm --prefix js-client run generate");
  });

  it("by a member brings that member, optional unless required, with its description", () => {
    const { came, went } = changed("run-row.json", ({ properties, required }) => {
      properties["queue"] = { description: "Where it waits for a worker.", type: ["string", "null"] };
      properties["weights"] = { type: "array", items: { anyOf: [{ $ref: "common.json#/$defs/count" }, { type: "null" }] } };
      properties["costs"] = { type: "object", additionalProperties: { type: "number" } };
      required.push("queue");
    });
    expect(came).toStrictEqual([
      "  /** Where it waits for a worker. */",
      "  readonly queue: string | null;",
      "  readonly weights?: readonly (number | null)[];",
      "  readonly costs?: Readonly<Record<string, number>>;",
    ]);
    expect(went).toStrictEqual([]);
  });

  it("by a row type brings its interface and its place among the rows", () => {
    writeFileSync(
      join(folder, "note-row.json"),
      JSON.stringify({ title: "The row `note`", type: "object", properties: { id: { type: "string" }, by: { const: "user:alice" } }, required: ["id"] }),
    );
    const { came } = changed("state-message.json", (schema) => {
      const rule = { if: { properties: { type: { const: "note" } } }, then: { properties: { value: { $ref: "note-row.json" } } } };
      (schema["allOf"] as unknown[]).push(rule);
    });
    const types = [...engineRowTypes, "note"].map((type) => JSON.stringify(type)).join(", ");
    expect(came).toStrictEqual([
      "/** The row `note`. */",
      "export interface NoteRow {",
      '  readonly by?: "user:alice";',
      "  readonly note: NoteRow;",
      `export const engineRowTypes = [${types}] as const satisfies readonly (keyof EngineRows)[];`,
    ]);
  });

  it("by a keyword that no type is known for is refused, with its place", () => {
    const broken: Readonly<Record<string, (schema: Schema) => void>> = {
      "run-row.json": ({ properties }) => { properties["queue"] = { oneOf: [] }; },
      "verb-reply.json": (schema) => { schema["oneOf"] = []; },
    };
    for (const [file, change] of Object.entries(broken)) {
      alter(file, change);
      const { status, stderr } = run("--schemas", folder, "--out", join(folder, "protocol.ts"));
      cpSync(join(schemas, file), join(folder, file));
      expect(status).not.toBe(0);
      expect(stderr).toContain(`${file}#: no type is known for the keyword oneOf`);
    }
  });

  it("by a second definition of one name is refused: one name means one thing", () => {
    alter("step-row.json", (schema) => {
      schema["$defs"] = { ...(schema["$defs"] as object), run_status: { enum: ["on", "off"] } };
      schema.properties["run"] = { $ref: "#/$defs/run_status" };
    });
    const { stderr } = run("--schemas", folder, "--out", join(folder, "protocol.ts"));
    expect(stderr).toMatch(/run-row\.json#\/\$defs\/run_status and step-row\.json#\/\$defs\/run_status are both to be RunStatus/);
  });
});
