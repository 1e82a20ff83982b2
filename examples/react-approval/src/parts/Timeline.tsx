/** The run as it happens: steps, questions, answers, sleep. */

import type { InputRow, RunRow, StepRow } from "@signoff/client";
import { useNow } from "../model/clock";
import { clock, duration, instant, relative, words } from "../model/format";
import type { Person } from "../model/identity";
import { commentOf, outcomeOf } from "../model/outcome";
import { type Moment, timeline } from "../model/timeline";

interface Props {
  run: RunRow;
  steps: readonly StepRow[];
  inputs: readonly InputRow[];
  me: Person;
}

export function Timeline({ run, steps, inputs, me }: Props) {
  const now = useNow();
  return (
    <section className="timeline" aria-label="Timeline">
      <h2>Timeline</h2>
      <ol>
        {timeline(run, steps, inputs).map((moment) => (
          <Entry key={keyOf(moment)} moment={moment} now={now} me={me} />
        ))}
      </ol>
    </section>
  );
}

function Entry({ moment, now, me }: { moment: Moment; now: number; me: Person }) {
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

interface Told {
  state: "done" | "active" | "open" | "bad" | "quiet";
  what: string;
  took?: string | undefined;
  more?: string | null | undefined;
}

function tell(moment: Moment, now: number, me: Person): Told {
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
        more: commentOf(moment.input.value) ?? moment.input.reason,
      };
    case "sleeping":
      return { state: "active", what: "Sleeping" };
    case "ended":
      return tellEnd(moment.run);
  }
}

function tellStep(step: StepRow, now: number): Told {
  const what = step.label ?? words(step.name);
  const tries = step.attempt > 1 ? `Attempt ${step.attempt}` : null;
  const since = step.started_at === null ? now : Date.parse(step.started_at);
  const until = step.ended_at === null ? now : Date.parse(step.ended_at);
  const took = duration(until - since);
  switch (step.status) {
    case "completed":
      return { state: "done", what, took, more: tries };
    case "running":
      return { state: "active", what, took: until - since > 1500 ? took : undefined, more: tries };
    case "retrying":
      return { state: "active", what, more: retryText(step, now) };
    case "failed":
      return { state: "bad", what, took, more: step.error?.message ?? step.error?.code ?? tries };
    case "cancelled":
      return { state: "quiet", what, more: "Cancelled" };
  }
}

function retryText(step: StepRow, now: number): string {
  const again = step.retry_at ? `, again ${relative(step.retry_at, now)}` : "";
  return `Attempt ${step.attempt} failed${again}${step.error ? `: ${step.error.message ?? step.error.code}` : ""}`;
}

function tellAsked(input: InputRow, now: number): Told {
  const open = input.status === "pending" || input.status === "validating";
  const until = input.decided_at === null ? now : Date.parse(input.decided_at);
  const whom = input.audience.map((principal) => principal.replace(/^(group|user):/, "")).join(", ");
  return {
    state: open ? "open" : "done",
    what: open ? `Waiting for ${whom}` : `Asked ${whom}`,
    took: open ? undefined : duration(until - Date.parse(input.asked_at)),
    more: input.revision > 0 ? `Changed ${input.revision === 1 ? "once" : `${input.revision} times`} since it was asked` : null,
  };
}

function tellEnd(run: RunRow): Told {
  if (run.status === "completed") return { state: "done", what: "Completed" };
  return { state: run.status === "failed" ? "bad" : "quiet", what: words(run.status), more: run.error?.message ?? run.error?.code };
}

function keyOf(moment: Moment): string {
  if (moment.kind === "step") return `step/${moment.step.id}`;
  if (moment.kind === "asked" || moment.kind === "decided") return `${moment.kind}/${moment.input.id}`;
  return moment.kind;
}
