/**
 * Markdown shown safely: a small part of CommonMark, made into elements and never into HTML.
 *
 * Paragraphs, headings, lists, tables, quotes, code, emphasis, what is struck out, and links to http, https and mailto. Images
 * are links, HTML is the text it is. Reading takes time in proportion to the text, whatever stands in it.
 */
import type { ReactElement, ReactNode } from "react";

/** Deeper than this quotes, lists and emphasis are text. */
const DEEPEST = 5;

export interface MarkdownProps {
  readonly text: string;
}

/** Show a text that is Markdown. */
export function Markdown({ text }: MarkdownProps): ReactElement {
  return <div className="signoff-markdown" dir="auto">{blocks(text.replaceAll("\r\n", "\n").split("\n"), 0)}</div>;
}

function blocks(lines: readonly string[], depth: number): ReactNode[] {
  const out: ReactNode[] = [];
  let at = 0;
  const take = (belongs: (line: string) => boolean): string[] => {
    const begin = at;
    while (at < lines.length && belongs(lines[at] ?? "")) at += 1;
    return lines.slice(begin, at);
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const key = at;
    const fence = /^ {0,3}(```+|~~~+)/.exec(line)?.[1];
    if (line.trim() === "") {
      at += 1;
    } else if (fence !== undefined) {
      at += 1;
      const code = take((one) => !one.trimStart().startsWith(fence));
      at += 1;
      out.push(<pre key={key} dir="ltr" tabIndex={0}><code>{code.join("\n")}</code></pre>);
    } else if (/^ {0,3}#{1,6} /.test(line)) {
      at += 1;
      out.push(<p key={key} className="signoff-heading">{inline(line.replace(/^ *#+ +/, "").replace(/ +#+ *$/, ""), depth)}</p>);
    } else if (/^ {0,3}([-*_])( *\1){2,} *$/.test(line)) {
      at += 1;
      out.push(<hr key={key} />);
    } else if (depth < DEEPEST && /^ {0,3}>/.test(line)) {
      const quoted = take((one) => /^ {0,3}>/.test(one)).map((one) => one.replace(/^ *> ?/, ""));
      out.push(<blockquote key={key}>{blocks(quoted, depth + 1)}</blockquote>);
    } else if (depth < DEEPEST && ITEM.test(line)) {
      const ordered = /^ *\d/.test(line);
      const indent = line.search(/\S/);
      const mark = ordered ? /^\d{1,9}[.)] / : /^[-*+] /;
      const isItem = (one: string): boolean => one.search(/\S/) === indent && mark.test(one.trimStart());
      const items: string[][] = [];
      for (const one of take((next) => isItem(next) || next.search(/\S/) > indent + 1)) {
        if (isItem(one)) items.push([one.trimStart().replace(mark, "")]);
        else items.at(-1)?.push(one.slice(indent + 2));
      }
      const children = items.map((item, index) => <li key={index}>{tight(blocks(item, depth + 1))}</li>);
      const start = ordered ? Number(/\d+/.exec(line)?.[0]) : undefined;
      out.push(ordered ? <ol key={key} start={start}>{children}</ol> : <ul key={key}>{children}</ul>);
    } else if (isTable(line, lines[at + 1] ?? "")) {
      at += 2;
      const rows = take((one) => one.includes("|")).map(cells);
      const sides = cells(lines[key + 1] ?? "").map((one) => (/^:-*:$/.test(one) ? "center" : one.endsWith(":") ? "end" : undefined));
      out.push(
        <table key={key}>
          <thead><tr>{cells(line).map((one, index) => <th key={index} scope="col" data-side={sides[index]}>{inline(one, depth)}</th>)}</tr></thead>
          <tbody>
            {rows.map((row, number) => <tr key={number}>{sides.map((side, index) => <td key={index} data-side={side}>{inline(row[index] ?? "", depth)}</td>)}</tr>)}
          </tbody>
        </table>,
      );
    } else {
      const begin = at;
      const some = take((one) => one.trim() !== "" && (at === begin || !STARTS.test(one)));
      out.push(<p key={key}>{inline(some.map((one) => one.trimStart()).join("\n"), depth)}</p>);
    }
  }
  return out;
}

const ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)]) /;
/** What ends a paragraph. */
const STARTS = /^ {0,3}(?:```|~~~|#{1,6} |>|[-*+] |\d{1,9}[.)] )/;

function isTable(head: string, rule: string): boolean {
  if (!head.includes("|") || !rule.includes("-") || !/^[\s|:-]+$/.test(rule)) return false;
  const marks = cells(rule);
  return marks.length === cells(head).length && marks.every((one) => /^:?-+:?$/.test(one));
}

function cells(line: string): readonly string[] {
  const inner = line.trim().replace(/^\|/, "").replace(/([^\\])\|$/, "$1");
  return inner.split(/(?<!\\)\|/).map((one) => one.trim());
}

/** An item of one paragraph is its text. */
function tight(parts: ReactNode[]): ReactNode {
  const [only] = parts;
  if (parts.length !== 1 || typeof only !== "object" || only === null || !("type" in only) || only.type !== "p") return parts;
  return (only.props as { readonly children: ReactNode }).children;
}

const LINK = /!?\[([^\]\n]{0,500})\]\( {0,3}<?([^)\s<>]{1,2000})>?(?: {1,3}"[^"\n]{0,200}")? {0,3}\)/y;
const BARE = /<?((?:https?:\/\/|mailto:)[^\s<>"'`*]{1,2000})>?/y;
const SAFE = /^(?:https?:\/\/|mailto:)/i;

function inline(text: string, depth: number): ReactNode[] {
  const out: ReactNode[] = [];
  const absent = new Set<string>();
  let plain = "";
  let at = 0;
  const put = (node: ReactNode, end: number): void => {
    if (plain !== "") out.push(plain);
    plain = "";
    out.push(node);
    at = end;
  };
  /** Where a mark comes next; once it does not come any more it is not looked for again. */
  const find = (mark: string, from: number): number => {
    const found = absent.has(mark) ? -1 : text.indexOf(mark, from);
    if (found < 0) absent.add(mark);
    return found;
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  while (at < text.length) {
    const here = text.charAt(at);
    const key = out.length;
    if (here === "\\" && /[!-/:-@[-`{-~]/.test(text.charAt(at + 1))) {
      plain += text.charAt(at + 1);
      at += 2;
      continue;
    }
    if (here === "\n") {
      const hard = / {2}$/.test(plain);
      if (hard) put(<br key={key} />, at + 1);
      else { plain += "\n"; at += 1; }
      continue;
    }
    if (here === "`") {
      const mark = /`+/y;
      mark.lastIndex = at;
      const [run = "`"] = mark.exec(text) ?? [];
      const end = find(run, at + run.length);
      if (end > 0) { put(<code key={key} dir="ltr">{text.slice(at + run.length, end).trim()}</code>, end + run.length); continue; }
      plain += run;
      at += run.length;
      continue;
    }
    if ((here === "*" || here === "_") && depth < DEEPEST && !(here === "_" && /\w/.test(text.charAt(at - 1)))) {
      const mark = text.charAt(at + 1) === here ? here + here : here;
      const begin = at + mark.length;
      const end = /\S/.test(text.charAt(begin)) ? find(mark, begin + 1) : -1;
      if (end > 0 && /\S/.test(text.charAt(end - 1)) && !(here === "_" && /\w/.test(text.charAt(end + mark.length)))) {
        const inner = inline(text.slice(begin, end), depth + 1);
        put(mark.length === 2 ? <strong key={key}>{inner}</strong> : <em key={key}>{inner}</em>, end + mark.length);
        continue;
      }
      plain += mark;
      at = begin;
      continue;
    }
    if (here === "~" && text.charAt(at + 1) === "~" && depth < DEEPEST) {
      const end = find("~~", at + 3);
      if (end > 0) { put(<del key={key}>{inline(text.slice(at + 2, end), depth + 1)}</del>, end + 2); continue; }
    }
    if (here === "[" || (here === "!" && text.charAt(at + 1) === "[")) {
      const found = match(LINK);
      const [whole = "", label = "", to = ""] = found ?? [];
      if (found !== null && SAFE.test(to)) { put(link(key, to, label === "" ? to : inline(label, DEEPEST)), at + whole.length); continue; }
    }
    if (here === "<" || ((here === "h" || here === "m") && !/\w/.test(text.charAt(at - 1)))) {
      const found = match(BARE);
      if (found !== null) {
        const [whole, address = ""] = found;
        const bare = whole.startsWith("<") ? address : address.replace(/[.,;:!?)\]]+$/, "");
        put(link(key, bare, bare), at + (whole.startsWith("<") ? whole.length : bare.length));
        continue;
      }
    }
    plain += here;
    at += 1;
  }
  if (plain !== "") out.push(plain);
  return out;
}

/** In a window of its own: what was typed here stays. */
function link(key: number, to: string, label: ReactNode): ReactElement {
  return <a key={key} href={to} target="_blank" rel="noopener noreferrer nofollow">{label}</a>;
}
