/**
 * Who sits in front of the page, as the server sees it.
 *
 * With a key the page asks for a token and keeps it for this tab. Inside an application that says who calls there is
 * nothing to keep. Without a key, in development, a person may be chosen: the page makes an unsecured token for them,
 * which such a server takes on this machine alone.
 */
import { createSignoff } from "@signoff/client";
import type { MeReply, Signoff } from "@signoff/client";
import { load, save } from "./store";

/** Somebody to try the application as. */
export interface DevPerson {
  readonly id: string;
  readonly groups: readonly string[];
}

export type Session =
  | { readonly state: "checking" }
  | { readonly state: "unreachable"; readonly detail: string }
  /** Nobody is signed in; `refused`: the token that was given is not good (any more), `before`: the page it was for. */
  | { readonly state: "out"; readonly by: "token" | "host"; readonly refused: boolean; readonly before: SignedIn | null }
  | SignedIn;

/** Somebody whom the server knows. */
export interface SignedIn {
  readonly state: "in";
  readonly me: MeReply;
  readonly client: Signoff;
  /** In development: who one has chosen to be. */
  readonly dev: DevPerson | null;
}

/** The server is one folder above the console, under whatever prefix. */
export const SERVER = new URL("..", document.baseURI).href.replace(/[?#].*$/s, "");

const TOKEN = "token";
const PERSON = "person";

export class SessionStore {
  #session: Session = { state: "checking" };
  readonly #listeners = new Set<() => void>();

  constructor() {
    const asked = new URLSearchParams(location.search);
    const id = asked.get("as");
    if (id === null) return;
    this.#remember(id === "" ? null : { id, groups: listed(asked.get("groups") ?? "") });
    asked.delete("as");
    asked.delete("groups");
    const rest = asked.toString();
    history.replaceState(null, "", `${location.pathname}${rest === "" ? "" : `?${rest}`}${location.hash}`);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  };

  readonly get = (): Session => this.#session;

  /** Find out who this is. */
  readonly check = async (): Promise<void> => {
    const token = load<string>("sessionStorage", TOKEN);
    let me = await this.#ask(token ?? null);
    if (me === "refused" && token !== undefined) {
      save("sessionStorage", TOKEN, undefined);
      me = await this.#ask(null);
      if (typeof me !== "string" && isNobody(me)) {
        this.#out("token", true);
        return;
      }
    }
    if (me === "refused") {
      this.#out("host", false);
      return;
    }
    if (typeof me === "string") {
      this.#set({ state: "unreachable", detail: me });
      return;
    }
    if (me.sign_in === "open") {
      const dev = this.#person();
      if (dev !== null) {
        const known = await this.#ask(unsecured(dev));
        if (typeof known !== "string") me = known;
      }
      this.#enter(me, dev, dev === null ? undefined : () => unsecured(dev));
      return;
    }
    if (isNobody(me)) {
      this.#out(me.sign_in === "host" ? "host" : "token", false);
      return;
    }
    this.#enter(me, null, me.sign_in === "token" ? this.#provide : undefined);
  };

  /** Sign in with a token. */
  readonly signIn = (token: string): Promise<void> => {
    save("sessionStorage", TOKEN, token.trim().replace(/^Bearer\s+/i, ""));
    return this.check();
  };

  readonly signOut = (): Promise<void> => {
    save("sessionStorage", TOKEN, undefined);
    return this.check();
  };

  /** In development: be another person; null: the operator of this machine. */
  readonly become = (person: DevPerson | null): Promise<void> => {
    this.#remember(person);
    return this.check();
  };

  readonly #provide = ({ refused }: { readonly refused: boolean }): string | null => {
    if (refused) {
      // What was typed stays on its way: the client tries again with the next token.
      save("sessionStorage", TOKEN, undefined);
      this.#out("token", true);
    }
    return load<string>("sessionStorage", TOKEN) ?? null;
  };

  /** Who was chosen, in this tab or else last. */
  #person(): DevPerson | null {
    const kept = load<DevPerson | null>("sessionStorage", PERSON);
    return kept === undefined ? (load<DevPerson | null>("localStorage", PERSON) ?? null) : kept;
  }

  #remember(person: DevPerson | null): void {
    save("sessionStorage", PERSON, person);
    save("localStorage", PERSON, person);
  }

  /** Whose token has run out comes back to the page as it was. */
  #out(by: "token" | "host", refused: boolean): void {
    const now = this.#session;
    const before = !refused ? null : now.state === "in" ? now : now.state === "out" ? now.before : null;
    this.#set({ state: "out", by, refused, before });
  }

  #enter(me: MeReply, dev: DevPerson | null, token: (({ refused }: { readonly refused: boolean }) => string | null) | undefined): void {
    const now = this.#session;
    const before = now.state === "in" ? now : now.state === "out" ? now.before : null;
    if (before !== null && before.me.person === me.person && before.me.operator === me.operator && before.dev === dev) {
      this.#set({ ...before, me });
      before.client.reconnect();
      return;
    }
    before?.client.close();
    // A cookie tells the client nothing: who is signed in, and under whose name answers are kept, the server has said.
    const person = me.person?.replace(/^user:/, "");
    const client = createSignoff({ url: SERVER, ...(person === undefined ? {} : { person }), ...(token === undefined ? {} : { token }) });
    this.#set({ state: "in", me, client, dev });
  }

  /** The reply, `refused`, or why there is none. */
  async #ask(token: string | null): Promise<MeReply | string> {
    try {
      const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
      const reply = await fetch(`${SERVER}v1/me`, { headers });
      if (reply.status === 401) return "refused";
      const body = (await reply.json()) as MeReply & { readonly detail?: string };
      return reply.ok ? body : (body.detail ?? String(reply.status));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #set(session: Session): void {
    this.#session = session;
    for (const listener of [...this.#listeners]) listener();
  }
}

function isNobody(me: MeReply): boolean {
  return me.person === null && !me.operator;
}

/** The items of a list as people type it. */
export function listed(text: string): readonly string[] {
  return [...new Set(text.split(/[,;\s]+/u).filter((part) => part !== ""))];
}

/** A token that nobody has signed (RFC 7519 §6), for somebody who may see all runs and decide what they are asked. */
export function unsecured({ id, groups }: DevPerson): string {
  const claims = { sub: id, groups, grants: ["run:read:*", "workflow:list:*"] };
  return `${base64url({ alg: "none" })}.${base64url(claims)}.`;
}

function base64url(value: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
