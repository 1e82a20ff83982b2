/** Who is told of requests, how far they are, and what fails. */
import type { NotifyTarget as Target, Signoff } from "@signoff/client";
import { useSignoff } from "@signoff/client/react";
import { useState } from "react";
import { ask } from "../model/api";
import type { Told } from "../model/api";
import { count } from "../model/format";
import { usePolled } from "../model/polled";
import { Ago, Badge, Notice, Said, Section } from "../parts/basics";
import { Dialog } from "../parts/Dialog";
import { Icon } from "../parts/Icon";
import { t } from "../texts";

type Verb = "retry" | "skip" | "pause" | "resume";

export function Notifications() {
  const { value, problem, again } = usePolled<{ readonly targets: readonly Target[] }>("targets", (client, signal) => ask(client, "notifications", {}, signal), 5000);
  const [doing, setDoing] = useState<{ target: Target; verb: Verb } | null>(null);
  // A server that tells nobody, or does not know how, has nothing to show here.
  if (value === undefined && problem?.status !== 0) return null;
  const targets = value?.targets ?? [];
  if (targets.length === 0) return null;
  return (
    <Section title={t.system.notifications.title} icon="bell">
      <ul className="groups">
        {targets.map((target) => (
          <li key={target.id}>
            <div>
              <p>
                <StateBadge target={target} /> <strong className="mono">{target.id}</strong> <span className="faint">{target.kind}</span>
              </p>
              <p className="faint">
                {t.system.notifications.backlog(target.backlog)}
                {target.failed > 0 && <> · {t.system.notifications.givenUp(target.failed)}</>}
                {target.next_attempt !== null && <> · {t.system.notifications.again} <Ago at={target.next_attempt} /></>}
              </p>
              {target.last_error !== null && <p><Said>{target.last_error}</Said>{target.failing_since !== null && <span className="faint"> (<Ago at={target.failing_since} />)</span>}</p>}
            </div>
            <span className="buttons">
              {(target.failing_since !== null || target.failed > 0) && <button type="button" className="button small" onClick={() => { setDoing({ target, verb: "retry" }); }}><Icon name="retry" />{t.verbs.names.retry}</button>}
              {target.failing_since !== null && <button type="button" className="button small" onClick={() => { setDoing({ target, verb: "skip" }); }}>{t.system.notifications.skip}</button>}
              <button type="button" className="button small" onClick={() => { setDoing({ target, verb: target.paused ? "resume" : "pause" }); }}>
                <Icon name={target.paused ? "play" : "pause"} />{target.paused ? t.verbs.names.resume : t.verbs.names.pause}
              </button>
            </span>
          </li>
        ))}
      </ul>
      {doing !== null && <Confirm {...doing} onClose={() => { setDoing(null); again(); }} />}
    </Section>
  );
}

function StateBadge({ target: { paused, failing_since } }: { target: Target }) {
  if (paused) return <Badge tone="warn">{t.runs.statuses.paused}</Badge>;
  return failing_since === null ? <Badge tone="good">{t.system.levels.ok}</Badge> : <Badge tone="bad">{t.system.notifications.fails}</Badge>;
}

function Confirm({ target, verb, onClose }: { target: Target; verb: Verb; onClose: () => void }) {
  const client = useSignoff();
  const [problem, setProblem] = useState<string | null>(null);
  const label = verb === "skip" ? t.system.notifications.skip : t.verbs.names[verb];
  const run = async (): Promise<void> => {
    const told = await act(client, target.id, verb);
    if (told.ok) onClose();
    else setProblem(told.problem.detail || told.problem.title);
  };
  return (
    <Dialog title={`${label}: ${target.id}?`} onClose={onClose} onSubmit={() => void run()} actions={
      <>
        <button type="button" className="button" onClick={onClose}>{t.verbs.cancel}</button>
        <button type="submit" className={`button ${verb === "skip" ? "danger" : "primary"}`}>{label}</button>
      </>
    }>
      <p>{t.system.notifications.means[verb](count(target.backlog))}</p>
      {problem !== null && <Notice tone="bad" role="alert" title={problem} />}
    </Dialog>
  );
}

async function act(client: Signoff, target: string, verb: Verb): Promise<Told<unknown>> {
  try {
    const path = `v1/notifications/${encodeURIComponent(target)}/${verb}`;
    const reply = await client.fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    if (reply.ok) return { ok: true, value: null };
    const { title = "", detail = "" } = (await reply.json()) as { readonly title?: string; readonly detail?: string };
    return { ok: false, problem: { title, detail, status: reply.status, code: "" } };
  } catch (error) {
    return { ok: false, problem: { title: t.trouble.unreachable, detail: error instanceof Error ? error.message : "", status: 0, code: "network" } };
  }
}
