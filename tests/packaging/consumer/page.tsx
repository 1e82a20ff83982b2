/** What somebody writes who has the package and React. */
import { createSignoff } from "@signoff/client";
import { SignoffProvider, useInbox, useInput, useRun, useUndelivered } from "@signoff/client/react";
import "@signoff/client/react/auto-form.css";
import type { ReactNode } from "react";

interface Rate {
  readonly id: string;
  readonly currency: string;
}

function Request({ runId, name }: { runId: string; name: string }): ReactNode {
  const { request, submission, answer } = useInput(runId, name);
  const { run, connection, rows } = useRun(runId);
  const decide = (): void => void answer({ action: "approve", value: { approved: true } });
  const currencies = rows<Rate>("rate").map((rate) => rate.currency);
  return <button disabled={submission.status !== "idle"} onClick={decide} title={connection}>{request?.title} {run?.status} {currencies}</button>;
}

function Inbox(): ReactNode {
  const { requests } = useInbox(["user:alice"]);
  const { answers } = useUndelivered();
  return <>{answers.length}{requests.map((row) => <Request key={row.id} runId={row.run_id} name={`${row.name}:${row.n}`} />)}</>;
}

export const Page = (): ReactNode => <SignoffProvider client={createSignoff({ url: "/" })}><Inbox /></SignoffProvider>;
// @ts-expect-error A provider needs a client.
export const Empty = (): ReactNode => <SignoffProvider><Inbox /></SignoffProvider>;
