/** One run: how it ended, what it was about, and what happened in between. */

import type { InputRow, StepRow } from "@signoff/client";
import { inputKey } from "@signoff/client";
import { useRun } from "@signoff/client/react";
import { type Receipt, HOUSE_CURRENCY, asReceipt, asReport } from "../model/claim";
import { money, words } from "../model/format";
import { type Person, nameOf } from "../model/identity";
import { hrefOf } from "../model/route";
import { troubleOf } from "../model/trouble";
import { Ago, Empty, Loading, Notice, Said } from "../parts/basics";
import { ConnectionStatus } from "../parts/Connection";
import { PlainView, isSomething } from "../parts/PlainView";
import { Guard } from "../parts/Guard";
import { Shown } from "../parts/ReportView";
import { RunBadge } from "../parts/Status";
import { Timeline } from "../parts/Timeline";
import { useTitle } from "../parts/useTitle";

export function RunPage({ runId, me }: { runId: string; me: Person }) {
  const { run, steps, inputs, connection, error, asOf } = useRun(runId);
  const check = lastCheck(steps);
  const shown = asReport(inputs.at(-1)?.show) ?? asReport(check) ?? inputs.at(-1)?.show ?? check;
  const report = asReport(shown);
  useTitle(report?.claim.title ?? runId);

  if (!run) {
    return (
      <section className="pane detail-pane" aria-label="Run">
        <Back />
        {error?.status === 404 ? (
          <Empty title="There is no such run" />
        ) : connection === "failed" ? (
          <Notice tone="bad" role="alert" title="This run cannot be shown">
            <p>{error?.detail ?? error?.title}</p>
          </Notice>
        ) : (
          <Loading label="Fetching the run" />
        )}
      </section>
    );
  }
  const receipt = asReceipt(run.output);
  const trouble = troubleOf(run);
  return (
    <article className="pane detail-pane" aria-labelledby="run-title">
      <header className="detail-head">
        <Back />
        <h1 id="run-title" tabIndex={-1} dir="auto">
          {report?.claim.title ?? run.id}
        </h1>
        <p className="faint">
          <RunBadge run={run} /> {run.id}, begun <Ago at={run.created_at} />
        </p>
        <ConnectionStatus connection={connection} error={error} asOf={asOf} />
      </header>
      <div className="detail-body">
        <div>
          {isSomething(shown) && (
            <div className="detail-main">
              <Shown value={shown} of={runId} />
            </div>
          )}
        </div>
        <div className="detail-side">
          {receipt ? <ReceiptView receipt={receipt} me={me} /> : <Output value={run.output} />}
          {trouble && (
            <Notice tone={trouble.tone} title={trouble.title}>
              <p dir="auto">{trouble.text}</p>
            </Notice>
          )}
          <Waiting inputs={inputs} />
          <Guard what="The timeline" of={runId}>
            <Timeline run={run} steps={steps} inputs={inputs} me={me} />
          </Guard>
        </div>
      </div>
    </article>
  );
}

/** Nobody was asked about a small claim; its report is the result of the check. */
function lastCheck(steps: readonly StepRow[]): unknown {
  return steps.findLast(({ name, result }) => name === "check" && result !== undefined)?.result;
}

function Waiting({ inputs }: { inputs: readonly InputRow[] }) {
  return inputs
    .filter((input) => input.status === "pending")
    .map((input) => (
      <Notice key={input.id} tone="warn" title={`Waiting for ${input.audience.map((each) => each.replace(/^\w+:/, "")).join(", ")}`}>
        <a className="button" href={hrefOf({ page: "request", runId: input.run_id, key: inputKey(input) })}>
          Open the request
        </a>
      </Notice>
    ));
}

/** What a workflow that knows nothing of claims gives out. */
function Output({ value }: { value: unknown }) {
  if (!isSomething(value)) return null;
  return (
    <section className="receipt-card" aria-label="Output">
      <h2>Output</h2>
      <PlainView value={value} />
    </section>
  );
}

function ReceiptView({ receipt, me }: { receipt: Receipt; me: Person }) {
  const { outcome, currency, booking, comment } = receipt;
  return (
    <section className="receipt-card" aria-label="Receipt" data-outcome={outcome}>
      <h2>{words(outcome)}</h2>
      {booking && <p className="receipt-sum">{money(booking.paid, currency)}</p>}
      <dl>
        {booking && currency !== HOUSE_CURRENCY && (
          <Line name="Booked">
            {money(booking.booked, HOUSE_CURRENCY)} <span className="faint">at {booking.rate}</span>
          </Line>
        )}
        {booking && <Line name="Reference">{booking.reference}</Line>}
        <Line name="Decided by">{outcome === "expired" ? "Nobody in time" : deciderOf(receipt, me)}</Line>
        {comment && (
          <Line name="Comment">
            <Said>{comment}</Said>
          </Line>
        )}
        {booking && (
          <Line name="Memo">
            <Said>{booking.memo}</Said>
          </Line>
        )}
      </dl>
    </section>
  );
}

/** Small claims pass without a person. */
function deciderOf({ decided_by }: Receipt, me: Person): string {
  return decided_by === null ? "House rules" : nameOf(decided_by, me);
}

function Line({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Back() {
  return (
    <a className="back" href={hrefOf({ page: "runs" })}>
      <span aria-hidden="true">‹</span> All claims
    </a>
  );
}
