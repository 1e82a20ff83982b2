/** What is being approved: the facts of a claim, what the checks found, and every item. */

import { type Finding, type LineItem, type Report, HOUSE_CURRENCY, asReport, findingsByItem } from "../model/claim";
import { day, dayRange, money, words } from "../model/format";
import { Badge, Said } from "./basics";
import { Guard } from "./Guard";
import { PlainView } from "./PlainView";

/** What a request shows: a claim the way claims look, anything else by its members. */
export function Shown({ value, before = value, of }: { value: unknown; before?: unknown; of: string }) {
  const report = asReport(value);
  if (!report) return <PlainView value={value} />;
  return (
    <Guard what="The claim" of={of} instead={<PlainView value={value} />}>
      <ReportView report={report} before={asReport(before) ?? report} />
    </Guard>
  );
}

/** Where the claim was other before it was amended, that is marked. */
export function ReportView({ report, before = report }: { report: Report; before?: Report }) {
  const { claim } = report;
  const old = before.claim;
  const findings = findingsByItem(report);
  return (
    <section className="report" aria-label="Claim">
      <dl className="facts">
        <Fact name="Claimed" wide>
          <strong className="amount">
            <Marked now={money(claim.total, claim.currency)} was={money(old.total, old.currency)} />
          </strong>
          {claim.currency !== HOUSE_CURRENCY && <span className="faint">about {money(report.amount, HOUSE_CURRENCY)}</span>}
        </Fact>
        <Fact name="Claimant">
          <Marked now={claim.claimant.name} was={old.claimant.name} />
          <span className="faint">{claim.claimant.department}</span>
        </Fact>
        <Fact name="Cost centre">
          <Marked now={claim.cost_centre} was={old.cost_centre} />
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
          <Marked now={claim.purpose} was={old.purpose} />
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
            <th scope="col" className="number">
              Amount
            </th>
          </tr>
        </thead>
        <tbody>
          {claim.items.map((item, index) => {
            const was = counterpart(old.items, claim.items, index);
            return (
            <tr key={index}>
              <td className="faint">{day(item.date)}</td>
              <td>
                <Marked now={item.description} was={was ? item.description : null} />
                <ItemDetails item={item} findings={findings.get(index) ?? []} />
              </td>
              <td className="number">
                <Marked now={money(item.amount, claim.currency)} was={money(was?.amount ?? item.amount, old.currency)} />
              </td>
            </tr>
            );
          })}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={2}>
              Claimed
            </th>
            <td className="number">{money(claim.total, claim.currency)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

/** What an item was before: items are known by their description, the second of one by being the second. */
function counterpart(before: readonly LineItem[], now: readonly LineItem[], index: number): LineItem | undefined {
  const same = ({ description }: LineItem) => description === now[index]?.description;
  return before.filter(same)[now.slice(0, index).filter(same).length];
}

/** A text, and what stood there before; null: nothing did. */
function Marked({ now, was }: { now: string; was: string | null }) {
  if (now === was) return <Said>{now}</Said>;
  return (
    <>
      {was !== null && was !== "" && (
        <del>
          <span className="visually-hidden">before: </span>
          <Said>{was}</Said>
        </del>
      )}{" "}
      <ins>
        <Said>{now}</Said>
      </ins>
    </>
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

/** What the checks found, of one kind in one line: each finding is said again at its item. */
function Findings({ report }: { report: Report }) {
  const { claim, findings } = report;
  if (findings.length === 0) return <p className="all-clear">The checks found nothing to point out.</p>;
  const kinds = new Map<string, Finding[]>();
  for (const finding of findings) kinds.set(finding.code, [...(kinds.get(finding.code) ?? []), finding]);
  return (
    <section className="findings" aria-label="Findings">
      <h2>
        Worth a look <span className="count">{findings.length}</span>
      </h2>
      <ul>
        {[...kinds].map(([code, some]) => (
          <li key={code}>
            <strong>{words(code)}</strong>
            {some.map(({ item, message }, index) => {
              const about = item === null ? undefined : claim.items[item]?.description;
              return (
                <span key={index}>
                  {about !== undefined && (
                    <>
                      <Said>{about}</Said>:{" "}
                    </>
                  )}
                  {message}
                </span>
              );
            })}
          </li>
        ))}
      </ul>
    </section>
  );
}

function ItemDetails({ item, findings }: { item: LineItem; findings: readonly Finding[] }) {
  const missing = findings.some(({ code }) => code === "missing_receipt");
  return (
    <span className="item-details">
      {words(item.category)}
      {item.receipt !== null && <span className="receipt">{item.receipt}</span>}
      {item.receipt === null && !missing && <span>No receipt needed</span>}
      {findings.map(({ code }) => (
        <Badge key={code} tone="warn">
          {words(code)}
        </Badge>
      ))}
    </span>
  );
}
