/** Votes, what happens by itself, and what has happened. */
import { inputKey } from "@signoff/client";
import type { InputEvent, InputRow, InputTimed } from "@signoff/client";
import { useVotes } from "@signoff/client/react";
import { actorOf, listOf, nameOf, words } from "../model/format";
import { Ago, Badge, Said } from "../parts/basics";
import { Icon } from "../parts/Icon";
import { t } from "../texts";
import { endOf, labelOf } from "./outcome";

interface Props {
  row: InputRow;
  me: string | null;
}

export function Votes({ row, me }: Props) {
  const { quorum, votes, tally, mine } = useVotes(row.run_id, inputKey(row));
  if (quorum === null) return null;
  return (
    <>
      <p>{t.request.quorum(quorum.need, quorum.of)} {quorum.veto.length > 0 && t.request.veto(listOf(quorum.veto.map((one) => labelOf(row, one))))}</p>
      {Object.entries(tally).filter(([action, { votes: cast }]) => !quorum.veto.includes(action) || cast > 0).map(([action, { votes: cast, missing }]) => (
        <div className="tally" key={action}>
          <span>{labelOf(row, action)}</span>
          <progress max={cast + missing} value={cast} aria-label={labelOf(row, action)} />
          <span className="value-number">{cast}/{cast + missing}</span>
        </div>
      ))}
      {mine !== undefined && row.status === "pending" && <p className="faint">{t.request.youVoted}</p>}
      {votes.length === 0 ? <p className="faint">{t.request.noVotes}</p> : (
        <ul className="plain-list">
          {votes.map((vote) => (
            <li key={`${vote.by.id ?? ""}${vote.at}`}>
              <Said>{t.request.voted(nameOf(vote.by.id, me), labelOf(row, vote.action))}</Said> <span className="faint"><Ago at={vote.at} /></span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

export function Schedule({ row }: { row: InputRow }) {
  if (row.schedule.length === 0) return <p className="faint">{t.request.schedule.none}</p>;
  return (
    <ul className="plain-list">
      {row.schedule.map((one) => (
        <li key={`${one.what}${one.at}`} data-done={one.done_at !== null || one.skipped}>
          <Icon name={one.what === "remind" ? "bell" : one.what === "escalate" ? "people" : "flag"} />
          <span>{timed(one, row)}</span>
          {one.done_at !== null ? <Badge tone="good">{t.request.schedule.done}</Badge> : one.skipped ? <Badge>{t.request.schedule.skipped}</Badge> : null}
          <span className="faint end"><Ago at={one.at} /></span>
        </li>
      ))}
    </ul>
  );
}

function timed({ what, to, keep, action }: InputTimed, row: InputRow): string {
  const whom = listOf((to ?? []).map((one) => nameOf(one)));
  switch (what) {
    case "remind":
      return t.request.schedule.remind;
    case "escalate":
      return keep === true ? t.request.schedule.escalate(whom) : t.request.schedule.escalateInstead(whom);
    case "expire":
      return t.request.schedule.expire;
    case "default":
      return t.request.schedule.default(labelOf(row, action ?? null));
  }
}

export function HistoryList({ row, me }: Props) {
  const ended = endOf(row, me);
  return (
    <ol className="plain-list">
      <li><span>{t.request.events.asked}</span><span className="faint end"><Ago at={row.asked_at} /></span></li>
      {row.history.map((event) => (
        <li key={`${event.what}${event.at}`}>
          <span>{said(event, me)} {event.by.kind !== "timeout" && <span className="faint">{t.request.events.by(actorOf(event.by, me))}</span>}{event.reason !== null && <><br /><Said>{event.reason}</Said></>}</span>
          <span className="faint end"><Ago at={event.at} /></span>
        </li>
      ))}
      {ended !== null && row.decided_at !== null && <li><span>{ended}</span><span className="faint end"><Ago at={row.decided_at} /></span></li>}
    </ol>
  );
}

export function said({ what, to, keep }: InputEvent, me: string | null): string {
  const whom = listOf((to ?? []).map((one) => nameOf(one, me)));
  const events = t.request.events;
  switch (what) {
    case "delegated":
      return events.delegated(whom);
    case "reassigned":
      return events.reassigned(whom);
    case "escalated":
      return keep === true ? events.escalated(whom) : events.escalatedInstead(whom);
    case "revised":
    case "reminded":
    case "released":
    case "overruled":
    case "votes_dropped":
      return events[what];
    default:
      return words(what);
  }
}
