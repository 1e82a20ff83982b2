/** Fields drawn: one function for each kind, with what helps and what is wrong where it belongs. */
import { createContext, useContext } from "react";
import type { ComponentType, ReactElement, ReactNode } from "react";
import type { FormField, InputFiles } from "../../index.js";
import { beginField, below, defaultOf, isToBeDecided, mayBeBlank, step, valueOf } from "./draft.js";
import type { Draft, FieldOf, GroupDraft, UnionDraft } from "./draft.js";
import { Files, MOST_FILES } from "./files.js";
import { Rows } from "./rows.js";
import type { AutoFormWords } from "./words.js";

/** What a widget of your own gets: it draws the control, the form what stands around it. */
export interface WidgetProps {
  readonly field: FormField;
  readonly label: string;
  /** For the control: its label and what is wrong refer to it. */
  readonly id: string;
  readonly name: string;
  /** The ids of what helps and what is wrong, for `aria-describedby`. */
  readonly describedBy: string | undefined;
  readonly invalid: boolean;
  readonly disabled: boolean;
  /** The value as it stands; undefined is none. */
  readonly value: unknown;
  readonly onChange: (value: unknown) => void;
}

/** Widgets of your own by a field's pointer, name, format or kind, looked for in this order. */
export type Widgets = Readonly<Record<string, ComponentType<WidgetProps>>>;

export interface Shared {
  readonly words: AutoFormWords;
  /** Of the ids, which are unique in the page. */
  readonly prefix: string;
  /** What is wrong, by the path of the control. */
  readonly errors: ReadonlyMap<string, readonly string[]>;
  /** The pointers of fields that a revision changed. */
  readonly changed: ReadonlySet<string>;
  readonly disabled: boolean;
  readonly widgets: Widgets;
  /** Those of the request; undefined where the page gives no way to send any. */
  readonly files: InputFiles | undefined;
  /** In a browser, where there is a time zone; false on a server, and until its page is taken over. */
  readonly inBrowser: boolean;
}

export const FieldContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(FieldContext);
  if (shared === null) throw new Error("A field stands in a form.");
  return shared;
}

export interface FieldProps<Of = FormField> {
  readonly field: Of;
  readonly draft: Draft | undefined;
  /** Of the control in the form. */
  readonly path: string;
  /** Of the value. */
  readonly pointer: string;
  readonly onChange: (draft: Draft) => void;
  /** Instead of the field's own. */
  readonly label?: string;
}

/** One field, with its label, what helps, and what is wrong. */
export function Field(props: FieldProps): ReactElement | null {
  const { field } = props;
  const { widgets } = useShared();
  if (field.kind === "hidden") return null;
  const format = "format" in field ? (field.format ?? "") : "";
  const Widget = [field.pointer, field.name, format, field.kind].map((name) => (Object.hasOwn(widgets, name) ? widgets[name] : undefined)).find((one) => one !== undefined);
  if (Widget !== undefined) return <Line {...props}>{(by) => <Own {...props} by={by} Widget={Widget} />}</Line>;
  switch (field.kind) {
    case "fieldset":
    case "tuple":
      return <Frame {...props}><Group {...props} field={field} /></Frame>;
    case "union":
      return <Frame {...props}><Union {...props} field={field} /></Frame>;
    case "attachment":
      return <Frame {...props}><Files {...props} kind={field} most={1} /></Frame>;
    case "list":
      if (field.item.kind === "attachment") return <Frame {...props}><Files {...props} kind={field.item} most={field.max ?? MOST_FILES} /></Frame>;
      return <Frame {...props}><Rows {...props} field={field} /></Frame>;
    case "map":
      return <Frame {...props}><Rows {...props} field={field} /></Frame>;
    case "radios":
      return <Frame {...props} choice><Radios {...props} options={field.options.map(({ label }, index) => [String(index), label])} blank={mayBeBlank(field)} /></Frame>;
    case "checkbox":
      if (isToBeDecided(field)) return <Frame {...props} choice><Decision {...props} /></Frame>;
      return <Line {...props} after>{(by) => <Checkbox {...props} by={by} />}</Line>;
    default:
      return <Line {...props}>{(by) => <Control {...props} by={by} />}</Line>;
  }
}

interface By {
  readonly id: string;
  readonly name: string;
  readonly "aria-describedby": string | undefined;
  readonly "aria-invalid": true | undefined;
  readonly "aria-required": true | undefined;
  readonly disabled: boolean;
}

/** What is said of a field, and the attributes that bind it to what it is said of. */
function useSaid({ field, path, pointer }: FieldProps): { readonly by: By; readonly said: ReactNode; readonly mark: ReactNode; readonly changed: true | undefined } {
  const { prefix, errors, words, disabled, changed } = useShared();
  const id = `${prefix}${path}`;
  const faults = errors.get(path) ?? [];
  const help = [field.description, field.kind === "json" ? words.asJson : undefined].filter((one) => one !== undefined).join(" ");
  const ids = [help === "" ? "" : `${id}-h`, faults.length === 0 ? "" : `${id}-e`].filter((one) => one !== "");
  const isChanged = changed.has(pointer) && pointer !== "";
  const isBox = field.kind === "checkbox" && !isToBeDecided(field);
  return {
    by: {
      id,
      name: path,
      "aria-describedby": ids.length === 0 ? undefined : ids.join(" "),
      "aria-invalid": faults.length > 0 || undefined,
      "aria-required": (field.required && defaultOf(field) === undefined) || undefined,
      disabled,
    },
    said: (
      <>
        {help !== "" && <p className="signoff-help" id={`${id}-h`}><bdi>{help}</bdi></p>}
        {faults.length > 0 && <p className="signoff-error" id={`${id}-e`}><bdi>{faults.join(" ")}</bdi></p>}
      </>
    ),
    mark: (
      <>
        {!field.required && !isBox && <small> {words.blank}</small>}
        {isChanged && <mark> {words.changedHere}</mark>}
      </>
    ),
    changed: isChanged || undefined,
  };
}

/** A field of one control. */
function Line(props: FieldProps & { readonly after?: boolean; readonly children: (by: By) => ReactNode }): ReactElement {
  const { field, label = field.label, after = false, children } = props;
  const { by, said, mark, changed } = useSaid(props);
  const name = <label htmlFor={by.id}><bdi>{label}</bdi>{mark}</label>;
  return (
    <div className="signoff-field" data-kind={field.kind} data-changed={changed}>
      {after ? <>{children(by)}{name}</> : <>{name}{children(by)}</>}
      {said}
    </div>
  );
}

/** A field of several controls. */
function Frame(props: FieldProps & { readonly choice?: boolean; readonly children: ReactNode }): ReactElement {
  const { field, label = field.label, choice = false, children } = props;
  const { by, said, mark, changed } = useSaid(props);
  return (
    <fieldset
      className="signoff-group"
      id={by.id}
      data-kind={field.kind}
      data-changed={changed}
      role={choice ? "radiogroup" : undefined}
      aria-describedby={by["aria-describedby"]}
      aria-invalid={choice ? by["aria-invalid"] : undefined}
      aria-required={choice ? by["aria-required"] : undefined}
      data-invalid={by["aria-invalid"]}
    >
      <legend><bdi>{label}</bdi>{mark}</legend>
      {said}
      {children}
    </fieldset>
  );
}

function Own({ field, label = field.label, draft, by, onChange, Widget }: FieldProps & { readonly by: By; readonly Widget: ComponentType<WidgetProps> }): ReactElement {
  const { words } = useShared();
  return (
    <Widget
      field={field}
      label={label}
      id={by.id}
      name={by.name}
      describedBy={by["aria-describedby"]}
      invalid={by["aria-invalid"] ?? false}
      disabled={by.disabled}
      value={draft === undefined ? undefined : (valueOf(field, draft, words) ?? undefined)}
      onChange={(value) => { onChange(value === undefined && !field.required ? cleared(field) : beginField(field, value)); }}
    />
  );
}

/** The draft of a field that was emptied: no default comes back. */
function cleared(field: FormField): Draft {
  return beginField({ ...field, default: undefined } as FormField, undefined);
}

// -- single values ---------------------------------------------------------------------------------------------------------

function Control({ field, draft, by, onChange }: FieldProps & { readonly by: By }): ReactElement {
  const { words } = useShared();
  const text = typeof draft === "string" ? draft : "";
  const typed = (event: { readonly target: { readonly value: string } }): void => { onChange(event.target.value); };
  switch (field.kind) {
    case "select":
      return (
        <select {...by} value={text} onChange={typed}>
          {(mayBeBlank(field) || text === "" || defaultOf(field) === undefined) && <option value="">{mayBeBlank(field) ? words.nothing : ""}</option>}
          {field.options.map(({ label }, index) => <option key={index} value={index}>{label}</option>)}
        </select>
      );
    case "date":
    case "time":
    case "datetime":
      return <Time field={field} text={text} by={by} onChange={onChange} />;
    case "integer":
    case "number":
    case "decimal":
      return <input {...by} type="text" inputMode={field.kind === "integer" ? "numeric" : "decimal"} dir="ltr" autoComplete="off" value={text} onChange={typed} />;
    case "password":
      return <input {...by} type="password" autoComplete="off" value={text} onChange={typed} />;
    case "text": {
      const type = field.format === "email" ? "email" : field.format === "uri" ? "url" : "text";
      return <input {...by} type={type} dir={type === "text" ? "auto" : "ltr"} autoComplete="off" value={text} onChange={typed} />;
    }
    case "textarea":
      return <textarea {...by} rows={4} dir="auto" value={text} onChange={typed} />;
    default:
      return <textarea {...by} rows={4} dir="ltr" spellCheck={false} value={text} onChange={typed} />;
  }
}

const OFFSET = /(?:z|[-+]\d\d:?\d\d)$/i;

/** A moment is shown in the time zone of the browser, and sent in UTC; what is left as it is goes back as it came. */
function Time({ field, text, by, onChange }: { readonly field: FieldOf<"date">; readonly text: string; readonly by: By; readonly onChange: (draft: string) => void }): ReactElement {
  const { inBrowser } = useShared();
  const moment = field.kind === "datetime" && (field.zone === true || OFFSET.test(text));
  const bounds = moment ? {} : { min: field.min, max: field.max };
  return (
    <>
      <input
        {...by}
        {...bounds}
        type={field.kind === "datetime" ? "datetime-local" : field.kind}
        step={field.kind === "date" ? undefined : "any"}
        value={moment ? wall(text, inBrowser) : text}
        onChange={({ target }) => { onChange(moment && target.value !== "" ? utc(target.value) : target.value); }}
      />
      {moment && <small> {inBrowser ? Intl.DateTimeFormat().resolvedOptions().timeZone : "UTC"}</small>}
    </>
  );
}

/** A moment as the clock on the wall has it. */
function wall(text: string, inBrowser: boolean): string {
  const at = new Date(text);
  if (!OFFSET.test(text) || Number.isNaN(at.getTime())) return text;
  const shifted = inBrowser ? new Date(at.getTime() - at.getTimezoneOffset() * 60_000) : at;
  return shifted.toISOString().replace(/(?::00)?(?:\.000)?Z$/, "");
}

function utc(typed: string): string {
  const at = new Date(typed);
  return Number.isNaN(at.getTime()) ? typed : at.toISOString().replace(".000Z", "Z");
}

function Checkbox({ draft, by, onChange }: FieldProps & { readonly by: By }): ReactElement {
  return <input {...by} type="checkbox" value="1" checked={draft === true} onChange={({ target }) => { onChange(target.checked); }} />;
}

interface RadiosProps extends FieldProps {
  readonly options: readonly (readonly [string, string])[];
  readonly blank: boolean;
}

function Radios({ path, draft, options, blank, onChange }: RadiosProps): ReactElement {
  const { prefix, words, disabled } = useShared();
  const all = blank ? [...options, ["", words.leaveBlank] as const] : options;
  return (
    <>
      {all.map(([value, label]) => (
        <label key={value} className="signoff-option">
          <input
            type="radio"
            name={path}
            id={`${prefix}${path}-${value}`}
            value={value}
            checked={draft === value}
            disabled={disabled}
            onChange={() => { onChange(value); }}
          />
          <bdi>{label}</bdi>
        </label>
      ))}
    </>
  );
}

/** Yes or no, where nobody has proposed either. */
function Decision(props: FieldProps): ReactElement {
  const { words } = useShared();
  return <Radios {...props} options={[["1", words.yes], ["0", words.no]]} blank={false} />;
}

// -- groups ----------------------------------------------------------------------------------------------------------------

interface MembersProps {
  readonly fields: readonly FormField[];
  readonly drafts: readonly Draft[];
  readonly path: string;
  readonly pointer: string;
  readonly onChange: (drafts: readonly Draft[]) => void;
}

/** The fields of an object or a tuple. */
export function Members({ fields, drafts, path, pointer, onChange }: MembersProps): ReactElement {
  return (
    <>
      {fields.map((field, index) => (
        <Field
          key={field.name}
          field={field}
          draft={drafts[index]}
          path={field.pointer === "" ? path : step(path, field.name)}
          pointer={field.pointer === "" ? "" : below(pointer, field.name)}
          onChange={(draft) => { onChange(drafts.map((one, at) => (at === index ? draft : one))); }}
        />
      ))}
    </>
  );
}

function Group({ field, draft, path, pointer, onChange }: FieldProps<FieldOf<"fieldset"> | FieldOf<"tuple">>): ReactElement {
  const { prefix, words, disabled } = useShared();
  const { on, fields } = draft as GroupDraft;
  const members = <Members fields={field.fields} drafts={fields} path={path} pointer={pointer} onChange={(drafts) => { onChange({ on, fields: drafts }); }} />;
  if (!mayBeBlank(field)) return members;
  const id = `${prefix}${path}-on`;
  return (
    <>
      <div className="signoff-field" data-kind="checkbox">
        <input type="checkbox" id={id} name={`${path}?on`} value="1" checked={on} disabled={disabled} onChange={({ target }) => { onChange({ on: target.checked, fields }); }} />
        <label htmlFor={id}><bdi>{words.fillIn(field.label)}</bdi></label>
      </div>
      {on && <div className="signoff-inner">{members}</div>}
    </>
  );
}

function Union(props: FieldProps<FieldOf<"union">>): ReactElement {
  const { field, label = field.label, draft, path, pointer, onChange } = props;
  const { prefix, words, disabled } = useShared();
  const { by } = useSaid(props);
  const { variant, variants } = draft as UnionDraft;
  const chosen = field.variants[variant];
  const id = `${prefix}${path}-of`;
  return (
    <>
      <select
        id={id}
        name={path}
        aria-label={label}
        aria-describedby={[by["aria-describedby"], chosen?.description === undefined ? undefined : `${id}-h`].filter((one) => one !== undefined).join(" ") || undefined}
        aria-invalid={by["aria-invalid"]}
        aria-required={by["aria-required"]}
        value={variant < 0 ? "" : variant}
        disabled={disabled}
        onChange={({ target }) => { onChange({ variant: target.value === "" ? -1 : Number(target.value), variants }); }}
      >
        {(variant < 0 || mayBeBlank(field)) && <option value="">{mayBeBlank(field) ? words.nothing : ""}</option>}
        {field.variants.map((one, index) => <option key={index} value={index}>{one.label}</option>)}
      </select>
      {chosen !== undefined && (
        <div className="signoff-inner">
          {chosen.description !== undefined && <p className="signoff-help" id={`${id}-h`}><bdi>{chosen.description}</bdi></p>}
          <Members
            key={variant}
            fields={chosen.fields}
            drafts={variants[variant] ?? []}
            path={`${path}@${variant}`}
            pointer={pointer}
            onChange={(drafts) => { onChange({ variant, variants: variants.map((one, index) => (index === variant ? drafts : one)) }); }}
          />
        </div>
      )}
    </>
  );
}
