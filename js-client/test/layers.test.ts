import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** Everything a module imports, type imports included, as written. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
}

/** Every module reachable from `entry`, with what it imports from outside the package. */
function walk(entry: string, seen = new Map<string, string[]>()): Map<string, string[]> {
  if (seen.has(entry)) return seen;
  const imports = importsOf(entry);
  seen.set(entry, imports.filter((name) => !name.startsWith(".")));
  for (const name of imports.filter((found) => found.startsWith("."))) {
    walk(source(join(dirname(entry), name)), seen);
  }
  return seen;
}

/** The file that a module is made from. */
function source(module: string): string {
  return ["ts", "tsx"].map((ending) => module.replace(/js$/, ending)).find((file) => existsSync(file)) ?? module;
}

describe("the import graph", () => {
  it("of the core knows no framework and no other package than the three it stands on", () => {
    const graph = walk(join(src, "index.ts"));
    const outside = new Set([...graph.values()].flat());
    expect([...outside].sort()).toStrictEqual([
      "@durable-streams/client", "@durable-streams/state", "@durable-streams/state/db", "@tanstack/db",
    ]);
    expect([...graph.keys()].filter((file) => relative(src, file).startsWith("react"))).toStrictEqual([]);
  });

  it("of the hooks knows React and the core's public face alone", () => {
    const files = readdirSync(join(src, "react"), { recursive: true, encoding: "utf8" }).filter((file) => /(?<!\.d)\.tsx?$/.test(file)).map((file) => join(src, "react", file));
    const place = (file: string, name: string): string => (name.startsWith(".") ? relative(src, join(dirname(file), name)) : name);
    const foreign = files.flatMap((file) => importsOf(file).map((name) => place(file, name))).filter((name) => !name.startsWith("react/"));
    expect([...new Set(foreign)].sort()).toStrictEqual(["index.js", "react"]);
  });

  it("of the state machine reaches no clock, no network and no storage", () => {
    const text = readFileSync(join(src, "submission.ts"), "utf8");
    expect(text).not.toMatch(/\b(Date|setTimeout|fetch|Math\.random|sessionStorage|navigator|crypto)\b/);
  });

  it("leaves no module unreachable", () => {
    const reached = new Set([...walk(join(src, "index.ts")).keys(), ...walk(join(src, "react", "index.ts")).keys()]);
    const all = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => /(?<!\.d)\.tsx?$/.test(file));
    expect(all.map((file) => join(src, file)).filter((file) => !reached.has(file))).toStrictEqual([]);
  });
});
