/** Any part of an answer, as fields: groups, lists, maps and unions are made of other parts. */

import { useMemo, useRef } from "react";
import { words } from "../model/format";
import { chosenBranch, conditioned, isOptional, isThere, pairsOf } from "./answer";
import { type Draft, beginPart, below } from "./begin";
import { useForm } from "./context";
import { Choice, type ControlProps, ChoiceField, JsonField, NumberField, TextField, YesNoField } from "./controls";
import { Grouped, Labelled } from "./frames";
import { type Part, type Schema, type Wanted, isObject, own, wantedBy } from "./schema";

export interface FieldProps {
  schema: Schema;
  draft: Draft;
  onChange: (draft: Draft) => void;
  pointer: string;
  required: boolean;
  /** The name where the schema has no title. */
  name: string;
  /** Use this name in spite of a title. */
  named?: boolean;
  hints: Schema;
  fixed?: Schema;
}

export function Field(props: FieldProps) {
  const { schema, draft, onChange, pointer, required, hints, fixed = {} } = props;
  const { root } = useForm();
  const wanted = useMemo(() => wantedBy(schema, root), [schema, root]);
  const { part } = wanted;
  const label = labelOf(props, wanted);
  const needed = required && !wanted.nullable;
  const optional = isOptional(wanted, required);
  const control: ControlProps = { label, help: helpOf(hints, wanted), required: needed, pointer, draft, onChange, hints, none: optional };
  const absent = !isThere(draft) && optional;
  switch (part.kind) {
    case "text":
      return <TextField {...control} format={part.format} />;
    case "number":
      return <NumberField {...control} integer={part.integer} />;
    case "boolean":
      return <YesNoField {...control} proposed={wanted.default} />;
    case "choice":
      return <ChoiceField {...control} options={part.options} />;
    case "null":
      return pointer === "" ? <p className="field-help">There is nothing to fill in.</p> : null;
    case "json":
      return <JsonField {...control} why={part.why} schema={schema} />;
    case "union":
      return <Union {...control} part={part} />;
    case "list":
      return <Items {...control} part={part} />;
    case "map":
      return <Pairs {...control} part={part} />;
    case "tuple":
      return (
        <Optional {...control} absent={absent} optional={optional} begin={() => []}>
          <Tuple {...control} part={part} />
        </Optional>
      );
    case "group":
      return (
        <Optional {...control} absent={absent} optional={optional} begin={() => beginPart(withoutNull(schema, root), root)}>
          <Group {...control} schema={schema} fixed={fixed} />
        </Optional>
      );
  }
}

function labelOf({ schema, hints, name, named, pointer }: FieldProps, { title }: Wanted): string {
  const hinted = hints["ui:title"];
  if (typeof hinted === "string" && hinted !== "") return hinted;
  if (named) return name;
  if (pointer === "") return title ?? name;
  // What a reference points to has the name of a kind, and two members may be of one kind.
  return typeof schema.title === "string" && schema.title !== "" ? schema.title : words(name) || "(no name)";
}

/** The description of the whole answer speaks to programmers; what people should know is in the request itself. */
function helpOf(hints: Schema, { help, part }: Wanted): string | null {
  const hinted = hints["ui:help"] ?? hints["ui:description"];
  if (typeof hinted === "string") return hinted;
  return part.kind === "group" ? null : help;
}

/** The group itself, where a schema says that it may be null. */
function withoutNull(schema: Schema, root: Schema): Schema {
  const alternatives = schema.anyOf ?? schema.oneOf;
  const found = Array.isArray(alternatives) ? (alternatives as unknown[]).find((each) => wantedBy(each, root).part.kind === "group") : undefined;
  return isObject(found) ? found : schema;
}

function hintsFor(hints: Schema, name: string): Schema {
  const found = own(hints, name);
  return isObject(found) ? found : {};
}

/** A part that may be left out: a box says whether it is there. */
function Optional({ absent, optional, begin, children, ...props }: ControlProps & OptionalProps) {
  const { disabled } = useForm();
  if (!optional) return children;
  return (
    <div className="optional-part">
      <label className="check">
        <input
          type="checkbox"
          checked={!absent}
          disabled={disabled}
          onChange={({ target }) => {
            props.onChange(target.checked ? (begin() ?? {}) : null);
          }}
        />
        <span>Fill in: {props.label}</span>
      </label>
      {!absent && children}
    </div>
  );
}

interface OptionalProps {
  absent: boolean;
  optional: boolean;
  begin: () => Draft;
  children: React.ReactNode;
}

function Group({ schema, fixed, draft, onChange, pointer, hints, ...frame }: ControlProps & { schema: Schema; fixed: Schema }) {
  const { root } = useForm();
  const { part } = wantedBy(conditioned(schema, draft, root), root);
  const members = part.kind === "group" ? part.members.filter(({ name }) => !Object.hasOwn(fixed, name)) : [];
  const fields = members.map(({ name, schema: member, required }) => (
    <Field
      key={name}
      schema={member}
      draft={own(draft, name)}
      onChange={(next) => {
        onChange({ ...(isObject(draft) ? draft : {}), [name]: next });
      }}
      pointer={below(pointer, name)}
      required={required}
      name={name}
      hints={hintsFor(hints, name)}
    />
  ));
  if (pointer === "") return <div className="fields">{fields}</div>;
  return (
    <Grouped {...frame} required pointer={pointer} className="field group">
      <div className="fields">{members.length > 0 ? fields : <p className="field-help">There is nothing more to fill in.</p>}</div>
    </Grouped>
  );
}

function Tuple({ part, draft, onChange, pointer, ...frame }: ControlProps & { part: Part & { kind: "tuple" } }) {
  const items: Draft[] = Array.isArray(draft) ? draft : [];
  return (
    <Grouped {...frame} pointer={pointer} className="field group">
      <div className="fields">
        {part.items.map((item, index) => (
          <Field
            key={index}
            schema={item}
            draft={items[index]}
            onChange={(next) => {
              onChange(part.items.map((_item, at) => (at === index ? next : items[at])));
            }}
            pointer={below(pointer, index)}
            required
            name={`${frame.label}, part ${index + 1}`}
            hints={{}}
          />
        ))}
      </div>
    </Grouped>
  );
}

function Items({ part, draft, onChange, pointer, hints, ...frame }: ControlProps & { part: Part & { kind: "list" } }) {
  const { root } = useForm();
  const items: Draft[] = Array.isArray(draft) ? draft : [];
  return (
    <Grouped {...frame} pointer={pointer} className="field group">
      <Rows
        what={frame.label}
        count={items.length}
        onAdd={() => {
          onChange([...items, beginPart(part.item, root) ?? null]);
        }}
        onRemove={(gone) => {
          onChange(items.filter((_item, at) => at !== gone));
        }}
      >
        {(index) => (
          <Field
            schema={part.item}
            draft={items[index]}
            onChange={(next) => {
              onChange(items.map((item, at) => (at === index ? next : item)));
            }}
            pointer={below(pointer, index)}
            required
            name={`${frame.label} ${index + 1}`}
            named
            hints={hintsFor(hints, "items")}
          />
        )}
      </Rows>
    </Grouped>
  );
}

function Pairs({ part, draft, onChange, pointer, ...frame }: ControlProps & { part: Part & { kind: "map" } }) {
  const { root, disabled } = useForm();
  const pairs = pairsOf(draft);
  const change = (index: number, pair: [string, Draft]) => {
    onChange(pairs.map((each, at) => (at === index ? pair : each)));
  };
  return (
    <Grouped {...frame} pointer={pointer} className="field group">
      <Rows
        what={frame.label}
        count={pairs.length}
        onAdd={() => {
          onChange([...pairs, ["", beginPart(part.value, root) ?? null]]);
        }}
        onRemove={(gone) => {
          onChange(pairs.filter((_pair, at) => at !== gone));
        }}
      >
        {(index) => {
          const [name, value] = pairs[index] ?? ["", undefined];
          return (
            <>
              <Labelled label={`${frame.label} ${index + 1}, name`} help={null} required pointer={`${pointer} name ${index}`}>
                {(ties) => (
                  <input
                    type="text"
                    className="control"
                    dir="auto"
                    autoComplete="off"
                    value={name}
                    disabled={disabled}
                    onChange={({ target }) => {
                      change(index, [target.value, value]);
                    }}
                    {...ties}
                  />
                )}
              </Labelled>
              <Field
                schema={part.value}
                draft={value}
                onChange={(next) => {
                  change(index, [name, next]);
                }}
                pointer={below(pointer, name)}
                required
                name={`${frame.label} ${index + 1}, value`}
                named
                hints={{}}
              />
            </>
          );
        }}
      </Rows>
    </Grouped>
  );
}

interface RowsProps {
  what: string;
  count: number;
  onAdd: () => void;
  onRemove: (index: number) => void;
  children: (index: number) => React.ReactNode;
}

/** As many rows as there are, a way to take each away, and one to add another. */
function Rows({ what, count, onAdd, onRemove, children }: RowsProps) {
  const { disabled } = useForm();
  const add = useRef<HTMLButtonElement>(null);
  return (
    <>
      {count > 0 && (
        <ol className="rows">
          {Array.from({ length: count }, (_row, index) => (
            <li key={index}>
              <div className="fields">{children(index)}</div>
              <button
                type="button"
                className="button quiet"
                disabled={disabled}
                aria-label={`Remove ${what} ${index + 1}`}
                onClick={() => {
                  onRemove(index);
                  add.current?.focus(); // the button that had the focus is gone
                }}
              >
                Remove
              </button>
            </li>
          ))}
        </ol>
      )}
      <button type="button" className="button quiet" disabled={disabled} ref={add} onClick={onAdd}>
        Add to {what}
      </button>
    </>
  );
}

function Union({ part, ...control }: ControlProps & { part: Part & { kind: "union" } }) {
  const { root } = useForm();
  const { draft, onChange, pointer, label, hints } = control;
  const chosen = chosenBranch(part.branches, draft);
  return (
    <div className="union">
      <Choice
        {...control}
        hints={{}}
        pointer={chosen && showsItsErrors(chosen.branch.schema, root, pointer) ? `${pointer} kind` : pointer}
        options={part.branches.map((branch, index) => ({ label: branch.label, value: index }))}
        chosen={chosen?.index ?? -1}
        onChoose={(index) => {
          const branch = typeof index === "number" ? part.branches[index] : undefined;
          onChange(branch && { branch: index, value: beginPart(branch.schema, root, branch.fixed) });
        }}
      />
      {chosen && (
        <Field
          key={chosen.index}
          schema={chosen.branch.schema}
          draft={own(draft, "value")}
          onChange={(next) => {
            onChange({ branch: chosen.index, value: next });
          }}
          pointer={pointer}
          required
          name={`${label}: ${chosen.branch.label}`}
          named
          hints={hints}
          fixed={chosen.branch.fixed}
        />
      )}
    </div>
  );
}

/** The whole answer stands in no frame, if it is a group. */
function showsItsErrors(schema: Schema, root: Schema, pointer: string): boolean {
  const { kind } = wantedBy(schema, root).part;
  return pointer !== "" || (kind !== "group" && kind !== "null");
}
