import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Passed on with the Host header as it is: without a key Signoff serves pages of the very address a request goes to.
const signoff = { target: "http://127.0.0.1:4437", changeOrigin: false };

// A relative base: whoever serves `dist/` decides where it lives.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: { target: "es2022", sourcemap: true, chunkSizeWarningLimit: 900 },
  resolve: { dedupe: ["react", "react-dom"] },
  server: { proxy: { "/v1": signoff, "/health": signoff } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
