import { type Signoff, createSignoff } from "@signoff/client";
import { type Person, tokenFor } from "./model/identity";
import { listeningFetch } from "./model/server-clock";

const clients = new Map<string, Signoff>();

/** The client that speaks for this person; made once, so that its live views survive renders. */
export function clientFor(person: Person): Signoff {
  let client = clients.get(person.id);
  if (!client) {
    client = createSignoff({
      url: window.location.origin,
      token: () => Promise.resolve(tokenFor(person)),
      fetch: listeningFetch,
    });
    clients.set(person.id, client);
  }
  return client;
}
