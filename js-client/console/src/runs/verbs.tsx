/** What operators do to runs: which fits when, asked before it is done, one by one with progress. */
import type { RunRow, Signoff, SignoffProblem } from "@signoff/client";
import { useSignoff } from "@signoff/client/react";
import { useRef, useState } from "react";
import { Notice, Said } from "../parts/basics";
import { Dialog } from "../parts/Dialog";
import { Icon } from "../parts/Icon";
import type { IconName } from "../parts/Icon";
import { t } from "../texts";
import type { Verb } from "./fitting";

const ICONS: Readonly<Record<Verb, IconName>> = { pause: "pause", resume: "play", cancel: "close", terminate: "stop", retry: "retry", delete: "trash", fork: "fork", rewind: "rewind" };
const DANGEROUS: readonly Verb[] = ["terminate", "delete", "cancel", "rewind"];
interface ButtonProps {
  verbs: readonly Verb[];
  onChoose: (verb: Verb) => void;
}

export function VerbButtons({ verbs, onChoose }: ButtonProps) {
  return (
    <div className="buttons" role="group" aria-label={t.run.actions}>
      {verbs.map((verb) => (
        <button key={verb} type="button" className="button small" onClick={() => { onChoose(verb); }}><Icon name={ICONS[verb]} />{t.verbs.names[verb]}</button>
      ))}
    </div>
  );
}

interface DialogProps {
  verb: Verb;
  runs: readonly Pick<RunRow, "id">[];
  /** The step to rewind to. */
  to?: string | undefined;
  onClose: () => void;
  /** Called after each run to which it was done. */
  onDone?: (run: RunRow) => void;
}

interface Progress {
  readonly done: number;
  readonly refused: readonly { readonly id: string; readonly problem: SignoffProblem }[];
  readonly state: "asking" | "doing" | "stopped" | "over";
  readonly last?: RunRow;
}

/** How many are acted on at a time. */
const AT_ONCE = 4;

/** Ask whether it is meant, do it to each run, and tell how far it has come and what was refused. */
export function VerbDialog({ verb, runs, to, onClose, onDone }: DialogProps) {
  const client = useSignoff();
  const [reason, setReason] = useState("");
  const [progress, setProgress] = useState<Progress>({ done: 0, refused: [], state: "asking" });
  const stopped = useRef(false);
  const [first] = runs;
  const what = runs.length === 1 && first !== undefined ? t.verbs.one(first.id) : t.verbs.many(runs.length);
  const start = async (): Promise<void> => {
    setProgress({ done: 0, refused: [], state: "doing" });
    const waiting = [...runs];
    let refusals = 0;
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !stopped.current; next = waiting.shift()) {
        const { id } = next;
        const told = await act(client, verb, id, reason.trim(), to);
        if (!told.ok) refusals++;
        setProgress((now) => (told.ok ? { ...now, done: now.done + 1, last: told.run } : { ...now, refused: [...now.refused, { id, problem: told.problem }] }));
        if (told.ok) onDone?.(told.run);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, runs.length) }, work));
    setProgress((now) => ({ ...now, state: stopped.current ? "stopped" : "over" }));
    if (runs.length === 1 && refusals === 0 && verb !== "fork") onClose();
  };
  const { state, done, refused, last } = progress;
  const asking = state === "asking";
  const title = t.verbs.titles[verb](what);
  return (
    <Dialog title={title} onClose={() => { stopped.current = true; onClose(); }} onSubmit={() => { if (asking) void start(); }} actions={
      asking ? (
        <>
          <button type="button" className="button" onClick={onClose}>{t.verbs.cancel}</button>
          <button type="submit" className={`button ${DANGEROUS.includes(verb) ? "danger" : "primary"}`}>{t.verbs.names[verb]}</button>
        </>
      ) : state === "doing" ? (
        <button type="button" className="button" onClick={() => { stopped.current = true; }}>{t.verbs.stop}</button>
      ) : (
        <button type="button" className="button primary" onClick={onClose}>{t.verbs.close}</button>
      )
    }>
      <p>{t.verbs.means[verb]}</p>
      {asking && takesReason(verb) && (
        <div className="field">
          <label htmlFor="run-verb-reason">{t.verbs.reason}</label>
          <input id="run-verb-reason" className="control" value={reason} dir="auto" onInput={(event) => { setReason(event.currentTarget.value); }} aria-describedby="run-verb-reason-hint" />
          <p className="hint" id="run-verb-reason-hint">{t.verbs.reasonHint}</p>
        </div>
      )}
      {!asking && (
        <div role="status" className="progress">
          <progress max={runs.length} value={done + refused.length} aria-label={title} />
          <p>{state === "doing" ? t.verbs.doing(done, runs.length) : state === "stopped" ? t.verbs.stopped(done, runs.length) : t.verbs.done(done, runs.length)}</p>
        </div>
      )}
      {state === "over" && verb === "fork" && last !== undefined && <p><a href={`#/runs/${encodeURIComponent(last.id)}`} onClick={onClose}>{t.verbs.forked(last.id)}</a></p>}
      {refused.length > 0 && (
        <Notice tone="bad" role="alert" title={runs.length === 1 ? t.verbs.failed : t.verbs.refused(refused.length)}>
          <ul className="plain-list">
            {refused.slice(0, 20).map(({ id, problem }) => <li key={id}><span>{runs.length > 1 && <span className="mono">{id} </span>}<Said>{problem.detail ?? problem.title}</Said></span></li>)}
          </ul>
        </Notice>
      )}
    </Dialog>
  );
}

function takesReason(verb: Verb): boolean {
  return verb !== "retry" && verb !== "delete";
}

function act(client: Signoff, verb: Verb, id: string, reason: string, to: string | undefined) {
  const body = reason === "" ? {} : { reason };
  switch (verb) {
    case "retry":
    case "delete":
      return client.act(verb, id, {});
    case "rewind":
      return client.act("rewind", id, { to: to ?? "", ...body });
    case "cancel":
    case "fork":
    case "pause":
    case "resume":
    case "terminate":
      return client.act(verb, id, body);
  }
}
