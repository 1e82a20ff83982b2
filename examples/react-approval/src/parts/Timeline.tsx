/** The run as it happens: steps, questions, answers, sleep. */

import type { InputRow, RunRow, StepRow } from "@signoff/client";
import { memo, useMemo, useState } from "react";
import { useNow } from "../model/clock";
import { clock, duration, instant, relative, words } from "../model/format";
import type { Person } from "../model/identity";
import { commentOf, outcomeOf, reasonOf } from "../model/outcome";
import { type Moment, timeline } from "../model/timeline";
import { saidOf, troubleOf } from "../model/trouble";
import { usePrinting } from "../model/printing";

interface Props {
  run: RunRow;
  steps: readonly StepRow[];
  inputs: readonly InputRow[];
  me: Person;
}

/** So many entries are shown at a time, the newest of them; those that are going on are among these. */
const PAGE = 100;

export function Timeline({ run, steps, inputs, me }: Props) {
  const [wanted, setWanted] = useState(PAGE);
  const printing = usePrinting();
  const moments = useMemo(() => timeline(run, steps, inputs), [run, steps, inputs]);
  const hidden = printing ? 0 : Math.max(0, moments.length - wanted);
  return (
    <section className="timeline" aria-label="Timeline">
      <h2>
        Timeline {moments.length > PAGE && <span className="count">{moments.length} entries</span>}
      </h2>
      {hidden > 0 && (
        <button
          type="button"
          className="button quiet"
          onClick={() => {
            setWanted(wanted + 5 * PAGE);
          }}
        >
          Show earlier entries ({hidden})
        </button>
      )}
      <ol>
        {moments.slice(hidden).map((moment) => (
          <Entry key={keyOf(moment)} moment={moment} me={me} />
        ))}
      </ol>
    </section>
  );
}

/** What is over is drawn once; only what goes on follows the clock. */
const Entry = memo(function Entry(props: { moment: Moment; me: Person }) {
  return isGoingOn(props.moment) ? <Going {...props} /> : <Told {...props} now={null} />;
}, sameEntry);

function Going(props: { moment: Moment; me: Person }) {
  return <Told {...props} now={useNow()} />;
}

/** The moments are made anew with every change of the run; the rows in them are not. */
function sameEntry(before: { moment: Moment; me: Person }, after: { moment: Moment; me: Person }): boolean {
  return before.me === after.me && before.moment.at === after.moment.at && rowOf(before.moment) === rowOf(after.moment);
}

function rowOf(moment: Moment): unknown {
  switch (moment.kind) {
    case "step":
      return moment.step;
    case "asked":
    case "decided":
      return moment.input;
    case "blocked":
    case "ended":
      return moment.run;
    default:
      return moment.kind;
  }
}

function isGoingOn(moment: Moment): boolean {
  if (moment.kind === "step") return moment.step.status === "running" || moment.step.status === "retrying";
  return moment.kind === "asked" && moment.input.decided_at === null;
}

function Told({ moment, now, me }: { moment: Moment; now: number | null; me: Person }) {
  const told = tell(moment, now, me);
  return (
    <li data-state={told.state}>
      <span className="what">{told.what}</span>
      <span className="when">
        {told.took !== undefined && <span>{told.took}</span>}
        <time dateTime={moment.at} title={instant(moment.at)}>
          {clock(moment.at)}
        </time>
      </span>
      {told.more && (
        <span className="more" dir="auto">
          {told.more}
        </span>
      )}
    </li>
  );
}

interface Telling {
  state: "done" | "active" | "open" | "bad" | "quiet";
  what: string;
  took?: string | undefined;
  more?: string | null | undefined;
}

function tell(moment: Moment, now: number | null, me: Person): Telling {
  switch (moment.kind) {
    case "started":
      return { state: "done", what: "Handed in" };
    case "step":
      return tellStep(moment.step, now);
    case "asked":
      return tellAsked(moment.input, now);
    case "decided":
      return {
        state: moment.input.status === "answered" ? "done" : "quiet",
        what: outcomeOf(moment.input, me),
        more: commentOf(moment.input.value) ?? reasonOf(moment.input),
      };
    case "sleeping":
      return { state: "active", what: "A short pause" };
    case "blocked":
    case "ended":
      return tellEnd(moment.run);
  }
}

function tellStep(step: StepRow, now: number | null): Telling {
  const what = step.label ?? words(step.name);
  const tries = step.attempt > 1 ? `Attempt ${step.attempt}` : null;
  const took = between(step.started_at, step.ended_at, now);
  switch (step.status) {
    case "completed":
      return { state: "done", what, took, more: tries };
    case "running":
      return { state: "active", what, took, more: tries };
    case "retrying":
      return { state: "active", what, more: retryText(step, now) };
    case "failed":
      return { state: "bad", what, took, more: step.error ? saidOf(step.error) : tries };
    case "cancelled":
      return { state: "quiet", what, more: "Cancelled" };
  }
}

/** How long something took, or has taken until now; nothing where that is not known. */
function between(since: string, until: string | null, now: number | null): string | undefined {
  const end = until === null ? now : Date.parse(until);
  return end === null ? undefined : duration(end - Date.parse(since));
}

function retryText(step: StepRow, now: number | null): string {
  const again = step.retry_at ? `, again ${relative(step.retry_at, now)}` : "";
  return `Attempt ${step.attempt} failed${again}${step.error ? `: ${saidOf(step.error)}` : ""}`;
}

function tellAsked(input: InputRow, now: number | null): Telling {
  const open = input.status === "pending" || input.status === "validating";
  const whom = input.audience.map((principal) => principal.replace(/^(group|user):/, "")).join(", ");
  return {
    state: open ? "open" : "done",
    what: open ? `Waiting for ${whom}` : `Asked ${whom}`,
    took: open ? undefined : between(input.asked_at, input.decided_at, now),
    more: input.revision > 0 ? `Changed ${input.revision === 1 ? "once" : `${input.revision} times`} since it was asked` : null,
  };
}

function tellEnd(run: RunRow): Telling {
  if (run.status === "completed") return { state: "done", what: "Completed" };
  const trouble = troubleOf(run);
  return { state: trouble?.tone === "bad" ? "bad" : "quiet", what: words(run.status), more: trouble?.text };
}

function keyOf(moment: Moment): string {
  if (moment.kind === "step") return `step/${moment.step.id}`;
  if (moment.kind === "asked" || moment.kind === "decided") return `${moment.kind}/${moment.input.id}`;
  return moment.kind;
}
