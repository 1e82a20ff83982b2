/** Who works on a request, and how to take it and give it back. */
import type { InputRow } from "@signoff/client";
import type { UseClaim } from "@signoff/client/react";
import { useState } from "react";
import { useNow } from "../model/clock";
import { nameOf, timeOfDay } from "../model/format";
import { useMe } from "../model/me";
import { Notice } from "../parts/basics";
import { Icon } from "../parts/Icon";
import { t } from "../texts";
import { VerbDialog } from "./RequestVerbs";

export function ClaimBar({ row, claim }: { row: InputRow; claim: UseClaim }) {
  const { me } = useMe();
  const now = useNow(60_000);
  const [asking, setAsking] = useState(false);
  const { holder, by, until, required, pending, problem } = claim;
  const busy = pending !== undefined;
  const end = until === undefined ? "" : timeOfDay(until, now);
  const said = t.request.claim;
  return (
    <div className="claim" data-holder={holder}>
      <Icon name="hand" />
      <p>{holder === "me" ? said.byYou(end) : holder === "another" ? said.by(nameOf(by?.id), end) : required ? said.required : said.free}</p>
      {holder === "nobody" && <button type="button" className="button" disabled={busy} onClick={() => void claim.claim()}>{said.take}</button>}
      {holder === "me" && <button type="button" className="button" disabled={busy} onClick={() => void claim.release()}>{said.release}</button>}
      {holder === "another" && me.operator && <button type="button" className="button" disabled={busy} onClick={() => { setAsking(true); }}>{said.override}</button>}
      {problem !== undefined && <Notice tone="bad" role="alert" title={problem.detail ?? problem.title} />}
      {asking && <VerbDialog verb="release" row={row} onClose={() => { setAsking(false); }} />}
    </div>
  );
}
