import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// Whoever serves it decides where it lives, so its addresses are relative. What is built lies in the Python package.
export default defineConfig({
  root: at("."),
  base: "./",
  resolve: {
    alias: [
      // React's interface in a twelfth of its size: the console has 150 KiB for everything.
      { find: "react-dom/client", replacement: "preact/compat/client" },
      { find: /^react(-dom)?$/, replacement: "preact/compat" },
      { find: "react/jsx-runtime", replacement: "preact/jsx-runtime" },
      // The package as its users get it, and nothing that is not public.
      { find: "@signoff/client/react/auto-form.css", replacement: at("../src/react/auto-form/auto-form.css") },
      { find: /^@signoff\/client\/react$/, replacement: at("../dist/react/index.js") },
      { find: /^@signoff\/client$/, replacement: at("../dist/index.js") },
    ],
  },
  build: {
    outDir: at("../../python/signoff/server/console"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // Data URLs are no part of the console's Content-Security-Policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 500,
    rolldownOptions: {
      // "use client" is for servers that render; here all of it runs in the browser.
      onLog: (level, log, tell) => { if (log.code !== "MODULE_LEVEL_DIRECTIVE") tell(level, log); },
    },
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:4437", changeOrigin: false } } },
});
