/**
 * The request changed under the person's eyes: what changed, and the way to look again.
 *
 * It lies above the page, at its top, and moves nothing; it takes the focus, and stands away from the buttons that answer,
 * now and after it is gone. It too does nothing in its first second.
 */
import { useEffect, useLayoutEffect, useRef } from "react";
import type { ReactElement, RefObject } from "react";
import { useArming, useDisturbing } from "../arming.js";
import type { Change } from "./values.js";
import type { AutoFormWords } from "./words.js";

/** More changes than these are counted. */
const MOST = 50;

export interface AmendedProps {
  readonly words: AutoFormWords;
  /** Names the request that stands now, and its revision. */
  readonly revised: string;
  readonly changes: readonly Change[];
  /** Where the buttons are that answer. */
  readonly buttons: RefObject<HTMLElement | null>;
  readonly level: number;
  readonly onReview: () => void;
}

export function Amended({ words, revised, changes, buttons, level, onReview }: AmendedProps): ReactElement {
  const title = useRef<HTMLHeadingElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const { armed, guard } = useArming(revised);
  useDisturbing("amended");
  const Heading = `h${level}` as "h3";

  // Only comes up in a browser: a server has nothing that could have changed.
  useLayoutEffect(() => {
    if (box.current !== null && buttons.current !== null) box.current.dataset["edge"] = edgeAwayFrom(buttons.current);
  }, [buttons, revised]);

  // What changed again is read again.
  useEffect(() => {
    title.current?.focus({ preventScroll: true });
  }, [revised]);

  return (
    <div className="signoff-amended" ref={box} role="alert">
      <Heading className="signoff-notice-title" tabIndex={-1} ref={title}>{words.changed}</Heading>
      {changes.length > 0 && (
        <ul className="signoff-changes" aria-label={words.whatChanged} tabIndex={0}>
          {changes.slice(0, MOST).map(({ what, before, after }, index) => (
            <li key={index}>
              <strong><bdi>{what}</bdi></strong>{" "}
              {before !== null && <del><bdi>{before}</bdi></del>}{" "}
              {after !== null && <ins><bdi>{after}</bdi></ins>}
            </li>
          ))}
          {changes.length > MOST && <li>{words.moreChanges(changes.length - MOST)}</li>}
        </ul>
      )}
      <button type="button" className="signoff-button" aria-disabled={!armed} {...guard(onReview)}>{words.review}</button>
    </div>
  );
}

/**
 * The top, unless the buttons are there, as it is scrolled now or at its beginning, where the page goes when the newest is
 * shown. The notice reaches over less than half of the window.
 */
function edgeAwayFrom(buttons: HTMLElement): "top" | "bottom" {
  const { top, bottom } = buttons.getBoundingClientRect();
  const scrolled = scrolledBy(buttons);
  const half = window.innerHeight * 0.48;
  const inUpper = (top < half && bottom > 0) || top + scrolled < half;
  const inLower = bottom > window.innerHeight - half || (bottom + scrolled > window.innerHeight - half && top + scrolled < window.innerHeight);
  return inUpper && !inLower ? "bottom" : "top";
}

/** How far the page and what scrolls in it are from their beginning. */
function scrolledBy(element: HTMLElement): number {
  let by = window.scrollY;
  for (let around = element.parentElement; around !== null && around !== document.documentElement; around = around.parentElement) by += around.scrollTop;
  return by;
}
