/** Answers that wait to be sent, and those refused when their page had gone: what did not count, and why, until it was read. */

import type { QueuedAnswer, UndeliveredAnswer } from "@signoff/client";
import { useArming, useDisturbing, useUndelivered } from "@signoff/client/react";
import { words } from "../model/format";
import type { Person } from "../model/identity";
import { hrefOf } from "../model/route";
import { aboutUndelivered, whyUndelivered } from "../model/undelivered";
import { Ago, Notice, Said } from "./basics";
import { PlainView } from "./PlainView";

export function Undelivered({ me }: { me: Person }) {
  const { answers, queued, dismiss } = useUndelivered();
  const sight = answers.map(({ submissionId }) => submissionId).join(" ");
  const { armed, guard } = useArming(sight);
  useDisturbing(sight);
  return (
    <aside className="undelivered" aria-label="Not delivered" aria-live="polite">
      <Waiting queued={queued} />
      {answers.map((answer) => (
        <Notice key={answer.submissionId} tone="warn" title={titleOf(answer)}>
          <p>
            <Said>{aboutUndelivered(answer)}</Said>
          </p>
          <p>{whyUndelivered(answer.outcome, me)}</p>
          <What answer={answer} />
          <p className="undelivered-foot">
            <a className="button quiet" href={hrefOf({ page: "request", runId: answer.runId, key: answer.key })}>
              Open the request
            </a>
            <button
              type="button"
              className="button quiet"
              aria-disabled={!armed}
              {...guard(() => {
                dismiss(answer.submissionId);
              })}
            >
              Dismiss
            </button>
          </p>
        </Notice>
      ))}
    </aside>
  );
}

/** What was answered here and has not reached the server: it goes out by itself, from whichever tab is open then. */
function Waiting({ queued }: { queued: readonly QueuedAnswer[] }) {
  const [first] = queued;
  if (first === undefined) return null;
  const one = queued.length === 1;
  return (
    <Notice tone="busy" title={one ? "An answer waits to be sent" : `${queued.length} answers wait to be sent`}>
      <p>
        {one ? "It goes" : "They go"} out when the server can be reached
        {first.givenAt !== "" && (
          <>
            ; {one ? "given" : "the first was given"} <Ago at={first.givenAt} />
          </>
        )}
        .
      </p>
    </Notice>
  );
}

/** The button of a plain answer says nothing of what was answered. */
function titleOf({ action }: UndeliveredAnswer): string {
  return action === "submit" ? "Your answer did not count" : `Your answer did not count: ${words(action)}`;
}

function What({ answer: { value, at } }: { answer: UndeliveredAnswer }) {
  return (
    <details>
      <summary>
        What you answered{" "}
        {at !== "" && (
          <span className="faint">
            (refused <Ago at={at} />)
          </span>
        )}
      </summary>
      <PlainView value={value} />
    </details>
  );
}
