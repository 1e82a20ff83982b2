/** The small parts that every page is made of. */

import { type ReactNode, useEffect, useRef } from "react";
import { useNow } from "../model/clock";
import { type Money, instant, relative } from "../model/format";

/** Text by people, in whatever script it is written: it must not push its surroundings around. */
export function Said({ children }: { children: string }) {
  return <bdi dir="auto">{children}</bdi>;
}

/** A distance in time that keeps up with the clock; the full date is one hover away. */
export function Ago({ at, brief = false }: { at: string; brief?: boolean }) {
  const now = useNow(brief ? 10_000 : 1000);
  // Clocks differ: what another machine has just written must not lie in the future.
  return (
    <time dateTime={at} title={instant(at)}>
      {relative(at, now === null ? null : Math.max(now, Date.parse(at)), brief ? "narrow" : "long")}
    </time>
  );
}

/** An amount in a list: the decimal signs stand below each other. */
export function Amount({ of }: { of: Money | null }) {
  return (
    <span className="row-amount">
      {of && (
        <>
          {of.whole}
          <span className="fraction">{of.fraction}</span>
          {of.after && <span className="after">{of.after}</span>}
        </>
      )}
    </span>
  );
}

type Tone = "plain" | "good" | "bad" | "warn" | "busy";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className="badge" data-tone={tone}>
      {children}
    </span>
  );
}

interface NoticeProps {
  tone: Tone;
  role?: "alert" | "status";
  title: string;
  /** Take the focus, for where the person was is gone; who is busy elsewhere is left alone. */
  focus?: boolean;
  children?: ReactNode;
}

/** Something the person should know. `alert` interrupts a screen reader, `status` waits for a pause. */
export function Notice(props: NoticeProps) {
  const title = useRef<HTMLHeadingElement>(null);
  const { focus = false } = props;
  useEffect(() => {
    const nowhere = document.activeElement === null || document.activeElement === document.body;
    if (focus && nowhere) title.current?.focus({ preventScroll: true });
  }, [focus]);
  return (
    <div className="notice" data-tone={props.tone} role={props.role}>
      <h3 className="notice-title" tabIndex={-1} ref={title}>
        {props.title}
      </h3>
      {props.children}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <svg viewBox="0 0 48 48" aria-hidden="true">
        <rect x="9" y="6" width="30" height="36" rx="4" />
        <path d="M16 25l6 6 11-13" />
      </svg>
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** Grey bars where rows will be, for as long as the first ones are on their way. */
export function Loading({ label }: { label: string }) {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">{label}</span>
      <i />
      <i />
      <i />
    </div>
  );
}
