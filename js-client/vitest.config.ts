import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** React 18 and what belongs to it, which is installed beside the React of this package. */
const react18 = (name: string): string => fileURLToPath(new URL(`test/react-18/node_modules/${name}`, import.meta.url));

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Two cores are often all there is; each file starts its own real server.
    maxWorkers: 2,
    // What others print about faults that a test causes on purpose: StreamDB about a batch it cannot
    // read, the reference stream server about readers that were cut off.
    onConsoleLog: (text) => !/\[StreamDB\] Error processing batch|\[error\] Request error/.test(text),
    projects: [
      { extends: true, test: { name: "client", include: ["test/**/*.test.{ts,tsx}", "console/test/**/*.test.ts"] } },
      {
        extends: true,
        resolve: { alias: ["react", "react-dom", "@testing-library/react"].map((name) => ({ find: new RegExp(`^${name}(?=$|/)`), replacement: react18(name) })) },
        test: { name: "react 18", include: ["test/{react,hooks,handed}.test.tsx"] },
      },
    ],
  },
});
