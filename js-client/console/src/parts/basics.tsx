/** The small parts that every page is made of. */
import type { ConnectionState } from "@signoff/client";
import { Component } from "react";
import type { ReactNode } from "react";
import { useNow } from "../model/clock";
import { instant, relative } from "../model/format";
import { t } from "../texts";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

/** Text by people, in whatever script it is written: it must not push its surroundings around. */
export function Said({ children }: { children: string }) {
  return <bdi dir="auto">{children}</bdi>;
}

/** A distance in time that keeps up with the clock; the full date is one hover away. */
export function Ago({ at, brief = false }: { at: string; brief?: boolean }) {
  const now = useNow(brief ? 10_000 : 1000);
  const then = Date.parse(at);
  // Clocks differ: what another machine has just written must not lie in the future.
  const seen = then > now && then - now < 5_000 ? then : now;
  return <time dateTime={at} title={instant(at)}>{relative(at, seen, brief ? "narrow" : "long")}</time>;
}

export type Tone = "plain" | "good" | "bad" | "warn" | "busy" | "accent";

export function Badge({ tone = "plain", children, title }: { tone?: Tone; children: ReactNode; title?: string }) {
  return <span className="badge" data-tone={tone} title={title}>{children}</span>;
}

export function Due({ at }: { at: string }) {
  const now = useNow(10_000);
  const left = Date.parse(at) - now;
  const tone: Tone = left < 0 ? "bad" : left < 86_400_000 ? "warn" : "plain";
  return (
    <Badge tone={tone} title={instant(at)}>
      <span className="visually-hidden">{left < 0 ? t.time.overdue : t.time.due} </span>
      <Icon name="clock" /> {relative(at, now, "narrow")}
    </Badge>
  );
}

interface NoticeProps {
  tone: Tone;
  title: string;
  /** `alert` interrupts a screen reader, `status` waits for a pause. */
  role?: "alert" | "status";
  children?: ReactNode;
}

/** Something the person should know. */
export function Notice({ tone, title, role, children }: NoticeProps) {
  const icons: Readonly<Partial<Record<Tone, IconName>>> = { good: "check", bad: "alert", warn: "alert" };
  return (
    <div className="notice" data-tone={tone} role={role}>
      <Icon name={icons[tone] ?? "info"} />
      <div>
        <p className="notice-title">{title}</p>
        {children}
      </div>
    </div>
  );
}

export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <span className="empty-icon"><Icon name={icon} /></span>
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** Grey bars where rows will be, for as long as the first ones are on their way. */
export function Loading({ label, rows = 4 }: { label: string; rows?: number }) {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">{label}</span>
      {Array.from({ length: rows }, (_, index) => <i key={index} />)}
    </div>
  );
}

/** Say whether what is on the screen is the present. */
/** @param asOf is when what is shown was last known to be complete, if it may be old */
export function Connection({ state, asOf }: { state: ConnectionState; asOf?: string | undefined }) {
  return (
    <span className="connection" data-state={state}>
      <i aria-hidden="true" />
      <span role="status" aria-label={t.connection.label}>{t.connection[state]}</span>
      {asOf !== undefined && <span>· {t.connection.asOf} <Ago at={asOf} brief /></span>}
    </span>
  );
}

export function Section({ title, icon, children, className = "" }: { title: string; icon?: IconName; children: ReactNode; className?: string }) {
  const id = `section-${title.replace(/\W+/g, "-").toLowerCase()}`;
  return (
    <section className={`card ${className}`} aria-labelledby={id}>
      <h2 id={id}>{icon !== undefined && <Icon name={icon} />}{title}</h2>
      {children}
    </section>
  );
}

interface GuardProps {
  /** What is guarded, at the beginning of a sentence. */
  what: string;
  /** Which one; another one is tried anew. */
  of: string;
  children: ReactNode;
}

/** Nothing blanks the page: a part that cannot be drawn says so, and leaves the others alone. */
export class Guard extends Component<GuardProps, { of: string; failure: string | null }> {
  override state = { of: this.props.of, failure: null as string | null };

  static getDerivedStateFromError(error: unknown) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  static getDerivedStateFromProps(props: GuardProps, state: { of: string; failure: string | null }) {
    return props.of === state.of ? null : { of: props.of, failure: null };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    return (
      <div className="pad">
        <Notice tone="bad" role="alert" title={t.trouble.crashed(this.props.what)}>
          <p>{t.trouble.crashedMore}</p>
          <p className="mono"><bdi>{failure}</bdi></p>
          <button type="button" className="button" onClick={() => { this.setState({ failure: null }); }}>{t.trouble.again}</button>
        </Notice>
      </div>
    );
  }
}
