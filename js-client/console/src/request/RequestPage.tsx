/** One request: what it is about, its form, who works on it, what was said, and what happens next. */
import type { InputRow } from "@signoff/client";
import { AutoForm, useClaim, useComments, useDraft, useInput, useRun, useSignoff } from "@signoff/client/react";
import type { AutoFormOutcome, AutoFormParts, UseClaim, UseInput } from "@signoff/client/react";
import { memo, useEffect, useRef } from "react";
import { audienceOf, nameOf, words } from "../model/format";
import { href } from "../model/route";
import { useLooked } from "../model/looked";
import { useMe } from "../model/me";
import { look, nameIn } from "../model/seen";
import { Ago, Connection, Empty, Loading, Notice, Said, Section } from "../parts/basics";
import { Icon } from "../parts/Icon";
import { ValueView } from "../parts/ValueView";
import { language, t } from "../texts";
import { ClaimBar } from "./ClaimBar";
import { Comments } from "./Comments";
import { HistoryList, Schedule, Votes } from "./People";
import { RequestVerbs } from "./RequestVerbs";
import { Since } from "./Since";
import { endOf, whyNot } from "./outcome";

interface Props {
  runId: string;
  inputKey: string;
  /** The list one came from. */
  back: string;
  /** The request after this one; null: there is none. */
  next: string | null;
}

/** Drawn for what is about this request, and not whenever the list beside it changes. */
export const RequestPage = memo(function RequestPage({ runId, inputKey, back, next }: Props) {
  const { me } = useMe();
  const input = useInput(runId, inputKey);
  const draft = useDraft(runId, inputKey);
  const run = useRun(runId);
  const told = useClaim(runId, inputKey);
  const { comments } = useComments(runId, inputKey, me.principals);
  const { request: row, connection, error } = input;
  const before = useLooked(row === undefined ? undefined : nameIn(row), () => { if (row !== undefined) look(row, comments); });
  if (row === undefined) {
    if (connection === "failed" || connection === "ended" || (connection === "live" && error === undefined)) {
      const refused = error?.status === 403;
      return (
        <article className="detail">
          <BackLink to={back} />
          <Empty icon="alert" title={refused ? t.request.notAsked : t.trouble.missingRequest}><p>{refused ? (error.detail ?? "") : t.trouble.missingRequestMore}</p></Empty>
        </article>
      );
    }
    return <article className="detail"><BackLink to={back} /><Loading label={t.request.loading} rows={5} /></article>;
  }
  const may = mayAnswer(row, me);
  const claim = told.holder === "unknown" ? { ...told, ...claimOf(row, me.person) } : told;
  // Who may not answer now is shown what it is about, and no buttons.
  const actions = may !== "yes" || claim.holder === "another" || (claim.holder === "nobody" && claim.required) ? { actions: NONE } : {};
  return (
    <div className="detail">
      <BackLink to={back} />
      <AutoForm input={input} {...actions} {...(me.person === null ? {} : { me: me.person })} nameOf={nameOf} locale={language} words={t.autoForm} headingLevel={1}
        autosave={draft}
        outcome={(outcome) => <Outcome outcome={outcome} back={back} next={next} />}>
        {(parts) => (
          <>
            {parts.notice}
            <Head row={row} parts={parts} input={input} run={run.connection !== "failed"} />
            {before !== undefined && <Since key={before.until} row={row} comments={comments} before={before} />}
            <div className="columns" data-about={parts.description !== null || parts.shown !== null}>
              <div className="column about">
                {parts.description !== null && <div className="card">{parts.description}</div>}
                {parts.shown !== null && <div className="card">{parts.shown}</div>}
              </div>
              <div className="column decide">
                <div className="card decision">
                  {isOpen(row) && may === "yes" && <ClaimBar row={row} claim={claim} />}
                  {isOpen(row) && may === "notAsked" && <Notice tone="plain" title={t.request.notAsked}><p>{t.request.notAskedMore}</p></Notice>}
                  {isOpen(row) && may === "forbidden" && <Notice tone="plain" title={t.request.forbidden}><p>{t.request.forbiddenMore}</p></Notice>}
                  {parts.decision}
                </div>
              </div>
              <div className="column side">
                {row.quorum !== null && <Section title={t.request.sections.votes} icon="vote"><Votes row={row} me={me.person} /></Section>}
                <Section title={t.request.sections.comments} icon="comment">
                  <Comments runId={runId} inputKey={inputKey} open={isOpen(row)} since={before?.until ?? null} />
                </Section>
                {isOpen(row) && <Section title={t.request.sections.next} icon="bell"><Schedule row={row} /></Section>}
                <Section title={t.request.sections.history} icon="clock"><HistoryList row={row} me={me.person} /></Section>
                {isOpen(row) && <RequestVerbs row={row} />}
              </div>
            </div>
          </>
        )}
      </AutoForm>
    </div>
  );
});

const NONE: readonly string[] = [];

/** What the row says of its claim, until the view of it is there: nothing above the buttons may come late and move them. */
function claimOf(row: InputRow, me: string | null): Pick<UseClaim, "holder" | "by" | "until" | "required"> {
  const required = row.claim_required === true;
  if (row.claim === null) return { holder: "nobody", required };
  const { by, until } = row.claim;
  return { holder: by.id === (me ?? "local") ? "me" : "another", by, until, required };
}

function isOpen({ status }: InputRow): boolean {
  return status === "pending" || status === "validating";
}

function mayAnswer(row: InputRow, me: { readonly operator: boolean; readonly principals: readonly string[] }): "yes" | "notAsked" | "forbidden" {
  if (me.operator) return "yes";
  if (row.forbid.some((one) => me.principals.includes(one))) return "forbidden";
  return row.audience.some((one) => me.principals.includes(one)) ? "yes" : "notAsked";
}

function BackLink({ to }: { to: string }) {
  return <a className="back" href={to}><Icon name="back" />{t.request.back}</a>;
}

interface HeadProps {
  row: InputRow;
  parts: AutoFormParts;
  input: UseInput;
  /** The run may be looked at. */
  run: boolean;
}

function Head({ row, parts, input, run }: HeadProps) {
  const { me } = useMe();
  return (
    <header className="detail-head">
      <div className="detail-title">
        {parts.title}
        {input.connection !== "live" && isOpen(row) && <Connection state={input.connection} asOf={input.asOf} />}
      </div>
      {parts.facts}
      <p className="facts">
        <span>{words(row.workflow)}</span>
        <span title={row.audience.map((one) => nameOf(one, me.person)).join(", ")}><Icon name="people" /> {audienceOf(row.audience, me.person)}</span>
        <span>{t.request.asked} <Ago at={row.asked_at} /></span>
        {run && <a href={href(["runs", row.run_id])}>{t.request.run} <span className="mono">{row.run_id}</span></a>}
      </p>
    </header>
  );
}

interface OutcomeProps {
  outcome: AutoFormOutcome;
  back: string;
  next: string | null;
}

/** What became of the answer, and of the request; the status around it is AutoForm's. */
function Outcome({ outcome: { request, submission, open, over }, back, next }: OutcomeProps) {
  const { me } = useMe();
  const { reconnect } = useSignoff();
  const title = useRef<HTMLParagraphElement>(null);
  const said = t.request.outcome;
  const row = "row" in submission ? submission.row : request;
  const ended = open ? null : (endOf(row, me.person) ?? (submission.status === "accepted" ? said.accepted : null));
  useEffect(() => {
    const nowhere = document.activeElement === null || document.activeElement === document.body;
    if (over && nowhere) title.current?.focus({ preventScroll: true });
  }, [over]);
  if (ended !== null) {
    const intent = row.action === null ? "neutral" : (row.choices[row.action]?.intent ?? "neutral");
    return (
      <div className="decided" data-intent={intent}>
        <p className="decided-title" tabIndex={-1} ref={title}><Icon name={row.status === "answered" ? "check" : "clock"} />{ended}</p>
        {submission.status === "decided" && <p>{said.decided}</p>}
        {row.decided_at !== null && <p className="faint"><Ago at={row.decided_at} /></p>}
        {row.reason !== null && <p><Said>{row.reason}</Said></p>}
        {row.value !== undefined && <ValueView value={row.value} label={t.request.decide} />}
        <p className="buttons">
          {next !== null && <a className="button primary" href={next}>{t.request.decided.next}</a>}
          <a className="button" href={back}>{t.request.decided.inbox}</a>
        </p>
      </div>
    );
  }
  switch (submission.status) {
    case "waiting-for-network":
      return (
        <Notice tone="warn" title={said.waiting}>
          <p>{submission.problem.detail ?? submission.problem.title}</p>
          <button type="button" className="button" onClick={reconnect}>{t.connection.again}</button>
        </Notice>
      );
    case "validating":
      return <p className="outcome">{said.validating}</p>;
    case "voted":
      return <Notice tone="good" title={said.voted}><p>{t.request.youVoted}</p></Notice>;
    case "refused":
      return <Notice tone="bad" title={said.refused}><p>{whyNot(submission)}</p></Notice>;
    case "idle":
      return request.status === "validating" ? <p className="outcome">{t.inbox.checking}</p> : null;
    case "accepted":
    case "decided":
    case "invalid":
    case "sending":
    case "stale":
      return null;
  }
}
