import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Two cores are often all there is; each file starts its own real server.
    maxWorkers: 2,
    // What others print about faults that a test causes on purpose: StreamDB about a batch it cannot
    // read, the reference stream server about readers that were cut off.
    onConsoleLog: (text) => !/\[StreamDB\] Error processing batch|\[error\] Request error/.test(text),
  },
});
