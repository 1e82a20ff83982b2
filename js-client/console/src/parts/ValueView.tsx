/** Any JSON as people read it: members by name, equal objects as a table, the rest as a tree. */
import { useState } from "react";
import { isAttachment } from "@signoff/client";
import { FileLink, englishWords } from "@signoff/client/react";
import { count, words } from "../model/format";
import { t } from "../texts";

const DEEPEST = 6;
const MANY = 100;

export function ValueView({ value, label }: { value: unknown; label: string }) {
  if (value === null || value === undefined) return null;
  return <div className="value" role="group" aria-label={label}><Value value={value} depth={0} /></div>;
}

function Value({ value, depth }: { value: unknown; depth: number }) {
  if (value === null || value === undefined || value === "") return <span className="faint">–</span>;
  if (typeof value === "string") return <span className="value-text" dir="auto">{value}</span>;
  if (typeof value === "boolean") return <>{value ? t.value.yes : t.value.no}</>;
  if (typeof value === "number") return <span className="value-number">{Number.isSafeInteger(value) ? count(value) : String(value)}</span>;
  if (depth >= DEEPEST) return <pre>{JSON.stringify(value, null, 2)}</pre>;
  if (isAttachment(value)) return <FileLink file={value} words={{ ...englishWords, ...t.autoForm }} />;
  if (Array.isArray(value)) return value.length === 0 ? <span className="faint">{t.value.nothing}</span> : <Items items={value as unknown[]} depth={depth} />;
  const members = Object.entries(value);
  return members.length === 0 ? <span className="faint">{t.value.nothing}</span> : <Members members={members} depth={depth} />;
}

function Members({ members, depth }: { members: [string, unknown][]; depth: number }) {
  return (
    <dl className="members">
      {members.map(([name, value]) => (
        <div key={name} data-large={isLarge(value)}>
          <dt>{words(name)}</dt>
          <dd><Value value={value} depth={depth + 1} /></dd>
        </div>
      ))}
    </dl>
  );
}

function Items({ items, depth }: { items: readonly unknown[]; depth: number }) {
  const [most, setMost] = useState(MANY);
  const shown = items.slice(0, most);
  const columns = columnsOf(items);
  return (
    <>
      {columns === undefined ? (
        <ul className="items">{shown.map((item, index) => <li key={index}><Value value={item} depth={depth + 1} /></li>)}</ul>
      ) : (
        <div className="table-scroll" tabIndex={0} role="region" aria-label={columns.map(words).join(", ")}>
          <table>
            <thead><tr>{columns.map((name) => <th key={name} scope="col" data-number={isNumbers(items, name)}>{words(name)}</th>)}</tr></thead>
            <tbody>
              {shown.map((item, index) => (
                <tr key={index}>
                  {columns.map((name) => <td key={name} data-number={isNumbers(items, name)}><Value value={(item as Record<string, unknown>)[name]} depth={depth + 1} /></td>)}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {items.length > most && (
        <button type="button" className="button quiet" onClick={() => { setMost(most + MANY); }}>{t.value.more(items.length - most)}</button>
      )}
    </>
  );
}

/** The columns of a list of objects that are much alike and have nothing large in them. */
function columnsOf(items: readonly unknown[]): readonly string[] | undefined {
  if (items.length < 2 || !items.every(isObject) || items.some(isAttachment)) return undefined;
  const names = [...new Set(items.flatMap((item) => Object.keys(item)))];
  const flat = items.every((item) => Object.values(item).every((value) => typeof value !== "object" || value === null));
  return flat && names.length <= 8 && names.length > 0 ? names : undefined;
}

function isNumbers(items: readonly unknown[], name: string): boolean {
  return items.every((item) => {
    const value = (item as Record<string, unknown>)[name];
    return typeof value === "number" || (typeof value === "string" && /^-?\d+([.,]\d+)*$/.test(value)) || value === null || value === undefined;
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLarge(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || (typeof value === "string" && value.length > 60);
}
