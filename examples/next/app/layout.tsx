import type { Metadata } from "next";
import Link from "next/link";
import type { ReactNode } from "react";
import "@signoff/client/react/auto-form.css";
import "./globals.css";
import { PEOPLE, inboxesOf } from "../lib/people";
import { PUBLIC_URL, signoff, whoIs } from "../lib/server";
import { Waiting } from "./parts/Inbox";
import { Live } from "./parts/Live";

export const metadata: Metadata = { title: "Days off" };

export default async function Layout({ children }: { readonly children: ReactNode }) {
  const person = await whoIs();
  const inboxes = inboxesOf(person);
  const { rows } = await (await signoff()).inbox(inboxes).read();
  return (
    <html lang="en">
      <body>
        <Live url={PUBLIC_URL} rows={rows}>
          <header>
            <nav aria-label="Pages">
              <Link href="/">Days off <Waiting of={inboxes} /></Link>
              <Link href="/ask">Ask for some</Link>
            </nav>
            <form action="/sign-in" method="post" aria-label="Who are you?">
              {PEOPLE.map(({ id, name }) => <button key={id} name="as" value={id} aria-pressed={id === person.id}>{name}</button>)}
            </form>
          </header>
          <main>{children}</main>
        </Live>
      </body>
    </html>
  );
}
