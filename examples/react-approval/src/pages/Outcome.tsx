/** What became of a request, in the page's own words. */

import type { InputRow } from "@signoff/client";
import type { AutoFormOutcome } from "@signoff/client/react";
import type { Person } from "../model/identity";
import { commentOf, outcomeOf, reasonOf, verbOf } from "../model/outcome";
import { Ago, Notice, Said } from "../parts/basics";

interface Props {
  me: Person;
  outcome: AutoFormOutcome;
}

export function Outcome({ me, outcome: { submission, request, over } }: Props) {
  switch (submission.status) {
    case "validating":
      return <Notice tone="busy" title="Your decision is being checked" />;
    case "waiting-for-network":
      return (
        <Notice tone="busy" title="Waiting for the network">
          <p>Your decision is kept and goes out as soon as the connection is back.</p>
        </Notice>
      );
    case "refused":
      return (
        <Notice tone="bad" title={submission.problem.title}>
          <p>{submission.problem.detail}</p>
        </Notice>
      );
    case "decided":
    case "accepted":
      return <Settled me={me} request={submission.row} focus={over} />;
    default:
      return request.status === "pending" || request.status === "validating" ? null : <Settled me={me} request={request} focus={over} />;
  }
}

/** The request is over: by whom, when, in what words. */
function Settled({ me, request, focus }: { me: Person; request: InputRow; focus: boolean }) {
  const comment = commentOf(request.value);
  const reason = reasonOf(request);
  const verb = verbOf(request);
  const tone = request.status === "answered" ? (verb === "declined" || verb === "rejected" ? "warn" : "good") : "plain";
  return (
    <Notice tone={tone} title={outcomeOf(request, me)} focus={focus}>
      {comment !== null && <blockquote dir="auto">{comment}</blockquote>}
      {reason !== null && (
        <p>
          <Said>{reason}</Said>
        </p>
      )}
      {request.decided_at !== null && (
        <p className="faint">
          <Ago at={request.decided_at} />
        </p>
      )}
    </Notice>
  );
}
