/** Which way live reads take, and the one carrier of a client. */
import { PageCarrier, carrying } from "./carrier.js";
import type { Carrier } from "./carrier.js";
import { TabsCarrier, canShare } from "./tabs.js";

/** One connection for all tabs of the browser, one for the page, or one for each stream. */
export type Connections = "tabs" | "page" | "stream";

/** A client's `fetch`, with its carrier, which is made when something is read live for the first time. */
export class Carriers {
  readonly fetch: typeof fetch;
  #carrier: Carrier | undefined;

  constructor(base: () => string, plain: typeof fetch, connections: Connections = possible()) {
    const make = (): Carrier => (connections === "tabs" && canShare() ? new TabsCarrier(base(), plain) : new PageCarrier(base(), plain));
    this.fetch = connections === "stream" ? plain : carrying(base, plain, () => (this.#carrier ??= make()));
  }

  close(): void {
    this.#carrier?.close();
    this.#carrier = undefined;
  }
}

function possible(): Connections {
  if (canShare()) return "tabs";
  return typeof document === "object" ? "page" : "stream";
}
