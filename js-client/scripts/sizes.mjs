// Say what the package costs a page: bundled with all it stands on, minified, gzipped, without React.
// With --check, fail if it has grown beyond its limits.
import { build } from "esbuild";
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";

const CORE = 'export { createSignoff } from "@signoff/client";';
const HOOKS = 'export { SignoffProvider, useInbox, useInput, useRun, useRuns } from "@signoff/client/react";';
const FORM = 'export { AutoForm } from "@signoff/client/react";';

/** What a page imports, and what that may weigh, in KiB. */
const LIMITS = {
  "@signoff/client": [CORE, 77],
  "@signoff/client/react": [CORE + HOOKS, 78],
  "@signoff/client/react with AutoForm": [CORE + HOOKS + FORM, 98],
};

/** The size of a page's part in KiB, gzipped. `own`: only what is this package's, not what it stands on. */
export async function size(code, { resolveDir, external = ["react", "react-dom"] }) {
  const stdin = { contents: code, resolveDir, loader: "js" };
  const built = await build({
    stdin, external, bundle: true, minify: true, format: "esm", target: "es2022", write: false, logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return gzipSync(built.outputFiles[0].contents, { level: 9 }).length / 1024;
}

const here = fileURLToPath(new URL("..", import.meta.url));
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const below = ["@durable-streams/*", "@tanstack/*"];
  for (const [name, [code, limit]] of Object.entries(LIMITS)) {
    const whole = await size(code, { resolveDir: here });
    const own = await size(code, { resolveDir: here, external: ["react", "react-dom", ...below] });
    console.log(`${name}: ${whole.toFixed(1)} KiB of ${limit}, ${own.toFixed(1)} of them its own`);
    if (process.argv.includes("--check") && whole > limit) {
      console.error(`${name} has grown beyond its limit. Find what for; if it is worth that, raise the limit here.`);
      process.exitCode = 1;
    }
  }
}
