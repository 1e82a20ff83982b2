"use client";
import { createSignoff, type HandedRows, type TokenProvider } from "@signoff/client";
import { SignoffProvider } from "@signoff/client/react";
import { useState, type ReactNode } from "react";

interface Props {
  readonly url: string;
  readonly rows: HandedRows;
  readonly children: ReactNode;
}

/** The browser's client: it begins with what the server has read, and follows on by itself. */
export function Live({ url, rows, children }: Props) {
  const [client] = useState(() => createSignoff({ url, token }));
  return <SignoffProvider client={client} rows={rows}>{children}</SignoffProvider>;
}

let known: Promise<string> | undefined;

/** The person's token, fetched anew when the last is refused. */
const token: TokenProvider = async ({ refused }) => {
  if (refused) known = undefined;
  known ??= fetch("/token").then((reply) => reply.text());
  try {
    return await known;
  } catch (error) {
    known = undefined;
    throw error;
  }
};
