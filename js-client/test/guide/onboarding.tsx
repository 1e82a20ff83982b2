import { useDraft, useInput, useWizard } from "../../src/react/index.js";
import { useState } from "react";
import type { SyntheticEvent } from "react";

interface Contact { readonly email: string }

export function Onboarding({ runId }: { runId: string }) {
  const [filled, setFilled] = useState<unknown>(null);
  const { page, step, of, progress, previous, back, outcome } = useWizard(runId, { address: "page", leaving: () => filled });
  if (page === undefined) return <p>{outcome ?? "One moment…"}</p>;
  return (
    <section>
      <progress value={progress} /> {step} of {of}: {page.title}
      {page.name === "contact" && <ContactPage key={page.key} runId={runId} page={page.key} onChange={setFilled} />}
      {previous !== undefined && <button onClick={() => void back(filled)}>Back</button>}
    </section>
  );
}

function ContactPage({ runId, page, onChange }: { runId: string; page: string; onChange: (value: Contact) => void }) {
  const { request, submission, answer } = useInput(runId, page);
  const { value, status, save } = useDraft<Contact>(runId, page);
  const { email = "" } = value ?? (request?.initial as Contact | null) ?? {};
  const type = (next: string) => {
    save({ email: next });
    onChange({ email: next });
  };
  const send = (event: SyntheticEvent) => {
    event.preventDefault();
    void answer({ action: "submit", value: { email } });
  };
  return (
    <form onSubmit={send}>
      <input aria-label="Email" value={email} onChange={(event) => { type(event.target.value); }} /> {status}
      {submission.status === "invalid" && <p role="alert">{submission.errors[0]?.message}</p>}
      <button disabled={submission.status === "sending"}>Next</button>
    </form>
  );
}
