/** What may be done to a request beside answering it. */
import { inputKey } from "@signoff/client";
import type { InputRow } from "@signoff/client";
import { useSignoff } from "@signoff/client/react";
import { useState } from "react";
import { listed } from "../model/session";
import { useMe } from "../model/me";
import { Notice } from "../parts/basics";
import { Dialog } from "../parts/Dialog";
import { t } from "../texts";

type Verb = "delegate" | "reassign" | "withdraw" | "release";

export function RequestVerbs({ row }: { row: InputRow }) {
  const { me } = useMe();
  const [open, setOpen] = useState<Exclude<Verb, "release"> | null>(null);
  const asked = row.audience.some((one) => me.principals.includes(one));
  const verbs: readonly Exclude<Verb, "release">[] = [...(asked && me.person !== null ? ["delegate" as const] : []), ...(me.operator ? ["reassign" as const, "withdraw" as const] : [])];
  if (verbs.length === 0) return null;
  return (
    <p className="buttons">
      {verbs.map((verb) => <button key={verb} type="button" className="button quiet" onClick={() => { setOpen(verb); }}>{t.request.verbs[verb]}</button>)}
      {open !== null && <VerbDialog verb={open} row={row} onClose={() => { setOpen(null); }} />}
    </p>
  );
}

export function VerbDialog({ verb, row, onClose }: { verb: Verb; row: InputRow; onClose: () => void }) {
  const client = useSignoff();
  const [to, setTo] = useState("");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const said = t.request[verb];
  const run = async (): Promise<void> => {
    const { asked_at } = row;
    const key = inputKey(row);
    const told = verb === "withdraw" || verb === "release" ? await client.actOnInput(verb, row.run_id, key, { reason, asked_at })
      : verb === "delegate" ? await client.actOnInput("delegate", row.run_id, key, { to: to.trim(), reason, asked_at })
      : await client.actOnInput("reassign", row.run_id, key, { to: [...listed(to)], reason, asked_at });
    if (told.ok) onClose();
    else setProblem(told.problem.detail ?? told.problem.title);
  };
  return (
    <Dialog title={said.title} onClose={onClose} onSubmit={() => void run()} actions={
      <>
        <button type="button" className="button" onClick={onClose}>{t.form.cancel}</button>
        <button type="submit" className={`button ${verb === "withdraw" ? "danger" : "primary"}`}>{said.go}</button>
      </>
    }>
      {"more" in said && <p>{said.more}</p>}
      {"to" in said && (
        <div className="field">
          <label htmlFor="verb-to">{said.to}</label>
          <input id="verb-to" className="control" required value={to} onInput={(event) => { setTo(event.currentTarget.value); }} aria-describedby="verb-to-hint" />
          <p className="hint" id="verb-to-hint">{said.toHint}</p>
        </div>
      )}
      <div className="field">
        <label htmlFor="verb-reason">{t.request.reason}</label>
        <input id="verb-reason" className="control" required value={reason} onInput={(event) => { setReason(event.currentTarget.value); }} aria-describedby="verb-reason-hint" />
        <p className="hint" id="verb-reason-hint">{t.request.reasonHint}</p>
      </div>
      {problem !== null && <Notice tone="bad" role="alert" title={problem} />}
    </Dialog>
  );
}
