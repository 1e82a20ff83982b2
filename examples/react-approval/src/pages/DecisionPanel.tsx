/** Where a person decides, and where they learn what became of it. */

import type { InputRow, Submission } from "@signoff/client";
import type { UseInput } from "@signoff/client/react";
import { useRef, useState } from "react";
import { AnswerForm } from "../form/AnswerForm";
import type { PointedError } from "../form/answer";
import { labelOfAction, needsValue } from "../model/actions";
import { type Arming, useArming } from "../model/arming";
import type { Change } from "../model/changes";
import { useDraft } from "../model/draft";
import type { Person } from "../model/identity";
import { commentOf, outcomeOf, reasonOf, verbOf } from "../model/outcome";
import { Ago, Notice, Said } from "../parts/basics";
import { Amended } from "./Amended";

interface Props {
  me: Person;
  shown: InputRow;
  input: UseInput;
  changes: readonly Change[] | null;
  onReview: () => void;
}

const NO_ERRORS: readonly PointedError[] = [];

export function DecisionPanel({ me, shown, input, changes, onReview }: Props) {
  const { submission, answer } = input;
  const drafting = useDraft(`${me.id}/${shown.run_id}/${shown.id}`, shown);
  const [unsendable, setUnsendable] = useState(NO_ERRORS);
  const sending = useRef(false);
  const buttons = useRef<HTMLDivElement>(null);
  const busy = isGoing(submission);
  const open = (shown.status === "pending" || shown.status === "validating") && submission.status !== "accepted" && submission.status !== "decided";
  const amended = open && (changes !== null || submission.status === "stale");
  const refused = submission.status === "invalid" ? submission.errors : NO_ERRORS;
  const errors = unsendable.length > 0 ? unsendable : refused;
  const arming = useArming([shown.id, shown.revised, amended, submission.status, errors.length].join(" "), buttons);
  const wasOpen = useWas(open);

  const send = async (action: string) => {
    // A second click may come before the first has been rendered.
    if (sending.current || busy || amended) return;
    const { written, touched, startOver } = drafting;
    const withForm = needsValue(action) || touched;
    const wrong = withForm ? [...written.errors, ...unfinished(buttons.current)] : [];
    setUnsendable(wrong);
    if (wrong.length > 0) return;
    sending.current = true;
    try {
      const settled = await answer({ action, value: withForm ? (written.value ?? null) : null, seen: shown });
      if (settled.status === "accepted") startOver();
    } finally {
      sending.current = false;
    }
  };

  return (
    <section className="decision" aria-label="Decision" id="decision">
      <h2>Decision</h2>
      {amended && <Amended revised={input.request?.revised ?? ""} changes={changes ?? []} away={buttons} onReview={onReview} />}
      {open && (
        <AnswerForm
          schema={shown.schema}
          hints={drafting.hints}
          draft={drafting.draft}
          written={drafting.written}
          misfits={drafting.misfits}
          errors={errors}
          disabled={busy}
          settling={arming.settling}
          onChange={(draft) => {
            if (unsendable.length > 0) setUnsendable(NO_ERRORS);
            drafting.change(draft);
          }}
        >
          <div className="actions" ref={buttons}>
            <Actions actions={shown.actions} submission={submission} arming={arming} held={busy || amended} onSend={(action) => void send(action)} />
          </div>
          {drafting.touched && !busy && (
            <button
              type="button"
              className="button quiet start-over"
              onClick={() => {
                setUnsendable(NO_ERRORS);
                drafting.startOver();
              }}
            >
              Start over
            </button>
          )}
        </AnswerForm>
      )}
      {/* Below what can be pressed, so that it moves nothing. Announced as it comes, not with every tick of the clock in it. */}
      <div className="outcome" role="status" aria-atomic="false" aria-relevant="additions">
        <Outcome me={me} shown={shown} submission={submission} wrong={unsendable.length > 0} amended={amended} focus={wasOpen && !open} />
      </div>
    </section>
  );
}

/** Tell whether something was ever true. */
function useWas(now: boolean): boolean {
  const [was, setWas] = useState(now);
  if (now && !was) setWas(true);
  return was;
}

/** A date of which only the day was typed is no date yet, and looks to a program like nothing at all. */
function unfinished(within: HTMLElement | null): PointedError[] {
  const fields = within?.closest("form")?.querySelectorAll("input") ?? [];
  const some = [...fields].filter((field) => field.validity.badInput);
  return some.map((field) => ({ pointer: field.dataset.pointer ?? "", message: "This is not finished yet." }));
}

interface ActionsProps {
  actions: readonly string[];
  submission: Submission;
  arming: Arming;
  /** Nothing can be sent now. */
  held: boolean;
  onSend: (action: string) => void;
}

type Going = Extract<Submission, { attempt: number }>;

function isGoing(submission: Submission): submission is Going {
  return submission.status === "sending" || submission.status === "waiting-for-network" || submission.status === "validating";
}

/** A button for each action, named after it. */
function Actions({ actions, submission, arming, held, onSend }: ActionsProps) {
  const going = isGoing(submission) ? submission.action : null;
  return actions.map((action, index) => (
    <button
      key={action}
      type="button"
      className={index === 0 ? "button primary" : "button"}
      aria-disabled={held || !arming.armed}
      {...arming.guard(() => {
        onSend(action);
      })}
    >
      {action === going ? (submission.status === "waiting-for-network" ? "Waiting …" : "Sending …") : labelOfAction(action)}
    </button>
  ));
}

interface OutcomeProps {
  me: Person;
  shown: InputRow;
  submission: Submission;
  /** What stands in the form cannot be sent. */
  wrong: boolean;
  amended: boolean;
  /** The form the person was in is gone. */
  focus: boolean;
}

function Outcome({ me, shown, submission, wrong, amended, focus }: OutcomeProps) {
  if (wrong) return <Notice tone="bad" title="Not sent yet: please look at what is marked" />;
  switch (submission.status) {
    case "sending":
      return <p className="visually-hidden">Sending your decision</p>;
    case "validating":
      return <Notice tone="busy" title="Your decision is being checked" />;
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
      return <Settled me={me} request={submission.row} focus={focus} />;
    default:
      if (amended) return <p className="faint">You can decide when you have reviewed what changed.</p>;
      return shown.status === "pending" ? null : <Settled me={me} request={shown} focus={focus} />;
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
      {comment !== null && (
        <blockquote dir="auto">{comment}</blockquote>
      )}
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
