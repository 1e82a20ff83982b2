import { useEffect, useId, useRef, useState } from "react";
import type { SessionStore } from "../model/session";
import { t } from "../texts";
import { Notice } from "./basics";
import { Icon } from "./Icon";

interface Props {
  by: "token" | "host";
  refused: boolean;
  sessions: SessionStore;
  /** In front of a page that is there already. */
  over?: boolean;
}

export function SignIn({ by, refused, sessions, over = false }: Props) {
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(refused);
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => { if (over) dialog.current?.showModal(); }, [over]);
  const submit = (form: HTMLFormElement): void => {
    const token = new FormData(form).get("token");
    if (typeof token !== "string" || token.trim() === "") return;
    setBusy(true);
    void sessions.signIn(token).then(() => {
      setBusy(false);
      setTried(true);
    });
  };
  const content = by === "host" ? (
    <>
      <h1>{t.signIn.hostTitle}</h1>
      <p>{t.signIn.hostLead}</p>
      <button type="button" className="button primary" onClick={() => void sessions.check()}>{t.signIn.reload}</button>
    </>
  ) : (
    <form onSubmit={(event) => { event.preventDefault(); submit(event.currentTarget); }}>
      <h1>{t.signIn.title}</h1>
      <p>{t.signIn.lead}</p>
      {tried && !busy && <Notice tone="bad" role="alert" title={t.signIn.refused} />}
      <div className="field">
        <label htmlFor={id}>{t.signIn.token}</label>
        <input id={id} name="token" type="password" autoComplete="off" spellCheck={false} required className="control mono" />
      </div>
      <button type="submit" className="button primary" disabled={busy}><Icon name="check" />{busy ? t.signIn.checking : t.signIn.go}</button>
    </form>
  );
  if (!over) return <div className="gate-card">{content}</div>;
  return <dialog ref={dialog} className="dialog" onCancel={(event) => { event.preventDefault(); }}><div className="gate-card">{content}</div></dialog>;
}
