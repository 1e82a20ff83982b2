"use client";
/**
 * `AutoForm`: a request to decide, drawn from its row alone.
 *
 *     <AutoForm input={useInput(runId, key)} />
 *
 * It shows what is asked and about what, a field for each entry of the row's `form`, and a button for each action; it says
 * what became of the answer, and what changed while somebody was reading. Everything it says can be said otherwise
 * (`words`), everything it shows be shown otherwise (`show`, `outcome`, `widgets`, and `children` for the layout). How it
 * looks is in `@signoff/client/react/auto-form.css`, whose variables are yours to set; it brings no style of its own.
 */
import { useCallback, useId, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { ReactElement, ReactNode } from "react";
import type { InputRow } from "../../index.js";
import type { UseDraft } from "../use-draft.js";
import type { UseInput } from "../use-input.js";
import { Amended } from "./amended.js";
import { Decision } from "./decision.js";
import type { Deciding } from "./decision.js";
import type { Widgets } from "./fields.js";
import { beginAll, carryOver, groupsOf, kept } from "./groups.js";
import type { AutoFormDraft, Fillings } from "./groups.js";
import { FilesContext } from "./file-link.js";
import { Markdown } from "./markdown.js";
import { Outcome } from "./outcome.js";
import type { AutoFormOutcome } from "./outcome.js";
import { Saved, draftOf, useAutosave } from "./saved.js";
import { Shown } from "./shown.js";
import { changesOf } from "./values.js";
import type { Change } from "./values.js";
import { englishWords } from "./words.js";
import type { AutoFormWords } from "./words.js";

export interface AutoFormProps {
  /** What `useInput(runId, key)` gives. */
  readonly input: UseInput;
  /** Those of the request's actions that are offered here; unless given, all of them. */
  readonly actions?: readonly string[];
  /** Words other than the English ones. */
  readonly words?: Partial<AutoFormWords>;
  /** The language of dates; unless given, that of the browser. */
  readonly locale?: string;
  /** Who is signed in, as a principal (`user:alice`), so that they are called "you". */
  readonly me?: string;
  /** What to call a principal; unless given, its id without the kind. */
  readonly nameOf?: (principal: string) => string;
  /** Controls of your own, by a field's pointer, name, format or kind. */
  readonly widgets?: Widgets;
  /** Instead of the table: what the request shows; `before` is what it was before a revision, else the same. */
  readonly show?: (value: unknown, before: unknown, request: InputRow) => ReactNode;
  /** Instead of the notice: what became of the request. */
  readonly outcome?: (outcome: AutoFormOutcome) => ReactNode;
  /** Instead of the comparison member by member: what a revision changed, in words. */
  readonly describe?: (before: InputRow, after: InputRow) => readonly Change[];
  /** What `useDraft(runId, key)` gives: what is filled in is saved as it is typed, and comes up on the person's other devices. */
  readonly autosave?: UseDraft | undefined;
  /** Instead, what was filled in before, as `onDraft` gave it. It is read once, at the beginning. */
  readonly draft?: AutoFormDraft | undefined;
  /** Called as somebody fills in, with what to keep; undefined: nothing any more. */
  readonly onDraft?: (draft: AutoFormDraft | undefined) => void;
  /** Of the title; the parts below are one deeper. */
  readonly headingLevel?: 1 | 2 | 3 | 4;
  readonly className?: string;
  /** A layout of your own. */
  readonly children?: (parts: AutoFormParts) => ReactNode;
}

/** What `AutoForm` is put together from. */
export interface AutoFormParts {
  /** The request as the person reads it: the revision that was first shown, until they have looked at a newer one. */
  readonly request: InputRow;
  /** It changed while they were reading, and they have not looked yet. */
  readonly amended: boolean;
  readonly title: ReactElement;
  /** Until when, how many agree, who works on it. */
  readonly facts: ReactElement | null;
  readonly description: ReactElement | null;
  /** What it is about. */
  readonly shown: ReactElement | null;
  /** That it changed, and the way to look again; it lies above the page. Put it first. */
  readonly notice: ReactElement | null;
  /** Fields and buttons, and what became of the answer. */
  readonly decision: ReactElement;
}

/** A request, with its fields and its buttons. */
export function AutoForm(props: AutoFormProps): ReactElement {
  const { input, className, words: others } = props;
  const words = useMemo(() => ({ ...englishWords, ...others }), [others]);
  const { request } = input;
  const classes = className === undefined ? "signoff-form" : `signoff-form ${className}`;
  if (request === undefined) return <div className={classes}><Missing input={input} words={words} /></div>;
  return <Asked key={`${request.run_id}/${request.name}:${request.n}`} {...props} request={request} all={words} classes={classes} />;
}

function Missing({ input: { connection, error }, words }: { readonly input: UseInput; readonly words: AutoFormWords }): ReactElement {
  const gone = error?.status === 404 || ((connection === "live" || connection === "ended") && error === undefined);
  if (!gone && connection !== "failed") return <p className="signoff-loading" role="status">{words.loading}</p>;
  return (
    <div className="signoff-notice" data-tone="bad" role="alert">
      <p className="signoff-notice-title">{gone ? words.missing : words.failed}</p>
      {!gone && <p>{error?.detail ?? error?.title}</p>}
    </div>
  );
}

interface AskedProps extends AutoFormProps {
  readonly request: InputRow;
  readonly all: AutoFormWords;
  readonly classes: string;
}

const NO_WIDGETS: Widgets = {};

function Asked(props: AskedProps): ReactElement {
  const { input, request, all: words, classes, me, nameOf: nameBy, locale, headingLevel = 2, autosave } = props;
  const prefix = useId();
  const inBrowser = useInBrowser();
  const when = useCallback((time: string) => (inBrowser ? moment(time, locale) : inUtc(time)), [inBrowser, locale]);
  const nameOf = useCallback((id: string | null) => {
    if (id === null) return "?";
    return id === me ? words.you : (nameBy?.(id) ?? id.replace(/^[a-z]+:/, ""));
  }, [me, words, nameBy]);

  // What somebody reads stays as it is until they ask for the newer.
  const [{ read, before }, setReading] = useState<{ readonly read: InputRow; readonly before: InputRow | null }>({ read: request, before: null });
  const behind = request.status === "pending" && !isSameSight(request, read);
  const asksAgain = isAsked(request) && !isAsked(read);
  const shown = behind && !asksAgain ? read : request;
  const { submission } = input;
  const open = isAsked(shown) && submission.status !== "accepted" && submission.status !== "decided";
  const amended = open && (behind || submission.status === "stale");
  const was = before !== null && !isSameSight(before, shown) && open ? before : null;
  const describe = props.describe ?? ((one: InputRow, other: InputRow) => changesOf(one, other, words, when));

  const offered = useOffered(shown, props.actions);
  const groups = useMemo(() => groupsOf(shown, offered), [shown, offered]);
  const [fillings, setFillings] = useState<Fillings>(() => beginAll(shown, groups, draftOf(autosave?.value) ?? props.draft));
  if (asksAgain) {
    // They came when it was decided, and its run has gone back to before that: nobody has read anything else.
    setReading({ read: request, before: null });
    setFillings(beginAll(request, groups, draftOf(autosave?.value)));
  }
  const saveDraft = useAutosave(autosave, (value) => { setFillings(beginAll(shown, groups, value)); });
  const onDraft = (draft: AutoFormDraft | undefined): void => {
    saveDraft(draft);
    props.onDraft?.(draft);
  };
  const buttons = useRef<HTMLDivElement>(null);
  const top = useRef<HTMLHeadingElement>(null);
  const article = useRef<HTMLElement>(null);

  const fill = (next: Fillings): void => {
    setFillings(next);
    onDraft(kept(groups, next, words));
  };
  const review = (): void => {
    const next = groupsOf(request, props.actions ?? request.actions);
    const carried = carryOver(groups, fillings, request, next, words);
    setFillings(carried);
    // What is saved is for the newest that they have looked at.
    if (autosave?.value !== undefined) saveDraft(kept(next, carried, words));
    setReading({ read: request, before: read });
    input.acknowledge();
    (top.current ?? article.current)?.focus();
  };

  const deciding: Deciding = {
    input, request: shown, before: was, groups, fillings, open, amended, words, buttons, prefix, inBrowser,
    widgets: props.widgets ?? NO_WIDGETS, level: headingLevel + 1,
    onFill: fill,
    onStartOver: () => {
      setFillings(beginAll(shown, groups));
      onDraft(undefined);
    },
    onSent: () => { onDraft(undefined); },
  };
  const outcome = { request: shown, submission, amended, open, words, when, nameOf };
  const Heading = `h${headingLevel}` as const;
  const Below = `h${headingLevel + 1}` as "h3";
  const show = props.show ?? ((value: unknown, old: unknown) => <Shown value={value} before={old} words={words} />);
  const parts: AutoFormParts = {
    request: shown,
    amended,
    title: (
      <Heading className="signoff-title" tabIndex={-1} ref={top}>
        {was !== null && was.title !== shown.title && <del><span className="signoff-hidden">{words.was} </span><bdi>{was.title}</bdi> </del>}
        {was !== null && was.title !== shown.title ? <ins><bdi>{shown.title}</bdi></ins> : <bdi>{shown.title}</bdi>}
      </Heading>
    ),
    facts: <Facts request={shown} before={was} open={open} words={words} when={when} nameOf={nameOf} me={me} />,
    description: shown.description === null ? null : (
      <div className="signoff-description" data-changed={(was !== null && was.description !== shown.description) || undefined}>
        <Markdown text={shown.description} />
      </div>
    ),
    shown: shown.show === null || shown.show === undefined ? null : (
      <section className="signoff-about" aria-label={words.about}>
        <Below className="signoff-hidden">{words.about}</Below>
        {show(shown.show, was === null ? shown.show : was.show, shown)}
      </section>
    ),
    notice: amended ? <Amended words={words} revised={request.asked_at + request.revised} changes={describe(read, request)} buttons={buttons} level={headingLevel + 1} onReview={review} /> : null,
    decision: (
      <Decision {...deciding}>
        <Outcome outcome={outcome} instead={props.outcome} away={open && (input.connection === "reconnecting" || input.connection === "failed")} />
        {autosave !== undefined && open && <Saved draft={autosave} words={words} when={when} />}
      </Decision>
    ),
  };
  return (
    <FilesContext.Provider value={input.files}>
    <article className={classes} ref={article} tabIndex={-1} aria-label={shown.title} data-amended={amended || undefined}>
      {props.children?.(parts) ?? (
        <>
          {parts.notice}
          {parts.title}
          {parts.facts}
          {parts.description}
          {parts.shown}
          {parts.decision}
        </>
      )}
    </article>
    </FilesContext.Provider>
  );
}

/** True while a request can be answered, by somebody. */
function isAsked({ status }: InputRow): boolean {
  return status === "pending" || status === "validating";
}

/** The actions that are offered; an array written inline is the same array each time. */
function useOffered(request: InputRow, only: readonly string[] | undefined): readonly string[] {
  const offered = only === undefined ? request.actions : request.actions.filter((action) => only.includes(action));
  const [last, setLast] = useState(offered);
  const same = last.length === offered.length && last.every((action, index) => action === offered[index]);
  if (!same) setLast(offered);
  return same ? last : offered;
}

interface FactsProps {
  readonly request: InputRow;
  readonly before: InputRow | null;
  readonly open: boolean;
  readonly words: AutoFormWords;
  readonly when: (time: string) => string;
  readonly nameOf: (id: string | null) => string;
  readonly me: string | undefined;
}

/** When it is due, which page it is, how many agree, who works on it. */
function Facts({ request, before, open, words, when, nameOf, me }: FactsProps): ReactElement | null {
  const { deadline, wizard, quorum, votes, claim } = request;
  const facts: ReactNode[] = [];
  if (wizard !== null) facts.push(words.page(wizard.step, wizard.of));
  if (open && deadline !== null) {
    const moved = before !== null && before.deadline !== deadline;
    const time = <time dateTime={deadline}>{when(deadline)}</time>;
    facts.push(<>{words.answerBefore} {moved && before.deadline !== null && <del>{when(before.deadline)} </del>}{moved ? <ins>{time}</ins> : time}</>);
  }
  if (open && quorum !== null) facts.push(words.agreed(most(votes.map(({ action }) => action)), quorum.need));
  if (open && claim !== null && claim.by.id !== me) facts.push(words.claimed(nameOf(claim.by.id)));
  if (open && claim === null && request.claim_required === true) facts.push(words.claimFirst);
  if (facts.length === 0) return null;
  return <ul className="signoff-facts">{facts.map((fact, index) => <li key={index}>{fact}</li>)}</ul>;
}

function most(actions: readonly string[]): number {
  return Math.max(0, ...actions.map((one) => actions.filter((other) => other === one).length));
}

const never = (): (() => void) => () => undefined;

/** False on a server, and until its page is taken over: the two do not share a time zone. */
function useInBrowser(): boolean {
  return useSyncExternalStore(never, () => true, () => false);
}

/** Made once for each language: that takes longer than to format with it. */
const moments = new Map<string | undefined, Intl.DateTimeFormat>();

function moment(time: string, locale: string | undefined): string {
  const at = new Date(time);
  const format = moments.get(locale) ?? new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  moments.set(locale, format);
  return Number.isNaN(at.getTime()) ? time : format.format(at);
}

function inUtc(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;
}

/** True if both show the same request in the same state. */
function isSameSight(one: InputRow, other: InputRow): boolean {
  return one.asked_at === other.asked_at && one.revised === other.revised;
}
