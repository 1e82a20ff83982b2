/** One run, live: what it has done, what it waits for, what it says, and for operators all that was recorded. */
import type { RunRow, StepRow } from "@signoff/client";
import { useRun, useSignoff } from "@signoff/client/react";
import { useCallback, useMemo, useState, useSyncExternalStore } from "react";
import type { JournalEntry } from "../model/api";
import { nameOf, percent, words } from "../model/format";
import { useLooked } from "../model/looked";
import { href, refine } from "../model/route";
import type { Route } from "../model/route";
import { useMe } from "../model/me";
import { lookAtRun } from "../model/seen";
import type { Looked } from "../model/seen";
import { Ago, Badge, Connection, Empty, Loading, Section } from "../parts/basics";
import { Icon } from "../parts/Icon";
import { ValueView } from "../parts/ValueView";
import { t } from "../texts";
import { Journal } from "./Journal";
import { Outputs } from "./Outputs";
import { StatusBadge } from "./RunsPage";
import { Timeline, TroubleView } from "./Timeline";
import { fits } from "./fitting";
import { latestOf } from "./moments";
import type { Verb } from "./fitting";
import { VerbButtons, VerbDialog } from "./verbs";

interface Props {
  runId: string;
  route: Route;
  back: string;
}

const TABS = ["timeline", "output", "data", "journal"] as const;
type Tab = (typeof TABS)[number];
const VERBS: readonly Verb[] = ["retry", "pause", "resume", "cancel", "terminate", "fork", "delete"];

export function RunPage({ runId, route, back }: Props) {
  const { me } = useMe();
  const snapshot = useRun(runId);
  const { run, connection, error } = snapshot;
  const entries = useJournal(runId);
  const before = useLooked(run?.id, () => { if (run !== undefined) lookAtRun(run, latestOf(snapshot)); });
  const [doing, setDoing] = useState<{ verb: Verb; to?: string } | null>(null);
  const rewind = useCallback((step: StepRow) => { setDoing({ verb: "rewind", to: step.id }); }, []);
  if (run === undefined) {
    if (connection === "connecting" || (connection === "reconnecting" && error === undefined)) {
      return <article className="detail"><Back to={back} /><Loading label={t.run.loading} rows={5} /></article>;
    }
    const forbidden = error?.status === 403;
    return (
      <article className="detail">
        <Back to={back} />
        <Empty icon="alert" title={forbidden ? t.trouble.forbiddenRun : t.trouble.missingRun}><p>{forbidden ? t.trouble.forbiddenRunMore : t.trouble.missingRunMore}</p></Empty>
      </article>
    );
  }
  const tab = TABS.find((one) => one === route.query.get("tab")) ?? "timeline";
  const tabs = TABS.filter((one) => one !== "journal" || me.operator);
  return (
    <article className="detail run-detail" aria-labelledby="run-title">
      <Back to={back} />
      <header className="detail-head">
        <div className="detail-title">
          <h1 id="run-title">{words(run.workflow)} <StatusBadge status={run.status} /></h1>
          <Connection state={connection} asOf={snapshot.asOf} />
        </div>
        <Facts run={run} />
        <Since run={run} before={before} />
        {me.operator && <VerbButtons verbs={VERBS.filter((verb) => fits(verb, run))} onChoose={(verb) => { setDoing({ verb }); }} />}
      </header>
      {snapshot.progress.length > 0 && <ProgressBars progress={snapshot.progress} />}
      <nav className="tabs" aria-label={t.run.tabs.label}>
        {tabs.map((one) => (
          <a key={one} href={href(["runs", runId], tabQuery(route, one))} aria-current={one === tab ? "page" : undefined}
            onClick={(event) => { event.preventDefault(); refine(route, { tab: one === "timeline" ? null : one }); }}>{t.run.tabs[one]}</a>
        ))}
      </nav>
      <div className="tab-body" data-tab={tab}>
        {tab === "timeline" && <Timeline snapshot={snapshot} journal={entries} since={before?.until ?? null} onRewind={me.operator && fits("rewind", run) ? rewind : undefined} />}
        {tab === "output" && <Outputs runId={runId} route={route} run={run} />}
        {tab === "data" && <Data run={run} trouble={entries} />}
        {tab === "journal" && <Journal entries={entries} />}
      </div>
      {doing !== null && <VerbDialog verb={doing.verb} to={doing.to} runs={[run]} onClose={() => { setDoing(null); }} onDone={() => { if (doing.verb === "delete") location.hash = back; }} />}
    </article>
  );
}

function tabQuery(route: Route, tab: Tab): URLSearchParams {
  const query = new URLSearchParams(route.query);
  if (tab === "timeline") query.delete("tab");
  else query.set("tab", tab);
  return query;
}

const NOTHING: readonly JournalEntry[] = [];

/** What the journal says, as it is written; only operators may read it. */
function useJournal(runId: string): readonly JournalEntry[] {
  const { me } = useMe();
  const client = useSignoff();
  const view = me.operator ? client.messages<JournalEntry>(`runs/${runId}/journal`) : undefined;
  return useSyncExternalStore(view?.subscribe ?? idle, () => view?.getSnapshot().messages ?? NOTHING);
}

function idle(): () => void {
  return () => undefined;
}

function Back({ to }: { to: string }) {
  return <a className="back" href={to}><Icon name="back" />{t.run.back}</a>;
}

function Facts({ run }: { run: RunRow }) {
  const { me } = useMe();
  return (
    <p className="facts">
      <span className="mono">{run.id}</span>
      <span>{t.run.started} <Ago at={run.created_at} />{run.started_by !== null && <> {t.run.by} {nameOf(run.started_by, me.person)}</>}</span>
      <span>{t.run.updated} <Ago at={run.updated_at} /></span>
      <span>{t.run.version} {run.version}</span>
      {run.parent !== null && <a href={href(["runs", run.parent])}>{t.run.parent} <span className="mono">{run.parent}</span></a>}
      {run.forked_from !== undefined && <a href={href(["runs", run.forked_from.run_id])}>{t.run.forked} <span className="mono">{run.forked_from.run_id}</span></a>}
      {run.tags.map((tag) => <a key={tag} className="tag" href={href(["runs"], { tag })}><Badge>{tag}</Badge></a>)}
    </p>
  );
}

/** What became of the run since this person looked at it last; where, the timeline marks. */
function Since({ run, before }: { run: RunRow; before: Looked | undefined }) {
  if (before === undefined || before.until >= run.updated_at) return null;
  const { statuses } = t.runs;
  const other = before.status === run.status ? undefined : before.status;
  return (
    <p className="since-run" role="status">
      <strong>{t.request.since.title}</strong> <Ago at={before.until} />: {other === undefined ? t.run.since.went : t.run.since.became(statuses[other], statuses[run.status])}
    </p>
  );
}

function ProgressBars({ progress }: { progress: readonly { readonly id: string; readonly fraction: number | null; readonly message: string | null }[] }) {
  return (
    <div className="card progress-bars">
      {progress.map(({ id, fraction, message }) => (
        <div className="tally" key={id}>
          <span>{words(id)}</span>
          <progress max={1} aria-label={words(id)} {...(fraction === null ? {} : { value: fraction })} />
          <span>{message ?? (fraction === null ? "" : percent(fraction))}</span>
        </div>
      ))}
    </div>
  );
}

function Data({ run, trouble }: { run: RunRow; trouble: readonly JournalEntry[] }) {
  const { me } = useMe();
  // The journal has what the workflow does not show; whoever reads it here may read it there.
  const recorded = useMemo(() => ({
    input: trouble.find(({ type }) => type === "run.started")?.input, output: trouble.findLast(({ type }) => type === "run.completed")?.output,
  }), [trouble]);
  const input = run.input ?? (me.operator ? recorded.input : undefined);
  const output = run.output ?? (me.operator ? recorded.output : undefined);
  return (
    <div className="column">
      {run.error !== null && run.error.code !== "terminated" && <Section title={t.run.error} icon="alert"><TroubleView trouble={run.error} /></Section>}
      <Section title={t.run.input}>{input === undefined || input === null ? <p className="faint">{t.run.notShown}</p> : <ValueView value={input} label={t.run.input} />}</Section>
      {run.status === "completed" && <Section title={t.run.output}>{output === undefined || output === null ? <p className="faint">{t.run.notShown}</p> : <ValueView value={output} label={t.run.output} />}</Section>}
    </div>
  );
}
