/** Where a person decides, and where they learn what became of it. */

import type { InputRow, Submission } from "@signoff/client";
import type { UseInput } from "@signoff/client/react";
import { useRef } from "react";
import { AnswerForm } from "../form/AnswerForm";
import type { Change } from "../model/changes";
import { type Draft, useDraft } from "../model/draft";
import type { Person } from "../model/identity";
import { commentOf, outcomeOf, verbOf } from "../model/outcome";
import { Ago, Notice, Said } from "../parts/basics";

interface Props {
  me: Person;
  shown: InputRow;
  input: UseInput;
  changes: readonly Change[] | null;
  onReview: () => void;
}

export function DecisionPanel({ me, shown, input, changes, onReview }: Props) {
  const { submission, answer } = input;
  const [draft, setDraft, clearDraft] = useDraft(`${me.id}/${shown.run_id}/${shown.id}`, initialDraft(shown));
  const sending = useRef(false);
  const busy = submission.status === "sending" || submission.status === "waiting-for-network";
  const open = shown.status === "pending" && submission.status !== "accepted" && submission.status !== "decided";

  const send = async (value: Draft) => {
    // A second click may come before the first has been rendered.
    if (sending.current) return;
    sending.current = true;
    try {
      const settled = await answer({ action: shown.actions[0] ?? "submit", value, seen: shown });
      if (settled.status === "accepted") clearDraft();
    } finally {
      sending.current = false;
    }
  };

  return (
    <section className="decision" aria-label="Decision" id="decision">
      <h2>Decision</h2>
      {/* Announced as it comes, but not again with every tick of the clock in it. */}
      <div className="outcome" role="status" aria-atomic="false" aria-relevant="additions">
        <Outcome me={me} shown={shown} submission={submission} />
      </div>
      {open && (changes !== null || submission.status === "stale") && <Outdated changes={changes ?? []} onReview={onReview} />}
      {open && (
        <AnswerForm
          request={shown}
          draft={draft}
          errors={submission.status === "invalid" ? submission.errors : []}
          disabled={busy}
          onChange={setDraft}
          onSubmit={(value) => void send(value)}
        >
          <button type="submit" className="button primary" aria-disabled={busy}>
            {labelOf(submission)}
          </button>
        </AnswerForm>
      )}
    </section>
  );
}

function labelOf({ status }: Submission): string {
  if (status === "sending") return "Sending …";
  return status === "waiting-for-network" ? "Waiting …" : "Send decision";
}

function Outcome({ me, shown, submission }: { me: Person; shown: InputRow; submission: Submission }) {
  switch (submission.status) {
    case "sending":
      return <p className="visually-hidden">Sending your decision</p>;
    case "waiting-for-network":
      return (
        <Notice tone="busy" title="Waiting for the network">
          <p>Your decision is kept and goes out as soon as the connection is back.</p>
        </Notice>
      );
    case "invalid":
      return <Notice tone="bad" title="Not accepted yet: please look at what is marked" />;
    case "refused":
      return (
        <Notice tone="bad" title={submission.problem.title}>
          <p>{submission.problem.detail}</p>
        </Notice>
      );
    case "decided":
    case "accepted":
      return <Settled me={me} request={submission.row} />;
    default:
      return shown.status === "pending" ? null : <Settled me={me} request={shown} />;
  }
}

/** The request is over: by whom, when, in what words. */
function Settled({ me, request }: { me: Person; request: InputRow }) {
  const comment = commentOf(request.value);
  const tone = request.status === "answered" ? (verbOf(request.value) === "declined" ? "warn" : "good") : "plain";
  return (
    <Notice tone={tone} title={outcomeOf(request, me)}>
      {comment !== null && (
        <blockquote dir="auto">{comment}</blockquote>
      )}
      {request.reason !== null && (
        <p>
          <Said>{request.reason}</Said>
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

/** Nobody approves what they were not shown: say what changed, and show it. */
function Outdated({ changes, onReview }: { changes: readonly Change[]; onReview: () => void }) {
  return (
    <Notice tone="warn" role="alert" title="This request changed while you were reading">
      {changes.length > 0 && (
        <ul className="changes" aria-label="What changed">
          {changes.map(({ what, before, after }) => (
            <li key={what}>
              <strong>
                <Said>{what}</Said>
              </strong>
              {before !== null && (
                <del>
                  <Said>{before}</Said>
                </del>
              )}
              {after !== null && (
                <ins>
                  <Said>{after}</Said>
                </ins>
              )}
            </li>
          ))}
        </ul>
      )}
      <button type="button" className="button" onClick={onReview}>
        Review again
      </button>
    </Notice>
  );
}

function initialDraft(request: InputRow): Draft {
  const { initial } = request;
  return typeof initial === "object" && initial !== null && !Array.isArray(initial) ? { ...(initial as Draft) } : {};
}
