import { SignoffError } from "@signoff/client";
import { SignoffProvider } from "@signoff/client/react";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { cache } from "react";
import { signoff, whoIs } from "../../../lib/server";
import { Run } from "./Run";

/** Read the run as it is now, once for its page and the page's title. */
const readRun = cache(async (id: string) => {
  try {
    return await (await signoff()).run(id).read();
  } catch (error) {
    if (error instanceof SignoffError && error.problem.status === 404) notFound();
    throw error;
  }
});

export async function generateMetadata({ params }: PageProps<"/runs/[run]">): Promise<Metadata> {
  const { snapshot } = await readRun(decodeURIComponent((await params).run));
  return { title: snapshot.inputs[0]?.title ?? "Days off" };
}

export default async function Page({ params }: PageProps<"/runs/[run]">) {
  const id = decodeURIComponent((await params).run);
  const { rows } = await readRun(id);
  return <SignoffProvider rows={rows}><Run id={id} me={`user:${(await whoIs()).id}`} /></SignoffProvider>;
}
