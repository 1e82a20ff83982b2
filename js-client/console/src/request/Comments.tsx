/** What was said about a request; what is said here stands there at once, and says how it goes until it has arrived. */
import type { Comment } from "@signoff/client";
import { useComments } from "@signoff/client/react";
import { useId, useState } from "react";
import { nameOf } from "../model/format";
import { useMe } from "../model/me";
import { Ago, Notice, Said } from "../parts/basics";
import { t } from "../texts";

interface Props {
  runId: string;
  inputKey: string;
  open: boolean;
  /** When this person looked last; what came since is marked. */
  since: string | null;
}

export function Comments({ runId, inputKey, open, since }: Props) {
  const { me } = useMe();
  const { comments, add, retry, dismiss } = useComments(runId, inputKey, me.principals);
  const id = useId();
  const [text, setText] = useState("");
  const send = (): void => {
    if (text.trim() === "") return;
    void add(text);
    setText("");
  };
  return (
    <>
      {comments.length === 0 ? <p className="faint">{t.request.comments.none}</p> : (
        <ul className="comments" aria-label={t.request.sections.comments}>
          {comments.map((one) => (
            <li key={one.id} data-status={one.status} data-since={isSince(one, since, me.person)}>
              <p className="comment-by"><strong><Said>{nameOf(one.by === undefined ? me.person : one.by.id, me.person)}</Said></strong> <When comment={one} /></p>
              <p className="comment-text" dir="auto">{one.text}</p>
              {one.status === "failed" && (
                <Notice tone="bad" role="alert" title={t.request.comments.failed}>
                  <p>{one.problem?.detail ?? one.problem?.title}</p>
                  <p className="buttons">
                    <button type="button" className="button small" onClick={() => void retry(one.id)}>{t.trouble.again}</button>
                    <button type="button" className="button small quiet" onClick={() => { dismiss(one.id); }}>{t.request.comments.dismiss}</button>
                  </p>
                </Notice>
              )}
            </li>
          ))}
        </ul>
      )}
      {open && (
        <form className="comment-form" onSubmit={(event) => { event.preventDefault(); send(); }}>
          <label className="visually-hidden" htmlFor={id}>{t.request.comments.write}</label>
          <textarea id={id} className="control" rows={2} placeholder={t.request.comments.write} dir="auto" value={text} maxLength={4000} onInput={(event) => { setText(event.currentTarget.value); }} />
          {text.trim() !== "" && <button type="submit" className="button">{t.request.comments.send}</button>}
        </form>
      )}
    </>
  );
}

function When({ comment: { at, status } }: { comment: Comment }) {
  if (at !== undefined) return <span className="faint"><Ago at={at} /></span>;
  return status === "sending" ? <span className="faint">{t.request.comments.sending}</span> : null;
}

function isSince({ at, by }: Comment, since: string | null, me: string | null): boolean {
  return at !== undefined && since !== null && at > since && by?.id !== me;
}
