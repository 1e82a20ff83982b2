/** Answers that are not where they should be: those that wait for the network, and those that did not count and were not read. */
import type { QueuedAnswer, UndeliveredAnswer } from "@signoff/client";
import { useSignoff, useUndelivered } from "@signoff/client/react";
import { href } from "../model/route";
import { words } from "../model/format";
import { t } from "../texts";
import { Ago, Notice, Said } from "./basics";
import { ValueView } from "./ValueView";
import { whyNot } from "../request/outcome";

export function Undelivered() {
  const { answers, queued, kept, dismiss } = useUndelivered();
  const { reconnect } = useSignoff();
  if (answers.length + queued.length === 0) return null;
  return (
    <aside className="undelivered" aria-label={t.undelivered.label} aria-live="polite">
      {answers.map((answer) => (
        <Notice key={answer.submissionId} tone="bad" title={t.undelivered.title}>
          <p><What answer={answer} />: {whyNot(answer.outcome)}</p>
          <details>
            <summary>{t.undelivered.show}</summary>
            <ValueView value={answer.value} label={t.undelivered.show} />
          </details>
          <p className="buttons">
            <a className="button small" href={to(answer)}>{t.undelivered.open}</a>
            <button type="button" className="button small" onClick={() => { dismiss(answer.submissionId); }}>{t.undelivered.dismiss}</button>
          </p>
        </Notice>
      ))}
      {queued.length > 0 && (
        <Notice tone="warn" title={t.undelivered.queued(queued.length)}>
          <ul className="plain-list" aria-label={t.undelivered.queued(queued.length)}>
            {queued.map((answer) => (
              <li key={answer.submissionId}>
                <a href={to(answer)}><What answer={answer} /></a>
                {answer.givenAt !== "" && <span className="faint end"><Ago at={answer.givenAt} /></span>}
              </li>
            ))}
          </ul>
          <p className="faint">{kept === "browser" ? t.undelivered.kept : t.undelivered.keptHere}</p>
          <button type="button" className="button small" onClick={reconnect}>{t.connection.again}</button>
        </Notice>
      )}
    </aside>
  );
}

/** Which answer to which request, as far as is known without asking. */
function What({ answer: { runId, key, action } }: { answer: QueuedAnswer }) {
  return <Said>{t.undelivered.what(words(action), `${runId} · ${key}`)}</Said>;
}

function to({ runId, key }: QueuedAnswer | UndeliveredAnswer): string {
  return href(["inbox", runId, key]);
}
