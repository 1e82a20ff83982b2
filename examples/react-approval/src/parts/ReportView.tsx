/** What is being approved: the facts of a claim, what the checks found, and every item. */

import { type Finding, type Report, HOUSE_CURRENCY, findingsByItem } from "../model/claim";
import { day, dayRange, money, words } from "../model/format";
import { Badge, Said } from "./basics";

export function ReportView({ report }: { report: Report }) {
  const { claim } = report;
  const findings = findingsByItem(report);
  return (
    <section className="report" aria-label="Claim">
      <dl className="facts">
        <Fact name="Claimed" wide>
          <strong className="amount">{money(claim.total, claim.currency)}</strong>
          {claim.currency !== HOUSE_CURRENCY && <span className="faint">about {money(report.amount, HOUSE_CURRENCY)}</span>}
        </Fact>
        <Fact name="Claimant">
          <Said>{claim.claimant.name}</Said>
          <span className="faint">{claim.claimant.department}</span>
        </Fact>
        <Fact name="Cost centre">
          {claim.cost_centre}
          <span className="faint">
            {claim.id}, handed in {day(claim.submitted)}
          </span>
        </Fact>
        {claim.trip && (
          <Fact name="Trip">
            <Said>{claim.trip.destination}</Said>
            <span className="faint">{dayRange(claim.trip.start, claim.trip.end)}</span>
          </Fact>
        )}
      </dl>
      {claim.purpose && (
        <blockquote className="purpose" dir="auto">
          {claim.purpose}
        </blockquote>
      )}
      <Findings report={report} />
      <h2>
        Items <span className="count">{claim.items.length}</span>
      </h2>
      <table className="items">
        <thead>
          <tr>
            <th scope="col">Date</th>
            <th scope="col">Item</th>
            <th scope="col">Receipt</th>
            <th scope="col" className="number">
              Amount
            </th>
          </tr>
        </thead>
        <tbody>
          {claim.items.map((item, index) => (
            <tr key={index} data-flagged={findings.has(index)}>
              <td className="faint">{day(item.date)}</td>
              <td>
                <Said>{item.description}</Said>
                <span className="category">{words(item.category)}</span>
                <ItemFindings findings={findings.get(index)} />
              </td>
              <td>{item.receipt ? <span className="receipt">{item.receipt}</span> : <span className="faint">None</span>}</td>
              <td className="number">{money(item.amount, claim.currency)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={3}>
              Claimed
            </th>
            <td className="number">{money(claim.total, claim.currency)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

function Fact({ name, wide = false, children }: { name: string; wide?: boolean; children: React.ReactNode }) {
  return (
    <div data-wide={wide}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Findings({ report }: { report: Report }) {
  const { claim, findings } = report;
  if (findings.length === 0) return <p className="all-clear">The checks found nothing to point out.</p>;
  return (
    <section className="findings" aria-label="Findings">
      <h2>
        Worth a look <span className="count">{findings.length}</span>
      </h2>
      <ul>
        {findings.map((finding, index) => {
          const about = finding.item === null ? undefined : claim.items[finding.item]?.description;
          return (
            <li key={index}>
              <strong>{words(finding.code)}</strong> {about !== undefined && <Said>{about}</Said>}
              <span className="faint">{finding.message}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function ItemFindings({ findings }: { findings: readonly Finding[] | undefined }) {
  return findings?.map((finding) => (
    <Badge key={finding.code} tone="warn">
      {words(finding.code)}
    </Badge>
  ));
}

/** What a workflow shows that this page does not know: its members, as they are. */
export function PlainView({ value }: { value: unknown }) {
  if (value === null || value === undefined) return null;
  return (
    <section className="report" aria-label="Claim">
      <pre className="plain">{JSON.stringify(value, null, 2)}</pre>
    </section>
  );
}
