/** Any JSON as something to read: members as rows, items as a list or a table, and what is other than before marked. */
import { useState } from "react";
import type { ReactElement, ReactNode } from "react";
import { isAttachment } from "../../index.js";
import { FileLink } from "./file-link.js";
import { NONE, members, paired, parts, readable, same, sentence } from "./values.js";
import type { AutoFormWords } from "./words.js";

/** Deeper than this it is JSON. */
const DEEPEST = 6;
/** More rows than this are shown when asked for. */
const MANY = 100;
const COLUMNS = 8;

export interface ShownProps {
  readonly value: unknown;
  /** What was shown before: where it was other, that is marked. */
  readonly before?: unknown;
  readonly words: AutoFormWords;
}

/** Show a value. */
export function Shown({ value, before = value, words }: ShownProps): ReactElement {
  return <div className="signoff-shown"><Value value={value} before={before} words={words} depth={0} /></div>;
}

interface ValueProps {
  readonly value: unknown;
  readonly before: unknown;
  readonly words: AutoFormWords;
  readonly depth: number;
}

function Value({ value, before, words, depth }: ValueProps): ReactNode {
  const [now, old] = [parts(value), parts(before)];
  if (isAttachment(value) && same(value, before)) return <FileLink file={value} words={words} />;
  const bothLists = Array.isArray(value) && Array.isArray(before);
  if (!same(value, before) && (now === null || old === null || Array.isArray(value) !== Array.isArray(before))) {
    return (
      <>
        {before !== NONE && <del><span className="signoff-hidden">{words.was} </span>{plain(before, words, depth)}</del>}
        {value !== NONE && <ins>{plain(value, words, depth)}</ins>}
      </>
    );
  }
  if (now === null || old === null || depth >= DEEPEST) return plain(value, words, depth);
  if (bothLists) return <Items rows={paired(before, value)} words={words} depth={depth} />;
  const rows = members(old, now);
  if (rows.length === 0) return <span className="signoff-faint">{words.nothing}</span>;
  return (
    <table className="signoff-members">
      <tbody>
        <Some rows={rows} words={words} columns={2}>
          {([name, one, other]) => {
            const inner = <Value value={other} before={one} words={words} depth={depth + 1} />;
            return (
              <tr key={name} data-changed={!same(one, other) || undefined}>
                {isDeep(other) || isDeep(one) ? (
                  // What is a table itself takes the whole width, which a phone has little of.
                  <td colSpan={2} className="signoff-deep"><strong><bdi>{readable(name)}</bdi></strong>{inner}</td>
                ) : (
                  <>
                    <th scope="row"><bdi>{readable(name)}</bdi></th>
                    <td>{inner}</td>
                  </>
                )}
              </tr>
            );
          }}
        </Some>
      </tbody>
    </table>
  );
}

function isDeep(value: unknown): boolean {
  const of = parts(value);
  return of !== null && !isAttachment(value) && Object.keys(of).length > 0;
}

/** A value without marks. */
function plain(value: unknown, words: AutoFormWords, depth: number): ReactNode {
  if (isAttachment(value)) return <FileLink file={value} words={words} />;
  if (parts(value) === null) {
    if (typeof value === "string" && value !== "") return <span className="signoff-text" dir="auto">{value}</span>;
    return <span className={typeof value === "number" ? "signoff-number" : undefined}>{sentence(value, words)}</span>;
  }
  if (depth >= DEEPEST) return <pre dir="ltr" tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>;
  return <Value value={value} before={value} words={words} depth={depth} />;
}

type Pair = readonly [number, unknown, unknown];

function Items({ rows, words, depth }: { readonly rows: readonly Pair[]; readonly words: AutoFormWords; readonly depth: number }): ReactElement {
  if (rows.length === 0) return <span className="signoff-faint">{words.nothing}</span>;
  const columns = columnsOf(rows);
  if (columns === null) {
    return (
      <ul>
        <Some rows={rows} words={words}>
          {([number, one, other], index) => (
            <li key={index} data-changed={!same(one, other) || undefined} value={number}><Value value={other} before={one} words={words} depth={depth + 1} /></li>
          )}
        </Some>
      </ul>
    );
  }
  return (
    <div className="signoff-scroll" role="group" aria-label={words.about} tabIndex={0}>
      <table className="signoff-rows">
        <thead>
          <tr>{columns.map(({ name, numbers }) => <th key={name} scope="col" className={numbers ? "signoff-number" : undefined}><bdi>{readable(name)}</bdi></th>)}</tr>
        </thead>
        <tbody>
          <Some rows={rows} words={words} columns={columns.length}>
            {([, one, other], index) => (
              <tr key={index} data-changed={!same(one, other) || undefined}>
                {columns.map(({ name, numbers }) => (
                  <td key={name} className={numbers ? "signoff-number" : undefined}>
                    <Value value={cell(other, name)} before={cell(one, name)} words={words} depth={depth + 1} />
                  </td>
                ))}
              </tr>
            )}
          </Some>
        </tbody>
      </table>
    </div>
  );
}

function cell(row: unknown, name: string): unknown {
  const of = parts(row);
  return of === null ? NONE : Object.hasOwn(of, name) ? of[name] : null;
}

const NUMBER = /^[-+]?\d[\d., ]*(?:\s?[A-Z]{3})?$/;

/** The columns of rows that are objects of single values; null where they are not. */
function columnsOf(rows: readonly Pair[]): readonly { readonly name: string; readonly numbers: boolean }[] | null {
  const names = new Set<string>();
  const all = rows.flatMap(([, one, other]) => [one, other]).filter((row) => row !== NONE);
  for (const row of all) {
    const of = parts(row);
    if (of === null || Array.isArray(row) || isAttachment(row)) return null;
    for (const [name, value] of Object.entries(of)) {
      if (parts(value) !== null) return null;
      names.add(name);
    }
  }
  if (names.size === 0 || names.size > COLUMNS) return null;
  return [...names].map((name) => {
    const values = all.map((row) => cell(row, name)).filter((value) => value !== null && value !== "");
    return { name, numbers: values.length > 0 && values.every((value) => typeof value === "number" || (typeof value === "string" && NUMBER.test(value))) };
  });
}

interface SomeProps<Row> {
  readonly rows: readonly Row[];
  readonly words: AutoFormWords;
  /** Of a table that it stands in. */
  readonly columns?: number;
  readonly children: (row: Row, index: number) => ReactNode;
}

/** The first of many, and a button for the others. */
function Some<Row>({ rows, words, columns, children }: SomeProps<Row>): ReactNode {
  const [all, setAll] = useState(false);
  if (all || rows.length <= MANY) return rows.map(children);
  const more = <button type="button" className="signoff-button" onClick={() => { setAll(true); }}>{words.showAll(rows.length)}</button>;
  return (
    <>
      {rows.slice(0, MANY).map(children)}
      {columns === undefined ? <li>{more}</li> : <tr><td colSpan={columns}>{more}</td></tr>}
    </>
  );
}
