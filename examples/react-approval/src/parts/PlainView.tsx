/** What a workflow shows that this page does not know: every member by its name, to be read, not as code. */

import { useState } from "react";
import { words } from "../model/format";
import { usePrinting } from "../model/printing";

/** Deeper than this it is JSON. */
const DEEPEST = 6;
/** More than this are shown when asked for. */
const MANY = 100;

/** Tell whether there is anything to show. */
export function isSomething(value: unknown): boolean {
  return value !== null && value !== undefined;
}

export function PlainView({ value }: { value: unknown }) {
  if (!isSomething(value)) return null;
  return (
    <section className="report plain-view" aria-label="What is shown">
      <Value value={value} depth={0} />
    </section>
  );
}

function Value({ value, depth }: { value: unknown; depth: number }) {
  if (value === null || value === undefined || value === "") return <span className="faint">–</span>;
  if (typeof value === "string") return <span className="plain-text" dir="auto">{value}</span>;
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value !== "object") return <span className="plain-number">{JSON.stringify(value)}</span>;
  if (depth >= DEEPEST) return <pre className="plain">{JSON.stringify(value, null, 2)}</pre>;
  if (Array.isArray(value)) {
    if (value.length === 0) return <span className="faint">None</span>;
    return <Items items={value} depth={depth} />;
  }
  const members = Object.entries(value);
  if (members.length === 0) return <span className="faint">Empty</span>;
  return <Members members={members} depth={depth} />;
}

function Members({ members, depth }: { members: [string, unknown][]; depth: number }) {
  const [some, more] = useSome(members);
  return (
    <>
      <dl className="members">
        {some.map(([name, member]) => (
          <div key={name} data-deep={isDeep(member)}>
            <dt dir="auto">{words(name) || "(no name)"}</dt>
            <dd>
              <Value value={member} depth={depth + 1} />
            </dd>
          </div>
        ))}
      </dl>
      {more}
    </>
  );
}

function Items({ items, depth }: { items: unknown[]; depth: number }) {
  const [some, more] = useSome(items);
  return (
    <>
      <ul className="plain-items" data-deep={some.some(isDeep)}>
        {some.map((item, index) => (
          <li key={index}>
            <Value value={item} depth={depth + 1} />
          </li>
        ))}
      </ul>
      {more}
    </>
  );
}

function isDeep(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** The first of many, and a button for the others; on paper there are all. */
function useSome<Each>(all: Each[]): [Each[], React.ReactNode] {
  const [asked, setAsked] = useState(false);
  const printing = usePrinting();
  if (asked || printing || all.length <= MANY) return [all, null];
  const more = (
    <button
      type="button"
      className="button quiet"
      onClick={() => {
        setAsked(true);
      }}
    >
      Show all {all.length}
    </button>
  );
  return [all.slice(0, MANY), more];
}
