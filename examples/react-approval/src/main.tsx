import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "@signoff/client/react/auto-form.css";
import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/parts.css";
import "./styles/detail.css";
import "./styles/print.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
