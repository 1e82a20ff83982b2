/** What became of the answer, and of the request. */
import { useEffect, useRef, useState } from "react";
import type { ReactElement, ReactNode } from "react";
import type { InputRow, Submission } from "../../index.js";
import type { AutoFormWords } from "./words.js";

/** What there is to tell, for a notice of your own. */
export interface AutoFormOutcome {
  readonly request: InputRow;
  readonly submission: Submission;
  /** It changed, and the person has not looked yet. */
  readonly amended: boolean;
  /** It can still be answered. */
  readonly open: boolean;
  /** It could when the person came, and the form they were in is gone: the focus goes to what is told instead. */
  readonly over: boolean;
  readonly words: AutoFormWords;
  /** Write a time. */
  readonly when: (time: string) => string;
  /** Name a principal. */
  readonly nameOf: (id: string | null) => string;
}

interface Told {
  readonly tone: "good" | "bad" | "busy" | "plain";
  readonly title: string;
  readonly lines: readonly (string | null)[];
}

export interface OutcomeProps {
  readonly outcome: Omit<AutoFormOutcome, "over">;
  readonly instead: ((outcome: AutoFormOutcome) => ReactNode) | undefined;
  /** The server cannot be reached just now. */
  readonly away: boolean;
}

/** Below what can be pressed, so that it moves nothing. */
export function Outcome({ outcome: given, instead, away }: OutcomeProps): ReactElement {
  const { open, amended, words, submission } = given;
  const title = useRef<HTMLParagraphElement>(null);
  const [wasOpen, setWasOpen] = useState(open);
  if (open && !wasOpen) setWasOpen(true);
  const over = wasOpen && !open;
  const outcome = { ...given, over };
  // The form the person was in is gone; who is busy elsewhere is left alone.
  useEffect(() => {
    const nowhere = document.activeElement === null || document.activeElement === document.body;
    if (over && nowhere) title.current?.focus({ preventScroll: true });
  }, [over]);
  const told = instead === undefined ? toldOf(outcome) : null;
  return (
    <div className="signoff-outcome" role="status" aria-relevant="additions" aria-atomic="false">
      {instead?.(outcome)}
      {told !== null && (
        <div className="signoff-notice" data-tone={told.tone}>
          <p className="signoff-notice-title" tabIndex={-1} ref={title}>{told.title}</p>
          {told.lines.map((line, index) => line !== null && line !== "" && <p key={index}><bdi>{line}</bdi></p>)}
        </div>
      )}
      {submission.status === "sending" && <p className="signoff-hidden">{words.sending}</p>}
      {away && <p className="signoff-faint">{words.reconnecting}</p>}
      {amended && told === null && <p className="signoff-faint">{words.reviewFirst}</p>}
    </div>
  );
}

function toldOf(outcome: AutoFormOutcome): Told | null {
  const { request, submission, words } = outcome;
  switch (submission.status) {
    case "waiting-for-network":
      return { tone: "busy", title: words.waitingTitle, lines: [words.waitingText] };
    case "validating":
      return { tone: "busy", title: words.checkedTitle, lines: [words.checkedText] };
    case "refused":
      return { tone: "bad", title: submission.problem.title, lines: [submission.problem.detail] };
    case "accepted":
      return { tone: "good", title: words.thanksTitle, lines: [`${labelOf(request, submission.action)}. ${words.thanksText}`] };
    case "voted": {
      const { votes, quorum } = submission.row;
      const same = votes.filter(({ action }) => action === submission.action).length;
      return { tone: "good", title: words.voteTitle, lines: [`${labelOf(request, submission.action)}. ${words.agreed(same, quorum?.need ?? same)}`] };
    }
    case "decided":
      return ended(submission.row, outcome, submission.outcome);
    case "idle":
      if (request.status === "validating") return { tone: "busy", title: words.checkedTitle, lines: [words.otherCheckedText] };
      return request.status === "pending" ? null : ended(request, outcome);
    case "sending":
    case "invalid":
    case "stale":
      return null;
  }
}

/** The request is over: by whom, when, why. */
function ended(row: InputRow, { words, when, nameOf }: AutoFormOutcome, said = ""): Told {
  const at = row.decided_at === null ? "" : when(row.decided_at);
  if (row.status === "expired" || said === "expired") return { tone: "plain", title: words.expiredTitle, lines: [words.expiredText] };
  if (row.status !== "answered") return { tone: "plain", title: words.withdrawnTitle, lines: [words.withdrawnText(at), row.reason] };
  const by = row.decided_by;
  const who = by?.kind === "person" ? nameOf(by.id) : by?.kind === "operator" ? words.operator : by?.kind === "timeout" ? words.byDeadline : words.byRules;
  return { tone: "plain", title: words.decidedTitle, lines: [words.decidedText(labelOf(row, row.action ?? ""), who, at), row.reason] };
}

function labelOf(row: InputRow, action: string): string {
  return row.choices[action]?.label ?? action;
}
