/**
 * Where a person decides: the fields, a button for each action, and what is wrong.
 *
 * Only buttons send; Enter does not. What all actions share is there from the beginning. Where one takes fields of its own,
 * or asks back before it is sent, choosing it opens what it takes, and a second button sends it.
 */
import { useEffect, useId, useMemo, useRef, useState } from "react";
import type { ReactElement, ReactNode, RefObject } from "react";
import type { AnswerError, InputRow, Submission } from "../../index.js";
import type { UseInput } from "../use-input.js";
import { useArming } from "../arming.js";
import type { Arming } from "../arming.js";
import { write } from "./draft.js";
import { FieldContext, Members } from "./fields.js";
import type { Shared, Widgets } from "./fields.js";
import { answerOf, changedFields, fillingOf, hasOwn, isFilledIn, placed } from "./groups.js";
import type { ActionGroup, Filling, Fillings } from "./groups.js";
import type { AutoFormWords } from "./words.js";

export interface Deciding {
  readonly input: UseInput;
  /** As the person reads it. */
  readonly request: InputRow;
  /** As they had read it before, if it was revised since. */
  readonly before: InputRow | null;
  readonly groups: readonly ActionGroup[];
  readonly fillings: Fillings;
  readonly open: boolean;
  readonly amended: boolean;
  readonly words: AutoFormWords;
  readonly buttons: RefObject<HTMLDivElement | null>;
  readonly prefix: string;
  readonly inBrowser: boolean;
  readonly widgets: Widgets;
  readonly level: number;
  readonly onFill: (fillings: Fillings) => void;
  readonly onStartOver: () => void;
  readonly onSent: () => void;
}

/** What cannot be sent as it was filled in. */
interface Unsendable {
  readonly action: string;
  readonly errors: readonly AnswerError[];
  /** The paths of controls in which something is begun and not finished. */
  readonly unfinished: readonly string[];
}

const NO_ERRORS: readonly AnswerError[] = [];

export function Decision(props: Deciding & { readonly children: ReactNode }): ReactElement {
  const { open, words, level, children } = props;
  const title = useId();
  const Heading = `h${level}` as "h3";
  return (
    <section className="signoff-decision" aria-labelledby={title}>
      <Heading className="signoff-hidden" id={title}>{words.decision}</Heading>
      {open && <Form {...props} />}
      {children}
    </section>
  );
}

function Form(props: Deciding): ReactElement {
  const { input, request, groups, fillings, amended, words, buttons, prefix, level, onFill, onStartOver, onSent } = props;
  const { submission } = input;
  const [chosen, setChosen] = useState<string | null>(null);
  const [unsendable, setUnsendable] = useState<Unsendable | null>(null);
  const sending = useRef(false);
  const form = useRef<HTMLFormElement>(null);
  const confirmId = useId();

  const common = groups.find((group) => isFilledIn(group) && (groups.length === 1 || group.actions.some((action) => !hasOwn(request, action))));
  const groupOf = (action: string): ActionGroup | undefined => groups.find(({ actions }) => actions.includes(action));
  const opens = (action: string): boolean => {
    const group = groupOf(action);
    return (group !== undefined && isFilledIn(group) && group !== common) || (request.choices[action]?.confirm ?? null) !== null;
  };
  // What an earlier page had sent and is refused now is opened where it can be mended.
  const refused = submission.status === "invalid" ? submission.action : null;
  const wanted = chosen ?? (refused !== null && groupOf(refused) !== common && opens(refused) ? refused : null);
  const active = wanted !== null && groupOf(wanted) !== undefined ? wanted : null;
  const own = active === null ? undefined : groupOf(active);
  const shownGroup = own !== undefined && isFilledIn(own) ? own : common;

  const busy = isGoing(submission);
  const checking = request.status === "validating" && !busy;
  const held = busy || amended || checking;
  const faults = useFaults(unsendable, props, shownGroup);
  const sight = [request.id, request.asked_at, request.revised, amended, submission.status, faults.at.size + faults.rest.length, active, checking].join(" ");
  const arming = useArming(sight, buttons);
  useFirstError(form, faults);
  useFocusOf(form, active);

  const send = async (action: string, asked: boolean): Promise<void> => {
    const group = groupOf(action);
    // A second click may come before the first has been rendered.
    if (sending.current || held || group === undefined) return;
    const own = isFilledIn(group) && group !== common;
    if (!asked && own) {
      setUnsendable(null);
      setChosen(action);
      return;
    }
    const { value, errors: wrong } = answerOf(request, action, groups, fillings, words);
    const unfinished = group === shownGroup && action !== "back" ? unfinishedIn(form.current) : [];
    setUnsendable(wrong.length + unfinished.length > 0 ? { action, errors: wrong, unfinished } : null);
    if (wrong.length + unfinished.length > 0) return;
    if (!asked && opens(action)) {
      setChosen(action);
      return;
    }
    sending.current = true;
    try {
      const settled = await input.answer({ action, value, seen: request });
      if (settled.status === "accepted" || settled.status === "voted") {
        setChosen(null);
        onSent();
      }
    } finally {
      sending.current = false;
    }
  };

  const fill = (group: ActionGroup, draft: Filling["draft"]): void => {
    if (unsendable !== null && group.actions.includes(unsendable.action)) setUnsendable(null);
    onFill({ ...fillings, [group.key]: { ...fillingOf(fillings, group), draft, touched: true } });
  };
  const touched = shownGroup !== undefined && fillings[shownGroup.key]?.touched === true;
  const startOver = (): void => {
    setUnsendable(null);
    onStartOver();
  };
  return (
    <form ref={form} className="signoff-fields" noValidate autoComplete="off" data-settling={arming.settling || undefined} onSubmit={(event) => { event.preventDefault(); }}>
      <Summary {...{ faults, words, form, prefix }} />
      {common !== undefined && shownGroup === common && <Fields {...props} group={common} faults={faults} disabled={busy} onDraft={(draft) => { fill(common, draft); }} />}
      {active === null ? (
        <div className="signoff-actions" ref={buttons}>
          {groups.length > 0 && inOrder(request, groups).map((action) => (
            <ActionButton
              key={action}
              {...{ request, action, submission, arming, words }}
              held={held}
              expands={groupOf(action) !== common && opens(action)}
              onPress={() => { void send(action, false); }}
            />
          ))}
        </div>
      ) : (
        <Chosen request={request} action={active} level={level}>
          {own !== undefined && shownGroup === own && own !== common && <Fields {...props} group={own} faults={faults} disabled={busy} onDraft={(draft) => { fill(own, draft); }} />}
          <Confirm request={request} action={active} id={confirmId} />
          <div className="signoff-actions" ref={buttons}>
            <ActionButton {...{ request, submission, arming, words }} action={active} held={held} expands={false} {...((request.choices[active]?.confirm ?? null) === null ? {} : { describedBy: confirmId })} onPress={() => { void send(active, true); }} />
            {!busy && (
              <button
                type="button"
                className="signoff-button"
                onClick={() => {
                  setChosen(null);
                  setUnsendable(null);
                  if (submission.status === "invalid") input.acknowledge();
                }}
              >
                {words.back}
              </button>
            )}
          </div>
        </Chosen>
      )}
      {touched && !busy && <button type="button" className="signoff-quiet" onClick={startOver}>{words.startOver}</button>}
    </form>
  );
}

/** The actions as the request has them, whatever their groups. */
function inOrder(request: InputRow, groups: readonly ActionGroup[]): readonly string[] {
  return request.actions.filter((action) => groups.some(({ actions }) => actions.includes(action)));
}

type Going = Extract<Submission, { attempt: number }>;

function isGoing(submission: Submission): submission is Going {
  return submission.status === "sending" || submission.status === "waiting-for-network" || submission.status === "validating";
}

interface ActionButtonProps {
  readonly request: InputRow;
  readonly action: string;
  readonly submission: Submission;
  readonly arming: Arming;
  readonly words: AutoFormWords;
  readonly held: boolean;
  /** It opens what the action takes. */
  readonly expands: boolean;
  readonly describedBy?: string;
  readonly onPress: () => void;
}

function ActionButton({ request, action, submission, arming, words, held, expands, describedBy, onPress }: ActionButtonProps): ReactElement {
  const { label = action, intent = "neutral" } = request.choices[action] ?? {};
  const going = isGoing(submission) && submission.action === action;
  return (
    <button
      type="button"
      className="signoff-button"
      data-intent={intent}
      data-action={action}
      aria-expanded={expands ? false : undefined}
      aria-describedby={describedBy}
      aria-disabled={held || !arming.armed}
      {...arming.guard(onPress)}
    >
      {going ? (submission.status === "waiting-for-network" ? words.waiting : words.sending) : label}
    </button>
  );
}

interface ChosenProps {
  readonly request: InputRow;
  readonly action: string;
}

/** The action that was chosen and is not sent yet, with what it takes. */
function Chosen({ request, action, level, children }: ChosenProps & { readonly level: number; readonly children: ReactNode }): ReactElement {
  const title = useId();
  const Heading = `h${level + 1}` as "h4";
  return (
    <section className="signoff-chosen" aria-labelledby={title}>
      <Heading id={title} className="signoff-chosen-title" tabIndex={-1}><bdi>{request.choices[action]?.label ?? action}</bdi></Heading>
      {children}
    </section>
  );
}

/** What is to be thought of before it is sent. */
function Confirm({ request, action, id }: ChosenProps & { readonly id: string }): ReactElement | null {
  const confirm = request.choices[action]?.confirm ?? null;
  return confirm === null ? null : <p className="signoff-confirm" id={id}><bdi>{confirm}</bdi></p>;
}

// -- fields ----------------------------------------------------------------------------------------------------------------

/** What is wrong, at the controls it is about. */
interface Faults {
  /** Where they are from; other ones are other faults. */
  readonly source: readonly AnswerError[];
  readonly group: ActionGroup | undefined;
  /** Of this page's own attempt, and not of another's: the focus goes there. */
  readonly own: boolean;
  readonly at: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
  /** What the controls are called. */
  readonly labels: ReadonlyMap<string, string>;
}

const NO_PLACES: ReadonlyMap<string, string> = new Map();
const NO_FAULTS: Faults = { source: NO_ERRORS, group: undefined, own: false, at: new Map(), rest: [], labels: NO_PLACES };

/** They stay at the rows they came up at, whatever is moved since. */
function useFaults(unsendable: Unsendable | null, { input: { submission }, request, fillings, words }: Deciding, group: ActionGroup | undefined): Faults {
  const isMine = (action: string): boolean => group?.actions.includes(action) ?? true;
  const mine = unsendable !== null && isMine(unsendable.action) ? unsendable : null;
  const refused = mine === null && submission.status === "invalid" && isMine(submission.action) ? submission.errors : null;
  // Another page's, or those of an answer before this page was opened.
  const others = submission.status === "idle" ? request.errors : NO_ERRORS;
  const source = mine?.errors ?? refused ?? others;
  const [faults, setFaults] = useState(NO_FAULTS);
  if (faults.source === source && faults.group === group) return faults;
  const written = group === undefined ? undefined : write(group.fields ?? [], fillingOf(fillings, group).draft, words);
  const { at, rest } = placed(source, written?.places ?? NO_PLACES);
  const marked = new Map([...at, ...(mine?.unfinished ?? []).map((path) => [path, [words.unfinished]] as const)]);
  const next = { source, group, own: mine !== null || refused !== null, at: marked, rest, labels: written?.labels ?? NO_PLACES };
  setFaults(next);
  return next;
}

/** What is wrong, in one place, with a way to each. */
function Summary({ faults, words, prefix, form }: { readonly faults: Faults; readonly words: AutoFormWords; readonly prefix: string; readonly form: RefObject<HTMLFormElement | null> }): ReactElement {
  const { at, rest, own, labels } = faults;
  const go = (path: string): void => { controlOf(form.current, `${prefix}${path}`)?.focus(); };
  return (
    <div className="signoff-summary" role="status">
      {at.size + rest.length > 0 && (
        <div className="signoff-notice" data-tone="bad" tabIndex={-1}>
          <p className="signoff-notice-title">{words.invalidTitle}</p>
          <p>{own ? words.invalidText : words.otherInvalidText}</p>
          <ul>
            {rest.map((text, index) => <li key={index}><bdi>{text}</bdi></li>)}
            {[...at].map(([path, texts]) => (
              <li key={path}>
                <button type="button" className="signoff-quiet" onClick={() => { go(path); }}><bdi>{labels.get(path) ?? words.invalidTitle}: {texts.join(" ")}</bdi></button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

/** The control with this id, or the first within it. */
function controlOf(form: HTMLFormElement | null, id: string): HTMLElement | undefined {
  const found = [...(form?.querySelectorAll<HTMLElement>("[id]") ?? [])].find((one) => one.id === id);
  return found?.matches(CONTROLS) === true ? found : (found?.querySelector<HTMLElement>(CONTROLS) ?? undefined);
}

const CONTROLS = "input, select, textarea, button";

interface FieldsProps extends Deciding {
  readonly group: ActionGroup;
  readonly faults: Faults;
  readonly disabled: boolean;
  readonly onDraft: (draft: Filling["draft"]) => void;
}

/** The fields of what the actions of a group take. */
function Fields({ group, faults, disabled, onDraft, input, fillings, request, before, words, prefix, widgets, inBrowser }: FieldsProps): ReactElement {
  const { draft, misfits } = fillingOf(fillings, group);
  const changed = useMemo(() => (before === null ? new Set<string>() : changedFields(before, request, group.key)), [before, request, group.key]);
  const shared = useMemo<Shared>(
    () => ({ words, prefix, errors: faults.at, changed, disabled, widgets, files: input.files, inBrowser }),
    [words, prefix, faults.at, changed, disabled, widgets, input.files, inBrowser],
  );
  return (
    <FieldContext.Provider value={shared}>
      {misfits.length > 0 && (
        <div className="signoff-notice" data-tone="plain">
          <p>{words.misfits}</p>
          <ul>{misfits.map(({ pointer, value }) => <li key={pointer}>{pointer !== "" && `${pointer.slice(1)}: `}<code>{JSON.stringify(value)}</code></li>)}</ul>
        </div>
      )}
      <Members fields={group.fields ?? []} drafts={draft.fields} path="v" pointer="" onChange={(fields) => { onDraft({ on: true, fields }); }} />
    </FieldContext.Provider>
  );
}

/** The paths of the controls in which something is begun: a date of which the day was typed alone, a file that is being sent. */
function unfinishedIn(form: HTMLFormElement | null): readonly string[] {
  return [...(form?.querySelectorAll("input") ?? [])].filter(({ validity, dataset }) => validity.badInput || dataset["sending"] !== undefined).map(({ name }) => name.replace("?f", ""));
}

/** The focus goes to the first field that is wrong, after an attempt of one's own. */
function useFirstError(form: RefObject<HTMLFormElement | null>, faults: Faults): void {
  useEffect(() => {
    if (!faults.own || faults.at.size + faults.rest.length === 0) return;
    const wrong = form.current?.querySelector<HTMLElement>(
      ":is(input, textarea, select)[aria-invalid=true], [data-invalid] :is(input, textarea, select, button)",
    );
    (wrong ?? form.current?.querySelector<HTMLElement>(".signoff-summary [tabindex]"))?.focus();
  }, [form, faults]);
}

/** The focus follows what was opened, and goes back to the button that opened it. */
function useFocusOf(form: RefObject<HTMLFormElement | null>, active: string | null): void {
  const last = useRef(active);
  useEffect(() => {
    const before = last.current;
    last.current = active;
    if (before === active) return;
    const buttons = [...(form.current?.querySelectorAll<HTMLElement>("[data-action]") ?? [])];
    const next = active === null ? buttons.find(({ dataset }) => dataset["action"] === before) : form.current?.querySelector<HTMLElement>(".signoff-chosen-title");
    next?.focus();
  }, [form, active]);
}
