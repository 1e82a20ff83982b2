/** Answers that were refused when their page had gone: what did not count, and why, until its author has read it. */

import type { UndeliveredAnswer } from "@signoff/client";
import { useUndelivered } from "@signoff/client/react";
import { labelOfAction } from "../model/actions";
import { useArming, useDisturbing } from "../model/arming";
import type { Person } from "../model/identity";
import { hrefOf } from "../model/route";
import { aboutUndelivered, whyUndelivered } from "../model/undelivered";
import { Ago, Notice, Said } from "./basics";
import { PlainView } from "./PlainView";

export function Undelivered({ me }: { me: Person }) {
  const { answers, dismiss } = useUndelivered();
  const sight = answers.map(({ submissionId }) => submissionId).join(" ");
  const { armed, guard } = useArming(sight);
  useDisturbing(sight);
  return (
    <aside className="undelivered" aria-label="Not delivered" aria-live="polite">
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

/** The button of a plain answer says nothing of what was answered. */
function titleOf({ action }: UndeliveredAnswer): string {
  return action === "submit" ? "Your answer did not count" : `Your answer did not count: ${labelOfAction(action)}`;
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
