import type { InputRow, RunRow, RunSnapshot, StepRow } from "@signoff/client";
import { inputKey } from "@signoff/client";
import { memo, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";
import type { JournalEntry } from "../model/api";
import { useNow } from "../model/clock";
import { audienceOf, duration, instant, nameOf, relative, timeOfDay, words } from "../model/format";
import { href } from "../model/route";
import { useMe } from "../model/me";
import { Badge, Said } from "../parts/basics";
import { VirtualList } from "../parts/VirtualList";
import { endOf } from "../request/outcome";
import { t } from "../texts";
import { lastOf, momentKey, momentsOf } from "./moments";
import type { Moment, Trouble } from "./moments";

interface Props {
  snapshot: RunSnapshot;
  journal: readonly JournalEntry[];
  /** When this person looked last; what came since is marked. */
  since: string | null;
  /** Rewind to a step; undefined: one may not. */
  onRewind?: ((step: StepRow) => void) | undefined;
}

export function Timeline({ snapshot, journal, since, onRewind }: Props) {
  const moments = useMemo(() => momentsOf(snapshot, journal), [snapshot, journal]);
  const [jump, setJump] = useState<{ index: number; focus: boolean; nonce: number }>();
  const nonce = useRef(0);
  return (
    <>
      {moments.length > 40 && (
        <p className="timeline-head">
          <span className="faint">{t.run.timeline.entries(moments.length)}</span>
          <button type="button" className="button quiet small" onClick={() => {
            nonce.current++;
            setJump({ index: moments.length - 1, focus: false, nonce: nonce.current });
          }}>{t.run.timeline.jump}</button>
        </p>
      )}
      <VirtualList label={t.run.timeline.label} items={moments} keyOf={momentKey} estimate={3} measured target={jump} className="timeline" focusable>
        {(moment) => <div data-since={since !== null && lastOf(moment) > since}><MomentRow moment={moment} onRewind={onRewind} /></div>}
      </VirtualList>
    </>
  );
}

type State = "done" | "active" | "open" | "bad" | "quiet";

interface LineProps {
  state: State;
  at: string;
  what: ReactNode;
  took?: ReactNode;
  /** What it is says already how it went. */
  said?: boolean;
  children?: ReactNode;
}

function Line({ state, at, what, took, said = false, children }: LineProps) {
  const now = useNow(60_000);
  return (
    <div className="moment" data-state={state}>
      <span className="moment-what">{what}{!said && t.run.timeline.state[state] !== "" && <span className="visually-hidden">, {t.run.timeline.state[state]}</span>}</span>
      <span className="moment-when">
        {took !== undefined && <span>{took}</span>}
        <time dateTime={at} title={instant(at)}>{timeOfDay(at, now)}</time>
      </span>
      {children !== undefined && <div className="moment-more">{children}</div>}
    </div>
  );
}

const MomentRow = memo(function MomentRow({ moment, onRewind }: { moment: Moment; onRewind?: ((step: StepRow) => void) | undefined }) {
  const { me } = useMe();
  switch (moment.kind) {
    case "started":
      return <Line state="done" said at={moment.at} what={<>{t.run.timeline.started}{moment.run.started_by !== null && <span className="faint"> {t.run.by} {nameOf(moment.run.started_by, me.person)}</span>}</>} />;
    case "step":
      return <StepLine moment={moment} onRewind={onRewind} />;
    case "asked":
      return <AskedLine input={moment.input} />;
    case "decided":
      return (
        <Line state={moment.input.status === "answered" ? "done" : "quiet"} at={moment.at} what={endOf(moment.input, me.person)}>
          {moment.input.reason === null ? undefined : <Said>{moment.input.reason}</Said>}
        </Line>
      );
    case "timer":
      return moment.done === null ? <Waiting at={moment.at} until={moment.until} /> : (
        <Line state="done" at={moment.at} what={t.run.timeline.timerDone} took={duration(Date.parse(moment.done) - Date.parse(moment.at))} />
      );
    case "event": {
      const said = moment.over ? t.run.timeline.eventOver : moment.done === null ? t.run.timeline.event : t.run.timeline.eventDone;
      return <Line state={moment.over ? "quiet" : moment.done === null ? "open" : "done"} at={moment.at} what={said(moment.topic)} />;
    }
    case "remark":
      return (
        <Line state="quiet" at={moment.at} what={<>{t.run.timeline[moment.what]}{moment.by !== null && <span className="faint"> {t.run.by} {nameOf(moment.by, me.person)}</span>}</>}>
          {moment.reason === null ? undefined : <Said>{moment.reason}</Said>}
        </Line>
      );
    case "ended":
      return <EndLine run={moment.run} at={moment.at} trouble={moment.trouble} />;
  }
}, sameMoment);

/** Moments are made anew with each change of the run; the rows in them are not. */
function sameMoment(before: { moment: Moment; onRewind?: unknown }, after: { moment: Moment; onRewind?: unknown }): boolean {
  const [a, b] = [before.moment, after.moment];
  if (a.kind !== b.kind || a.at !== b.at || before.onRewind !== after.onRewind) return false;
  if (a.kind === "step" && b.kind === "step") return a.step === b.step && a.attempts.length === b.attempts.length;
  if ((a.kind === "asked" && b.kind === "asked") || (a.kind === "decided" && b.kind === "decided")) return a.input === b.input;
  return JSON.stringify(a) === JSON.stringify(b);
}

function Waiting({ at, until }: { at: string; until: string }) {
  const now = useNow(1000);
  return <Line state="open" at={at} what={t.run.timeline.timer} took={t.run.timeline.timerUntil(relative(until, now))} />;
}

function StepLine({ moment: { step, attempts, at }, onRewind }: { moment: Extract<Moment, { kind: "step" }>; onRewind?: ((step: StepRow) => void) | undefined }) {
  const going = step.status === "running" || step.status === "retrying";
  const states: Readonly<Record<StepRow["status"], State>> = { completed: "done", running: "active", retrying: "active", failed: "bad", cancelled: "quiet" };
  const what = step.label ?? words(step.name);
  const last = attempts.at(-1)?.trouble ?? step.error;
  const more = step.attempt > 1 || step.status === "failed" || step.status === "retrying" || step.status === "cancelled";
  return (
    <Line state={states[step.status]} at={at}
      what={<>
        <Said>{what}</Said>
        {step.attempt > 1 && <> <Badge tone={going ? "warn" : "plain"}>{t.run.attempt(step.attempt)}</Badge></>}
        {onRewind !== undefined && !going && <button type="button" className="button quiet small rewind" onClick={() => { onRewind(step); }}>{t.verbs.names.rewind}</button>}
      </>}
      took={going ? <Going since={step.started_at} /> : step.ended_at === null ? undefined : duration(Date.parse(step.ended_at) - Date.parse(step.started_at))}>
      {more ? (
        <>
          {step.status === "retrying" && step.retry_at !== null && <Again at={step.retry_at} />}
          {step.status === "cancelled" && <span className="faint">{t.run.timeline.cancelledStep}</span>}
          {step.status !== "completed" && last !== null && <TroubleView trouble={last} />}
          {attempts.length > 1 && (
            <details>
              <summary>{t.run.attempts(attempts.length)}</summary>
              <ol className="attempts">{attempts.map((one) => <li key={one.attempt}><TroubleView trouble={one.trouble} /></li>)}</ol>
            </details>
          )}
        </>
      ) : undefined}
    </Line>
  );
}

function Going({ since }: { since: string }) {
  const now = useNow(1000);
  return <>{duration(Math.max(0, now - Date.parse(since)))}</>;
}

function Again({ at }: { at: string }) {
  const now = useNow(1000);
  return <span>{t.run.again(relative(at, now))}</span>;
}

function AskedLine({ input }: { input: InputRow }) {
  const { me } = useMe();
  const open = input.status === "pending" || input.status === "validating";
  const whom = audienceOf(input.audience, me.person);
  return (
    <Line state={open ? "open" : "done"} at={input.asked_at}
      what={<>{open ? t.run.timeline.waitingFor(whom) : <Said>{input.title}</Said>}</>}
      took={open ? <Going since={input.asked_at} /> : input.decided_at === null ? undefined : duration(Date.parse(input.decided_at) - Date.parse(input.asked_at))}>
      {open ? <a href={href(["inbox", input.run_id, inputKey(input)])}><Said>{input.title}</Said></a> : undefined}
    </Line>
  );
}

function EndLine({ run, at, trouble }: { run: RunRow; at: string; trouble: Trouble | null }) {
  const what = run.status === "blocked" ? t.run.timeline.blocked : t.run.timeline.ended[run.status as "completed" | "failed" | "cancelled"];
  const state: State = run.status === "completed" ? "done" : run.status === "cancelled" ? "quiet" : "bad";
  // That an operator has ended it is told, and is no trouble.
  if (trouble?.code === "terminated") return <Line state={state} at={at} what={what} said><span className="faint">{t.run.timeline.terminated}</span></Line>;
  return <Line state={state} at={at} what={what} said>{trouble === null ? undefined : <TroubleView trouble={trouble} />}</Line>;
}

/** What went wrong; where in the code is for those who may read the journal, which alone has it. */
export function TroubleView({ trouble: { code, message, type, frames } }: { trouble: Trouble }) {
  return (
    <div className="trouble">
      <p><code>{type?.split(".").at(-1) ?? code}</code> {message !== null && message !== "" && <Said>{message}</Said>}</p>
      {frames !== undefined && frames.length > 0 && (
        <details>
          <summary>{t.run.frames}</summary>
          <pre>{[...frames].reverse().map((frame) => `${frame.file}:${frame.line} ${frame.function}${frame.source === undefined ? "" : `\n    ${frame.source}`}`).join("\n")}</pre>
        </details>
      )}
    </div>
  );
}
