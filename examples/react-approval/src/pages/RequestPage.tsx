/** One request: what is being approved, the form, what became of it, and the run it belongs to. */

import type { ConnectionState, InputRow, SignoffProblem } from "@signoff/client";
import { inputKey as keyOfInput } from "@signoff/client";
import { useInput, useRun } from "@signoff/client/react";
import { useEffect, useRef } from "react";
import { useArming } from "../model/arming";
import { useNow } from "../model/clock";
import { relative } from "../model/format";
import type { Person } from "../model/identity";
import { hrefOf } from "../model/route";
import { useTitle } from "../parts/useTitle";
import { Ago, Empty, Loading, Notice } from "../parts/basics";
import { ConnectionStatus } from "../parts/Connection";
import { Guard } from "../parts/Guard";
import { isSomething } from "../parts/PlainView";
import { Shown } from "../parts/ReportView";
import { Timeline } from "../parts/Timeline";
import { DecisionPanel } from "./DecisionPanel";
import { useReading } from "./useReading";

interface Props {
  runId: string;
  inputKey: string;
  me: Person;
  next: InputRow | undefined;
}

export function RequestPage({ runId, inputKey, me, next }: Props) {
  const { run, steps, inputs, connection, error } = useRun(runId);
  const input = useInput(runId, inputKey);
  const { shown, changes, showNewest } = useReading(input.request);
  const heading = useRef<HTMLHeadingElement>(null);
  useTitle(shown?.title);

  useEffect(() => {
    heading.current?.focus();
  }, [shown?.id, shown?.revision]);

  if (!shown) {
    return (
      <section className="pane detail-pane" aria-label="Request">
        <Back />
        <Missing connection={connection} error={error} />
      </section>
    );
  }
  return (
    <article className="pane detail-pane" aria-labelledby="request-title">
      <header className="detail-head">
        <Back />
        <h1 id="request-title" tabIndex={-1} ref={heading} dir="auto">
          {shown.title}
        </h1>
        <p className="faint">
          Asked <Ago at={shown.asked_at} />
          <Deadline request={shown} /> · <a href={hrefOf({ page: "run", runId })}>Run {runId}</a>
        </p>
        <ConnectionStatus connection={connection} error={error} />
      </header>
      <div className="detail-body">
        <div>
          {(shown.description !== null || isSomething(shown.show)) && (
            <div className="detail-main">
              {shown.description !== null && <p dir="auto">{shown.description}</p>}
              <Shown value={shown.show} of={`${shown.id}/${shown.revised}`} />
            </div>
          )}
          {shown.status === "pending" && (
            <button
              type="button"
              className="button jump"
              onClick={() => {
                document.getElementById("decision")?.scrollIntoView({ behavior: "smooth" });
              }}
            >
              Go to the decision
            </button>
          )}
        </div>
        <div className="detail-side">
          <Guard what="The form" of={shown.id}>
            <DecisionPanel
              me={me}
              shown={shown}
              input={input}
              changes={changes}
              onReview={() => {
                showNewest();
                input.acknowledge();
              }}
            />
          </Guard>
          {next && input.request?.status !== "pending" && <Next request={next} />}
          {run && (
            <Guard what="The timeline" of={runId}>
              <Timeline run={run} steps={steps} inputs={inputs} me={me} />
            </Guard>
          )}
        </div>
      </div>
    </article>
  );
}

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
