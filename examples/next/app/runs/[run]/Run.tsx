"use client";
import { AutoForm, useInput, useResult, useRun } from "@signoff/client/react";

/** A request to decide, and what becomes of it. */
export function Run({ id, me }: { readonly id: string; readonly me: string }) {
  const input = useInput(id, "approve:0");
  return (
    <>
      <AutoForm input={input} me={me} headingLevel={1} />
      <Progress id={id} />
    </>
  );
}

function Progress({ id }: { readonly id: string }) {
  const { run, steps, inputs, connection } = useRun(id);
  const result = useResult<string>(id);
  const isOpen = inputs.some(({ status }) => status === "pending");
  return (
    <section className="progress" aria-label="What becomes of it">
      <p role="status">
        {result.status === "completed" ? result.output : isOpen ? "Nobody has decided yet." : `The run is ${run?.status ?? "not known"}.`}
        {connection === "reconnecting" && " The connection is lost; it comes back by itself."}
      </p>
      <ul>{steps.map((step) => <li key={step.id}>{step.label ?? step.name}: {step.status}</li>)}</ul>
    </section>
  );
}
