/**
 * The request changed under the person's eyes: what changed, and the way to look again.
 *
 * It lies above the page and moves nothing, takes the focus, and stands away from the buttons that answer, now and after
 * it is gone. It too does nothing in its first second.
 */

import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";
import { useArming, useDisturbing } from "../model/arming";
import type { Change } from "../model/changes";
import { Said } from "../parts/basics";

interface Props {
  /** The revision that stands now. */
  revised: string;
  changes: readonly Change[];
  /** Where the buttons are that answer. */
  away: RefObject<HTMLElement | null>;
  onReview: () => void;
}

export function Amended({ revised, changes, away, onReview }: Props) {
  const title = useRef<HTMLHeadingElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const { armed, guard } = useArming(revised);
  useDisturbing("amended");

  useLayoutEffect(() => {
    if (box.current && away.current) box.current.dataset.edge = edgeAwayFrom(away.current);
  }, [away, revised]);

  // What changed again is read again.
  useEffect(() => {
    title.current?.focus({ preventScroll: true });
  }, [revised]);

  return (
    <div className="amended" ref={box} data-tone="warn" role="alert">
      <h3 className="notice-title" tabIndex={-1} ref={title}>
        This request changed while you were reading
      </h3>
      {changes.length > 0 && (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached by keys
        <ul className="changes" aria-label="What changed" tabIndex={0}>
          {changes.map(({ what, before, after }) => (
            <li key={what}>
              <strong>
                <Said>{what}</Said>
              </strong>
              {before !== null && (
                <del>
                  <Said>{before}</Said>
                </del>
              )}
              {after !== null && (
                <ins>
                  <Said>{after}</Said>
                </ins>
              )}
            </li>
          ))}
        </ul>
      )}
      <button type="button" className="button" aria-disabled={!armed} {...guard(onReview)}>
        Review again
      </button>
    </div>
  );
}

/**
 * The edge of the window at which the buttons are not, neither as it is scrolled now nor at its beginning, where the page
 * goes when the newest is shown. The notice reaches over less than half of the window.
 */
function edgeAwayFrom(buttons: HTMLElement): "top" | "bottom" {
  const { top, bottom } = buttons.getBoundingClientRect();
  const scrolled = (buttons.closest(".pane")?.scrollTop ?? 0) + window.scrollY;
  const half = window.innerHeight * 0.48;
  const inUpper = top < half || top + scrolled < half;
  const inLower = bottom > window.innerHeight - half || (bottom + scrolled > window.innerHeight - half && top + scrolled < window.innerHeight);
  return inUpper && !inLower ? "bottom" : "top";
}
