/** What a page has to load, minified and gzipped, without React. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../src/", import.meta.url));

/** The bytes of what `names` of the hooks' module need; the core, which every page has, is not counted. */
async function sizeOf(names: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "signoff-size-"));
  try {
    const entry = join(folder, "entry.ts");
    writeFileSync(entry, `export { ${names} } from ${JSON.stringify(join(src, "react/index.ts"))};`);
    const external = (id: string): boolean => /^react(?:-dom)?(?:\/|$)/.test(id) || /^\.\.\/(?:\.\.\/)?index\.js$/.test(id);
    const built = await build({
      configFile: false,
      root: folder,
      logLevel: "silent",
      build: { write: false, minify: true, target: "es2022", lib: { entry, formats: ["es"] }, rolldownOptions: { external, output: { minify: true } } },
    });
    const code = [built].flat().flatMap((one) => ("output" in one ? one.output : [])).map((part) => ("code" in part ? part.code : ""));
    return gzipSync(code.join("")).length;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("the size", () => {
  it("of AutoForm is at most 25 KiB, and that of its style at most 4", async () => {
    const size = await sizeOf("AutoForm");
    expect(size).toBeLessThan(25 * 1024);
    // So much that something is measured.
    expect(size).toBeGreaterThan(4 * 1024);
    expect(gzipSync(readFileSync(`${src}react/auto-form/auto-form.css`)).length).toBeLessThan(4 * 1024);
  });

  it("of hooks without it is not made larger by it", async () => {
    const hooks = await sizeOf("SignoffProvider, useInput");
    expect(hooks).toBeLessThan(1024);
  });
});
