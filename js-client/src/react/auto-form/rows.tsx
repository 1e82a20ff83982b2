/** Lists and maps as rows that are added, removed and moved; some of several options as boxes to tick. */
import { useEffect, useRef } from "react";
import type { ReactElement } from "react";
import type { FormField } from "../../index.js";
import { below, isSeveralOf, keyField, newRow, step } from "./draft.js";
import type { ChosenDraft, FieldOf, RowDraft, RowsDraft } from "./draft.js";
import { Field, useShared } from "./fields.js";
import type { FieldProps } from "./fields.js";

/** Rows of a form at most, as a page without scripts has them. */
const MOST_ROWS = 200;

type RowsField = FieldOf<"list"> | FieldOf<"map">;

export function Rows(props: FieldProps<RowsField>): ReactElement {
  const { field } = props;
  if (field.kind === "list" && isSeveralOf(field)) return <Several {...props} item={field.item} />;
  return <RowsOf {...props} />;
}

function Several({ draft, path, onChange, item }: FieldProps<RowsField> & { readonly item: FormField }): ReactElement {
  const { prefix, disabled } = useShared();
  const { chosen } = draft as ChosenDraft;
  const options = item.kind === "radios" || item.kind === "select" ? item.options : [];
  return (
    <>
      {options.map(({ label }, index) => (
        <label key={index} className="signoff-option">
          <input
            type="checkbox"
            name={path}
            id={`${prefix}${path}-${index}`}
            value={index}
            checked={chosen.includes(index)}
            disabled={disabled}
            onChange={({ target }) => { onChange({ chosen: target.checked ? [...chosen, index] : chosen.filter((one) => one !== index) }); }}
          />
          <bdi>{label}</bdi>
        </label>
      ))}
    </>
  );
}

/** What is to have the focus when rows have changed. */
interface Wanted {
  readonly row: number | null;
  readonly part: "field" | "up" | "down" | "remove";
}

function RowsOf({ field, label: called = field.label, draft, path, pointer, onChange }: FieldProps<RowsField>): ReactElement {
  const { words, disabled } = useShared();
  const { rows } = draft as RowsDraft;
  const around = useRef<HTMLDivElement>(null);
  const wanted = useRef<Wanted | null>(null);
  useEffect(() => {
    const want = wanted.current;
    wanted.current = null;
    if (want === null) return;
    const within = want.row === null ? around.current : around.current?.querySelector(`:scope > [data-row="${want.row}"]`);
    const found = want.part === "field" ? within?.querySelector<HTMLElement>("input, select, textarea, button") : within?.querySelector<HTMLElement>(`:scope > .signoff-row-tools > [data-part="${want.part}"]`);
    (found ?? around.current?.querySelector<HTMLElement>(":scope > .signoff-add"))?.focus();
  }, [rows]);

  const item = field.kind === "list" ? field.item : field.value;
  const change = (next: readonly RowDraft[], want: Wanted | null): void => {
    wanted.current = want;
    onChange({ rows: next });
  };
  const move = (index: number, by: -1 | 1): void => {
    const next = [...rows];
    const [row] = next.splice(index, 1);
    if (row === undefined) return;
    next.splice(index + by, 0, row);
    const end = index + by === (by < 0 ? 0 : rows.length - 1);
    change(next, { row: row.id, part: end ? (by < 0 ? "down" : "up") : by < 0 ? "up" : "down" });
  };
  const set = (index: number, row: RowDraft): void => { change(rows.map((one, at) => (at === index ? row : one)), null); };
  const full = rows.length >= Math.min(field.max ?? MOST_ROWS, MOST_ROWS);
  return (
    <div className="signoff-rows-of" ref={around}>
      {rows.map((row, index) => {
        const label = `${item.label} ${index + 1}`;
        const inner = step(path, row.id);
        const next = rows[index + 1] ?? rows[index - 1];
        return (
          <div className="signoff-row" key={row.id} data-row={row.id}>
            <div className="signoff-row-fields">
              {field.kind === "map" && (
                <Field
                  field={keyField(field)}
                  label={`${words.name} ${index + 1}`}
                  draft={row.key}
                  path={`${inner}?k`}
                  pointer="?"
                  onChange={(key) => { set(index, { ...row, key }); }}
                />
              )}
              <Field field={item} label={label} draft={row.value} path={inner} pointer={below(pointer, "*")} onChange={(value) => { set(index, { ...row, value }); }} />
            </div>
            <div className="signoff-row-tools">
              {field.kind === "list" && rows.length > 1 && <Tool part="up" sign="↑" name={words.upRow(label)} unable={index === 0} onPress={() => { move(index, -1); }} />}
              {field.kind === "list" && rows.length > 1 && <Tool part="down" sign="↓" name={words.downRow(label)} unable={index === rows.length - 1} onPress={() => { move(index, 1); }} />}
              <Tool part="remove" sign="×" name={words.removeRow(label)} onPress={() => { change(rows.filter((one) => one !== row), { row: next?.id ?? null, part: "remove" }); }} />
            </div>
          </div>
        );
      })}
      {!full && (
        <button
          type="button"
          className="signoff-button signoff-add"
          aria-label={words.addTo(called)}
          disabled={disabled}
          onClick={() => {
            const id = Math.max(-1, ...rows.map((one) => one.id)) + 1;
            change([...rows, newRow(field, id)], { row: id, part: "field" });
          }}
        >
          {words.add}
        </button>
      )}
    </div>
  );
}

interface ToolProps {
  readonly part: Wanted["part"];
  readonly sign: string;
  readonly name: string;
  readonly unable?: boolean;
  readonly onPress: () => void;
}

function Tool({ part, sign, name, unable = false, onPress }: ToolProps): ReactElement {
  const { disabled } = useShared();
  return (
    <button type="button" className="signoff-tool" data-part={part} aria-label={name} title={name} disabled={disabled || unable} onClick={onPress}>
      <span aria-hidden="true">{sign}</span>
    </button>
  );
}
