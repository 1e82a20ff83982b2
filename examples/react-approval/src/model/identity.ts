/**
 * Who sits in front of the page. The example has no login: a switcher picks a person, and the browser makes an
 * *unsecured* token (RFC 7519 §6) for them, which a Signoff server accepts on the loopback interface while no key is
 * configured. In an application the backend mints the token; `tokenFor` is the one line that changes.
 */

export interface Person {
  id: string;
  name: string;
  role: string;
  groups: string[];
}

export const PEOPLE: readonly [Person, ...Person[]] = [
  { id: "alice", name: "Alice", role: "finance", groups: ["finance"] },
  { id: "bora", name: "Bora", role: "finance", groups: ["finance"] },
  { id: "chidi", name: "Chidi", role: "audit (not asked)", groups: ["audit"] },
];

const STORED = "signoff.example.person";

/** Find the person: `?as=bora` in the address wins, then the last choice, then the first of the list. */
export function currentPerson(search: string, storage: Pick<Storage, "getItem">): Person {
  const wanted = new URLSearchParams(search).get("as") ?? storage.getItem(STORED);
  return PEOPLE.find((person) => person.id === wanted) ?? PEOPLE[0];
}

/** Remember the choice for the next visit. */
export function rememberPerson(person: Person, storage: Pick<Storage, "setItem">): void {
  storage.setItem(STORED, person.id);
}

/**
 * Name the inboxes to read: those of the person's groups. One has `user:alice` too, but this workflow asks groups
 * only, and every live stream costs one of the six connections a browser opens to a host (HTTP/1.1).
 */
export function inboxesOf(person: Person): string[] {
  return person.groups.map((group) => `group:${group}`);
}

/** Make this person's token. */
export function tokenFor(person: Person): string {
  const header = { alg: "none" };
  const claims = { sub: person.id, groups: person.groups, grants: ["run:read:*", "workflow:list:expense"] };
  return `${base64url(header)}.${base64url(claims)}.`;
}

function base64url(value: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
}

/** Call people by their name where the page knows them: `user:bora` is Bora, and oneself is "You". */
export function nameOf(principal: string | null | undefined, me?: Person): string {
  if (!principal) return "Somebody";
  const id = principal.replace(/^user:/, "");
  if (id === me?.id) return "You";
  return PEOPLE.find((person) => person.id === id)?.name ?? id;
}
