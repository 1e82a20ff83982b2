/** What is wrong with workers, runs and notifications, and what to do about it. For operators. */
import type { DoctorReply, Finding, RunRow } from "@signoff/client";
import { useMemo, useState } from "react";
import { ask, doctor } from "../model/api";
import type { RunPage } from "../model/api";
import { words } from "../model/format";
import { href } from "../model/route";
import { useMe } from "../model/me";
import { usePolled } from "../model/polled";
import { Ago, Badge, Empty, Loading, Notice, Section } from "../parts/basics";
import type { Tone } from "../parts/basics";
import { Icon } from "../parts/Icon";
import { StatusBadge } from "../runs/RunsPage";
import { VerbDialog } from "../runs/verbs";
import { t } from "../texts";
import { Notifications } from "./Notifications";

export function SystemPage() {
  const { me } = useMe();
  if (!me.operator) return <Empty icon="alert" title={t.trouble.operators}><p>{t.trouble.operatorsMore}</p></Empty>;
  return (
    <div className="page">
      <h1>{t.system.title}</h1>
      <Trouble />
      <Notifications />
      <Findings />
    </div>
  );
}

const TONES: Readonly<Record<Finding["level"], Tone>> = { ok: "good", note: "warn", wrong: "bad" };

function Findings() {
  const { value, problem } = usePolled<DoctorReply>("doctor", doctor, 10_000);
  return (
    <Section title={t.system.findings} icon="system">
      {value === undefined ? (problem === undefined ? <Loading label={t.system.loading} /> : <Notice tone="bad" role="alert" title={t.system.unreadable}><p>{problem.detail}</p></Notice>) : (
        <>
          <ul className="findings">
            {[...value.findings].sort((a, b) => rank(a) - rank(b)).map((one, index) => (
              <li key={`${one.check}${index}`}>
                <Badge tone={TONES[one.level]}>{t.system.levels[one.level]}</Badge>
                <strong>{t.system.checks[one.check] ?? words(one.check)}</strong>
                <span>{one.says}{one.todo !== null && <><br /><span className="faint">{t.system.todo}:</span> {one.todo}</>}</span>
              </li>
            ))}
          </ul>
          <p className="faint">{t.system.looked("")}<Ago at={value.at} /> · {t.brand} {value.version}</p>
        </>
      )}
    </Section>
  );
}

function rank({ level }: Finding): number {
  return ["wrong", "note", "ok"].indexOf(level);
}

interface Group {
  readonly name: string;
  readonly status: "blocked" | "failed";
  readonly code: string;
  readonly workflow: string;
  readonly message: string | null;
  readonly runs: readonly RunRow[];
}

const MOST = "500";

/** Blocked and failed runs, grouped by what is wrong with them: one mend often helps all of a group. */
function Trouble() {
  const { value, problem, again } = usePolled<RunPage>("trouble", (client, signal) => ask<RunPage>(client, "runs", { status: ["blocked", "failed"], limit: MOST }, signal), 5000);
  const groups = useMemo(() => grouped(value?.runs ?? []), [value]);
  const [retrying, setRetrying] = useState<Group | null>(null);
  return (
    <Section title={t.system.trouble} icon="alert">
      {value === undefined ? (problem === undefined ? <Loading label={t.system.loading} rows={2} /> : <Notice tone="bad" role="alert" title={t.system.unreadable}><p>{problem.detail}</p></Notice>)
        : groups.length === 0 ? <p className="fine"><Icon name="check" /> {t.system.troubleNone}</p> : (
          <ul className="groups">
            {groups.map((group) => (
              <li key={group.name}>
                <div>
                  <p><StatusBadge status={group.status} /> <strong>{words(group.workflow)}</strong> <code>{group.code}</code></p>
                  {group.message !== null && <p className="faint"><bdi dir="auto">{group.message}</bdi></p>}
                </div>
                <span className="buttons">
                  <a className="button small" href={href(["runs"], { workflow: group.workflow, status: group.status, reason: group.code })}>{t.verbs.many(group.runs.length)}</a>
                  <button type="button" className="button small" onClick={() => { setRetrying(group); }}><Icon name="retry" />{t.verbs.names.retry}</button>
                </span>
              </li>
            ))}
          </ul>
        )}
      {typeof value?.cursor === "string" && <p className="faint">{t.system.first(value.runs.length)}</p>}
      {retrying !== null && <VerbDialog verb="retry" runs={retrying.runs} onClose={() => { setRetrying(null); again(); }} />}
    </Section>
  );
}

function grouped(runs: readonly RunRow[]): readonly Group[] {
  const groups = new Map<string, { -readonly [Member in keyof Group]: Group[Member] } & { runs: RunRow[] }>();
  for (const run of runs) {
    const code = run.error?.code ?? run.status;
    const name = JSON.stringify([run.status, run.workflow, code]);
    const group = groups.get(name) ?? { name, status: run.status as Group["status"], code, workflow: run.workflow, message: run.error?.message ?? null, runs: [] };
    group.runs.push(run);
    groups.set(name, group);
  }
  return [...groups.values()].sort((a, b) => b.runs.length - a.runs.length);
}
