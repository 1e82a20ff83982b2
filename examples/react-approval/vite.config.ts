import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// A relative base: whoever serves `dist/` decides where it lives.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: { target: "es2022", sourcemap: true, chunkSizeWarningLimit: 900 },
  resolve: { dedupe: ["react", "react-dom"] },
  server: { proxy: { "/v1": "http://127.0.0.1:4437", "/health": "http://127.0.0.1:4437" } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
