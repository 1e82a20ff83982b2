import { createRoot } from "react-dom/client";
import { App } from "./App";
import { language, languageDirection } from "./texts";
import "@signoff/client/react/auto-form.css";
import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/parts.css";
import "./styles/pages.css";

document.documentElement.lang = language;
document.documentElement.dir = new URLSearchParams(location.search).get("dir") ?? languageDirection;
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(<App />);
