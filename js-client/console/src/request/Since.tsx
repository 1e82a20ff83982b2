/** What has happened to a request since this person looked at it last. */
import type { Comment, InputRow } from "@signoff/client";
import { Shown, englishWords } from "@signoff/client/react";
import { useState } from "react";
import { useNow } from "../model/clock";
import { actorOf, nameOf, relative } from "../model/format";
import { useMe } from "../model/me";
import { eventsSince, isChanged, saidSince } from "../model/seen";
import type { Looked } from "../model/seen";
import { Ago, Notice, Said } from "../parts/basics";
import { t } from "../texts";
import { said } from "./People";
import { labelOf } from "./outcome";

interface Props {
  row: InputRow;
  comments: readonly Comment[];
  before: Looked;
}

export function Since({ row, comments, before }: Props) {
  const { me } = useMe();
  const now = useNow(60_000);
  // What changes while one reads is the form's to announce.
  const [revised] = useState(() => isChanged(before, row));
  const events = eventsSince(before, row, me.person);
  const remarks = saidSince(before, comments, me.person);
  if (!revised && events.length === 0 && remarks.length === 0) return null;
  const { about } = before;
  const texts = t.request.since;
  return (
    <div className="since">
      <Notice tone="accent" title={texts.title} role="status">
        <ul className="plain-list">
          {revised && !events.some((event) => "what" in event && event.what === "revised") && <li><span>{texts.revised}</span></li>}
          {about !== undefined && about.title !== row.title && <li><Said>{texts.was(about.title)}</Said></li>}
          {about !== undefined && about.deadline !== row.deadline && <li><span>{row.deadline === null ? texts.notDue : texts.due(relative(row.deadline, now))}</span></li>}
          {events.map((event) => (
            <li key={`${event.at}${"what" in event ? event.what : event.by.id ?? ""}`}>
              <span><Said>{"what" in event ? said(event, me.person) : texts.voted(nameOf(event.by.id, me.person), labelOf(row, event.action))}</Said>
                {"what" in event && event.reason !== null && <>: <Said>{event.reason}</Said></>}</span>
              <span className="faint">{"what" in event && event.by.kind !== "timeout" && t.request.events.by(actorOf(event.by, me.person))} <Ago at={event.at} /></span>
            </li>
          ))}
          {remarks.map((one) => <li key={one.id}><Said>{texts.commented(nameOf(one.by?.id, me.person))}</Said> <span className="faint">{one.at !== undefined && <Ago at={one.at} />}</span></li>)}
        </ul>
        {about !== undefined && JSON.stringify([about.show, about.description]) !== JSON.stringify([row.show, row.description]) && (
          <div className="signoff-form" role="group" aria-label={texts.show}><Shown value={shownOf(row)} before={shownOf(about)} words={{ ...englishWords, ...t.autoForm }} /></div>
        )}
      </Notice>
    </div>
  );
}

/** What stands there to read; of it what is other is drawn, and the rest left out. */
function shownOf({ description, show }: Pick<InputRow, "description" | "show">): unknown {
  return { [t.request.description]: description, [t.request.show]: show };
}
