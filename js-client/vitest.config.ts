import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Two cores are often all there is; each file starts its own real server.
    maxWorkers: 2,
  },
});
