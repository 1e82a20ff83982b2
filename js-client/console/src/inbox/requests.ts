/**
 * All that waits for a person, live from the inboxes of their principals; for operators what waits for anybody, which no
 * stream has: it is asked for anew when one of the inboxes or listings it comes from tells something.
 */
import type { CommentRow, ConnectionState, InputRow, MeReply } from "@signoff/client";
import { useInbox } from "@signoff/client/react";
import { useMemo, useState } from "react";
import { allInputs } from "../model/api";
import type { Problem } from "../model/api";
import { usePolled } from "../model/polled";
import { Same } from "../model/same";
import { nameIn } from "../model/seen";

export interface Requests {
  readonly connection: ConnectionState;
  readonly problem: Problem | undefined;
  /** Set while they may be old: when they were last known to be complete. */
  readonly asOf: string | undefined;
  /** Undefined until they are known. */
  readonly requests: readonly InputRow[] | undefined;
  readonly comments: readonly CommentRow[];
}

export function useRequests(me: MeReply, everybody: boolean): Requests {
  const inbox = useInbox(everybody ? NONE : me.principals);
  const polled = usePolled<readonly InputRow[]>(everybody ? "everybody" : null, (client, signal) => allInputs(client, undefined, signal), EVERY_MS, sourcesOf);
  const [same] = useState(() => new Same<InputRow>(nameIn, signature));
  // What is said stays as it was said.
  const [said] = useState(() => new Same<CommentRow>(({ id }) => id, ({ id }) => id));
  const asked = useMemo(() => (polled.value === undefined ? undefined : same.keep(polled.value)), [same, polled.value]);
  const problem = everybody ? polled.problem : inbox.error;
  const waiting = everybody ? asked === undefined : inbox.connection === "connecting" || (inbox.connection === "failed" && inbox.requests.length === 0);
  return {
    connection: !everybody ? inbox.connection : polled.problem !== undefined ? "reconnecting" : asked === undefined ? "connecting" : "live",
    problem: problem === undefined ? undefined : { title: problem.title, detail: problem.detail ?? "", code: problem.code, status: problem.status },
    asOf: !everybody ? inbox.asOf : polled.problem === undefined ? undefined : polled.at,
    requests: waiting ? undefined : everybody ? asked : inbox.requests,
    comments: useMemo(() => said.keep(inbox.rows<CommentRow>("comment")), [said, inbox]),
  };
}

const NONE: readonly string[] = [];

/** How often to look for what none of these streams tells: somebody who was never asked before, a workflow that is new. */
const EVERY_MS = 5_000;

function sourcesOf(rows: readonly InputRow[]): readonly string[] {
  return [...rows.flatMap(({ audience }) => audience.map((one) => `inbox/${one}`)), ...rows.map(({ workflow }) => `workflows/${workflow}`)];
}

/** All of a row that can change without the members it shows. */
function signature(row: InputRow): string {
  const done = row.schedule.map(({ done_at, skipped }) => `${done_at ?? ""}${skipped}`).join();
  return JSON.stringify([row.revised, row.revision, row.status, row.claim, row.votes.length, row.history.length, row.audience, row.deadline, row.errors, done]);
}
