/**
 * A list of any length in a scroller of its own: what is out of sight is not in the document.
 *
 * Rows are as high as `estimate` says (in rem, so that they grow with the text), or, where they are `measured`, as high as
 * they turn out to be.
 */
import { useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";

const BEYOND = 6;
const NONE: ReadonlyMap<string, number> = new Map();

interface Props<Item> {
  label: string;
  items: readonly Item[];
  keyOf: (item: Item) => string;
  estimate: number;
  measured?: boolean;
  /** The row to bring into sight, and to give the focus. */
  target?: { readonly index: number; readonly focus: boolean; readonly nonce: number } | undefined;
  /** The row that Tab comes to; the arrows go on from there, so that a long list is one step on the way through the page. */
  home?: number;
  /** There is nothing in it that could have the focus, and the keyboard has to scroll it. */
  focusable?: boolean;
  className?: string;
  children: (item: Item, index: number, tabIndex: 0 | -1) => ReactNode;
  /** What follows the rows. */
  after?: ReactNode;
}

export function VirtualList<Item>(props: Props<Item>) {
  const { label, items, keyOf, estimate, measured = false, target, home = 0, className = "", focusable = false, children, after } = props;
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [view, setView] = useState({ top: 0, height: 900 });
  const [heights, setHeights] = useState<ReadonlyMap<string, number>>(NONE);
  const unit = estimate * rem();

  const offsets = useMemo(() => {
    if (!measured) return undefined;
    const found = new Float64Array(items.length + 1);
    items.forEach((item, index) => { found[index + 1] = (found[index] ?? 0) + (heights.get(keyOf(item)) ?? unit); });
    return found;
  }, [items, measured, unit, heights, keyOf]);
  const offset = useCallback((index: number): number => offsets?.[index] ?? index * unit, [offsets, unit]);
  const total = offset(items.length);
  const first = Math.max(0, indexAt(view.top, items.length, offset) - BEYOND);
  const last = Math.min(items.length, indexAt(view.top + view.height, items.length, offset) + 1 + BEYOND);

  // Where the row itself is out of sight, one that is drawn stands in for it.
  const reached = Math.max(first, Math.min(last - 1, home));

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const read = (): void => {
      const top = Math.max(0, element.scrollTop - (list.current?.offsetTop ?? 0));
      setView((before) => (before.top === top && before.height === element.clientHeight ? before : { top, height: element.clientHeight }));
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    element.addEventListener("scroll", read, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", read);
    };
  }, []);

  // Rows say themselves how high they have become, also when something in them is opened.
  useLayoutEffect(() => {
    const { current } = list;
    if (!measured || current === null) return;
    const observer = new ResizeObserver((entries) => {
      const found = entries.flatMap(({ target: row }) => {
        const { key } = (row as HTMLElement).dataset;
        const height = row.getBoundingClientRect().height;
        return key === undefined || height === 0 ? [] : [[key, height] as const];
      });
      setHeights((before) => {
        const changed = found.filter(([key, height]) => Math.abs((before.get(key) ?? 0) - height) >= 0.5);
        return changed.length === 0 ? before : new Map([...before, ...changed]);
      });
    });
    for (const row of current.children) observer.observe(row);
    return () => { observer.disconnect(); };
  }, [measured, first, last, items]);

  // At once, so that a key pressed next finds the focus there; a row that comes into sight by this, as soon as it is drawn.
  useLayoutEffect(() => {
    const element = box.current;
    if (target === undefined || element === null) return;
    const start = offset(target.index) + (list.current?.offsetTop ?? 0);
    const end = offset(target.index + 1) + (list.current?.offsetTop ?? 0);
    if (start < element.scrollTop) element.scrollTo({ top: start });
    else if (end > element.scrollTop + element.clientHeight) element.scrollTo({ top: end - element.clientHeight });
    if (!target.focus) return;
    const find = (): HTMLElement | null => list.current?.querySelector<HTMLElement>(`[data-index="${target.index}"] a`) ?? null;
    const here = find();
    if (here !== null) {
      here.focus({ preventScroll: true });
      return;
    }
    const frame = requestAnimationFrame(() => { find()?.focus({ preventScroll: true }); });
    return () => { cancelAnimationFrame(frame); };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each wish, not for each new row
  }, [target?.nonce]);

  return (
    <div ref={box} className={`scroller ${className}`} {...(focusable ? { tabIndex: 0, role: "region", "aria-label": label } : { tabIndex: -1 })}>
      <ul ref={list} className="virtual" aria-label={label} style={{ height: `${total}px` }}>
        {items.slice(first, last).map((item, position) => {
          const index = first + position;
          const style = measured ? { top: `${offset(index)}px` } : { top: `${offset(index)}px`, height: `${unit}px` };
          return (
            <li key={keyOf(item)} data-key={keyOf(item)} data-index={index} style={style} aria-setsize={items.length} aria-posinset={index + 1}>
              {children(item, index, index === reached ? 0 : -1)}
            </li>
          );
        })}
      </ul>
      {after}
    </div>
  );
}

/** The row at a distance from the top. */
function indexAt(distance: number, count: number, offset: (index: number) => number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offset(middle + 1) <= distance) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rem(): number {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}
