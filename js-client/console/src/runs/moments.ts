/** What a run has done, in the order of time, from its rows and, for operators, from its journal. Pure. */
import type { InputRow, RunRow, RunSnapshot, StepRow } from "@signoff/client";
import type { JournalEntry } from "../model/api";

export interface Frame {
  readonly file: string;
  readonly line: number;
  readonly function: string;
  readonly source?: string;
}

/** Why something failed, as operators read it. */
export interface Trouble {
  readonly code: string;
  readonly message: string | null;
  readonly type?: string;
  readonly frames?: readonly Frame[];
}

export type Moment =
  | { readonly kind: "started"; readonly at: string; readonly run: RunRow }
  | { readonly kind: "step"; readonly at: string; readonly step: StepRow; readonly attempts: readonly Attempt[] }
  | { readonly kind: "asked"; readonly at: string; readonly input: InputRow }
  | { readonly kind: "decided"; readonly at: string; readonly input: InputRow }
  | { readonly kind: "timer"; readonly at: string; readonly id: string; readonly until: string; readonly done: string | null }
  | { readonly kind: "event"; readonly at: string; readonly id: string; readonly topic: string; readonly done: string | null; readonly over: boolean }
  | { readonly kind: "remark"; readonly at: string; readonly id: string; readonly what: Remark; readonly by: string | null; readonly reason: string | null }
  | { readonly kind: "ended"; readonly at: string; readonly run: RunRow; readonly trouble: Trouble | null };

export type Remark = "retried" | "rewound" | "paused" | "resumed" | "cancelAsked";

export interface Attempt {
  readonly attempt: number;
  readonly at: string;
  readonly trouble: Trouble;
}

const REMARKS: Readonly<Record<string, Remark>> = {
  "run.retried": "retried", "run.rewound": "rewound", "run.paused": "paused", "run.resumed": "resumed", "run.cancel_requested": "cancelAsked",
};

/** When something happened to a moment last. */
export function lastOf(moment: Moment): string {
  switch (moment.kind) {
    case "step":
      return moment.attempts.at(-1)?.at ?? moment.step.ended_at ?? moment.at;
    case "timer":
    case "event":
      return moment.done ?? moment.at;
    case "started":
    case "asked":
    case "decided":
    case "remark":
    case "ended":
      return moment.at;
  }
}

/** When anything happened to a run last, as far as its rows tell. */
export function latestOf({ run, steps, inputs }: RunSnapshot): string {
  let found = run?.updated_at ?? "";
  for (const { started_at, ended_at } of steps) if ((ended_at ?? started_at) > found) found = ended_at ?? started_at;
  for (const { asked_at, decided_at } of inputs) if ((decided_at ?? asked_at) > found) found = decided_at ?? asked_at;
  return found;
}

/** Put together what happened, oldest first. */
export function momentsOf(snapshot: RunSnapshot, journal: readonly JournalEntry[]): readonly Moment[] {
  const { run, steps, inputs } = snapshot;
  if (run === undefined) return [];
  const attempts = attemptsOf(journal);
  const moments: Moment[] = [{ kind: "started", at: run.created_at, run }];
  for (const step of steps) moments.push({ kind: "step", at: step.started_at, step, attempts: attempts.get(step.id) ?? NONE });
  for (const input of inputs) {
    moments.push({ kind: "asked", at: input.asked_at, input });
    if (input.decided_at !== null) moments.push({ kind: "decided", at: input.decided_at, input });
  }
  moments.push(...waitsOf(journal));
  if (["completed", "failed", "cancelled", "blocked"].includes(run.status)) {
    moments.push({ kind: "ended", at: run.updated_at, run, trouble: endOf(run, journal) });
  }
  return moments.map((moment, index) => ({ moment, index })).sort((a, b) => order(a.moment, b.moment) || a.index - b.index).map(({ moment }) => moment);
}

const NONE: readonly Attempt[] = [];

function order(a: Moment, b: Moment): number {
  const rank = (moment: Moment): number => (moment.kind === "started" ? -1 : moment.kind === "ended" ? 1 : 0);
  return rank(a) - rank(b) || Date.parse(a.at) - Date.parse(b.at);
}

function attemptsOf(journal: readonly JournalEntry[]): ReadonlyMap<string, readonly Attempt[]> {
  const found = new Map<string, Attempt[]>();
  for (const entry of journal) {
    if (entry.type !== "step.failed" || entry.id === undefined) continue;
    const attempt: Attempt = { attempt: Number(entry.attempt), at: time(entry.at), trouble: entry.error as Trouble };
    found.set(entry.id, [...(found.get(entry.id) ?? []), attempt]);
  }
  return found;
}

function waitsOf(journal: readonly JournalEntry[]): Moment[] {
  const fired = new Map<string, string>();
  const over = new Set<string>();
  const given = new Set<string>();
  const received: { topic: string; at: string }[] = [];
  for (const { type, id, at, topic } of journal) {
    if (type === "timer.fired" && id !== undefined) fired.set(id, time(at));
    if (type === "event.timed_out" && id !== undefined) over.add(id).add(`${id} ${time(at)}`);
    if ((type === "timer.cancelled" || type === "event.abandoned") && id !== undefined) given.add(id);
    if (type === "event.received") received.push({ topic: String(topic), at: time(at) });
  }
  const moments: Moment[] = [];
  journal.forEach((entry, index) => {
    const at = time(entry.at);
    const id = entry.id ?? String(index);
    if (entry.type === "timer.started" && !given.has(id)) {
      moments.push({ kind: "timer", at, id, until: time(Number(entry.fire_at)), done: fired.get(id) ?? null });
    } else if (entry.type === "event.awaited" && !given.has(id)) {
      const topic = String(entry.topic);
      const taken = received.findIndex((event) => event.topic === topic);
      const event = over.has(id) || taken < 0 ? undefined : received.splice(taken, 1)[0];
      moments.push({ kind: "event", at, id, topic, done: event?.at ?? null, over: over.has(id) });
    }
    const what = REMARKS[entry.type];
    if (what === undefined) return;
    const by = entry.by as { readonly id?: string } | undefined;
    moments.push({ kind: "remark", at, id: `${entry.type}${index}`, what, by: by?.id ?? null, reason: typeof entry.reason === "string" ? entry.reason : null });
  });
  return moments;
}

/** Why it ended: operators read what the journal has, others what the row says. */
function endOf(run: RunRow, journal: readonly JournalEntry[]): Trouble | null {
  const last = journal.findLast(({ type }) => type === "run.failed" || type === "run.blocked" || type === "run.cancelled");
  const recorded = last?.error as Trouble | undefined;
  return run.status === "completed" ? null : (recorded ?? run.error);
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

export function momentKey(moment: Moment): string {
  switch (moment.kind) {
    case "started":
    case "ended":
      return moment.kind;
    case "step":
      return `step/${moment.step.id}`;
    case "asked":
    case "decided":
      return `${moment.kind}/${moment.input.id}`;
    case "timer":
    case "event":
    case "remark":
      return `${moment.kind}/${moment.id}`;
  }
}
