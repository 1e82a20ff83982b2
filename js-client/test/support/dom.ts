/**
 * A document for React to render into, with Node's own fetch and AbortController left in place:
 * the network in these tests is real. Import this before anything that looks for a document.
 */
import { Window } from "happy-dom";

const page = new Window({ url: "http://127.0.0.1/" });
const taken = ["document", "navigator", "HTMLElement", "HTMLIFrameElement", "Node", "Element", "MutationObserver", "sessionStorage"] as const;

Object.assign(globalThis, { window: page, IS_REACT_ACT_ENVIRONMENT: true });
for (const name of taken) {
  Object.defineProperty(globalThis, name, { value: page[name], configurable: true, writable: true });
}
