/** A page whose tokens are good for seconds: its provider fetches another one when one is refused. */
import { createRoot } from "react-dom/client";
import { createSignoff } from "../js-client/dist/index.js";
import { AutoForm, SignoffProvider, useDraft, useInput } from "../js-client/dist/react/index.js";

let token;
const client = createSignoff({
  url: "/tools/signoff",
  token: async ({ refused }) => {
    if (refused || token === undefined) token = await (await fetch("/token")).text();
    return token;
  },
});

function Request({ runId }) {
  return <AutoForm input={useInput(runId, "approve:0")} autosave={useDraft(runId, "approve:0")} />;
}

createRoot(document.querySelector("main")).render(<SignoffProvider client={client}><Request runId={location.hash.slice(1)} /></SignoffProvider>);
