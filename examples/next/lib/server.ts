/** What only the server knows: who is signed in, their token, and where Signoff is called from here. */
import "server-only";
import { createSignoff } from "@signoff/client";
import { cookies } from "next/headers";
import { cache } from "react";
import { PEOPLE, type Person } from "./people";

/** Signoff's address: as browsers call it, and as this server does where that is another. */
export const PUBLIC_URL = process.env.SIGNOFF_PUBLIC_URL ?? "http://127.0.0.1:4437";
const URL_HERE = process.env.SIGNOFF_URL ?? PUBLIC_URL;

/** Who is signed in; asked once for each page that is rendered. */
export const whoIs = cache(async (): Promise<Person> => {
  const id = (await cookies()).get("person")?.value;
  return PEOPLE.find((person) => person.id === id) ?? PEOPLE[0];
});

/** A client that speaks for whoever is signed in, for this page alone. */
export const signoff = cache(async () => {
  const person = await whoIs();
  return createSignoff({ url: URL_HERE, token: () => tokenFor(person) });
});

/**
 * Make a person's token: an unsecured one (RFC 7519 §6), which a Signoff server accepts on the loopback interface while no
 * key is configured. With a key, sign it here, and let it end within minutes.
 */
export function tokenFor({ id, groups }: Person): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub: id, groups, grants: ["run:read:*", "run:start:leave"] })}.`;
}
