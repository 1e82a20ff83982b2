import { createSignoff } from "../../src/index.js";
import { AutoForm, SignoffProvider, useInbox, useInput } from "../../src/react/index.js";
import { useState } from "react";

const client = createSignoff({ url: "/" });
export const Page = () => <SignoffProvider client={client}><Inbox /></SignoffProvider>;

function Inbox() {
  const { requests } = useInbox("group:finance");
  const [open, setOpen] = useState<string>();
  if (open !== undefined) return <Request runId={open} />;
  return <ul>{requests.map((row) => <li key={row.id}><button onClick={() => { setOpen(row.run_id); }}>{row.title}</button></li>)}</ul>;
}

function Request({ runId }: { runId: string }) {
  return <AutoForm input={useInput(runId, "approve:0")} />;
}
