/** One request: what is being approved, the form, what became of it, and the run it belongs to. */

import type { ConnectionState, InputRow, SignoffProblem } from "@signoff/client";
import { inputKey as keyOfInput } from "@signoff/client";
import { AutoForm, useArming, useDraft, useInput, useRun } from "@signoff/client/react";
import { useEffect } from "react";
import { requestChanges } from "../model/changes";
import { useNow } from "../model/clock";
import { relative } from "../model/format";
import { type Person, nameOf } from "../model/identity";
import { hrefOf } from "../model/route";
import { useTitle } from "../parts/useTitle";
import { Ago, Empty, Loading, Notice } from "../parts/basics";
import { ConnectionStatus } from "../parts/Connection";
import { Guard } from "../parts/Guard";
import { Shown } from "../parts/ReportView";
import { Timeline } from "../parts/Timeline";
import { Outcome } from "./Outcome";

interface Props {
  runId: string;
  inputKey: string;
  me: Person;
  next: InputRow | undefined;
}

export function RequestPage({ runId, inputKey, me, next }: Props) {
  const { run, steps, inputs, connection, error, asOf } = useRun(runId);
  const input = useInput(runId, inputKey);
  const { request } = input;
  const draft = useDraft(runId, inputKey);
  useTitle(request?.title);

  const id = request?.id;
  useEffect(() => {
    document.querySelector<HTMLElement>(".signoff-title")?.focus();
  }, [id]);

  if (!request) {
    return (
      <section className="pane detail-pane" aria-label="Request">
        <Back />
        <Missing connection={connection} error={error} />
      </section>
    );
  }
  return (
    <AutoForm
      className="pane detail-pane"
      input={input}
      me={`user:${me.id}`}
      nameOf={nameOf}
      words={WORDS}
      headingLevel={1}
      autosave={draft}
      describe={requestChanges}
      show={(value, before, { id, revised }) => <Shown value={value} before={before} of={`${id}/${revised}`} />}
      outcome={(outcome) => <Outcome me={me} outcome={outcome} />}
    >
      {({ request: shown, ...parts }) => (
        <>
          {parts.notice}
          <header className="detail-head">
            <Back />
            {parts.title}
            <p className="faint">
              Asked <Ago at={shown.asked_at} />
              <Deadline request={shown} /> · <a href={hrefOf({ page: "run", runId })}>Run {runId}</a>
            </p>
            <ConnectionStatus connection={connection} error={error} asOf={asOf} />
          </header>
          <div className="detail-body">
            <div>
              {shown.status === "pending" && (
                <button
                  type="button"
                  className="button jump"
                  onClick={() => {
                    document.querySelector(".signoff-decision")?.scrollIntoView({ behavior: "smooth" });
                  }}
                >
                  Go to the decision
                </button>
              )}
              {(parts.description ?? parts.shown) && (
                <div className="detail-main">
                  {parts.description}
                  {parts.shown}
                </div>
              )}
            </div>
            <div className="detail-side">
              {parts.decision}
              {next && request.status !== "pending" && <Next request={next} />}
              {run && (
                <Guard what="The timeline" of={runId}>
                  <Timeline run={run} steps={steps} inputs={inputs} me={me} />
                </Guard>
              )}
            </div>
          </div>
        </>
      )}
    </AutoForm>
  );
}

const WORDS = { decision: "Decision" };

/** It may appear where the button was that sent the answer. */
function Next({ request }: { request: InputRow }) {
  const { guard } = useArming("next");
  return (
    <a className="button" href={hrefOf({ page: "request", runId: request.run_id, key: keyOfInput(request) })} {...guard(() => undefined)}>
      Next request
    </a>
  );
}

function Back() {
  return (
    <a className="back" href={hrefOf({ page: "inbox" })}>
      <span aria-hidden="true">‹</span> All requests
    </a>
  );
}

function Deadline({ request }: { request: InputRow }) {
  const now = useNow(60_000);
  if (request.deadline === null || request.status !== "pending") return null;
  return <> · due {relative(request.deadline, now)}</>;
}

function Missing({ connection, error }: { connection: ConnectionState; error: SignoffProblem | undefined }) {
  if (error?.status === 404 || connection === "live" || connection === "ended") {
    return <Empty title="There is no such request" />;
  }
  if (connection !== "failed") return <Loading label="Fetching the request" />;
  return (
    <Notice tone="bad" role="alert" title="This request cannot be shown">
      <p>{error?.detail ?? error?.title}</p>
    </Notice>
  );
}
