/** Fields of one value: text, number, yes or no, one of several, and JSON where the form knows no better. */

import { useId, useState } from "react";
import { typedNumber } from "./answer";
import type { Draft } from "./begin";
import { useForm } from "./context";
import { type FrameProps, Grouped, Labelled } from "./frames";
import { writeJson } from "./json-text";
import { readNumber, unambiguous } from "./number";
import type { Option, Schema } from "./schema";

export interface ControlProps extends FrameProps {
  draft: Draft;
  onChange: (draft: Draft) => void;
  hints: Schema;
  /** One may choose nothing. */
  none: boolean;
}

/** More options than this are a list to choose from. */
const FEW = 5;

export function TextField({ format, ...props }: ControlProps & { format: string | null }) {
  const { draft, onChange, hints } = props;
  const { disabled } = useForm();
  const text = typeof draft === "string" ? draft : "";
  // A text that came with several lines would lose them in a field of one.
  const [lines] = useState(hints["ui:widget"] === "textarea" || text.includes("\n"));
  const common = {
    dir: "auto" as const,
    className: "control",
    value: text,
    placeholder: placeholderOf(hints, format),
    disabled,
    onChange: ({ target }: { target: { value: string } }) => {
      onChange(target.value);
    },
  };
  return (
    <Labelled {...props}>
      {(ties) =>
        lines ? (
          <textarea rows={3} {...common} {...ties} />
        ) : (
          // `type=email` would rewrite what was typed, so the kind of text is a hint to the keyboard alone.
          <input type={format === "date" ? "date" : "text"} inputMode={keyboardOf(format)} autoComplete="off" {...common} {...ties} />
        )
      }
    </Labelled>
  );
}

const EXAMPLES = new Map([
  ["date-time", "2026-01-31T12:00:00Z"],
  ["time", "12:00:00"],
  ["duration", "P1DT2H30M"],
  ["uri", "https://example.org/page"],
]);

function placeholderOf(hints: Schema, format: string | null): string | undefined {
  if (typeof hints["ui:placeholder"] === "string") return hints["ui:placeholder"];
  return EXAMPLES.get(format ?? "");
}

function keyboardOf(format: string | null): "email" | "url" | undefined {
  if (format === "email") return "email";
  return format === "uri" ? "url" : undefined;
}

/** A number in a field of text: a wheel that turns over it changes nothing, and every digit stays as it was typed. */
export function NumberField({ integer, ...props }: ControlProps & { integer: boolean }) {
  const { draft, onChange } = props;
  const { disabled } = useForm();
  const { text, exact } = typedNumber(draft);
  const reading = exact ? null : readNumber(text);
  const understood = reading?.ok === true && reading.text !== text.trim() ? reading.text : null;
  return (
    <Labelled {...props}>
      {(ties) => (
        <span className="number-field">
          <input
            type="text"
            inputMode={integer ? "numeric" : "decimal"}
            autoComplete="off"
            className="control control-number"
            value={exact ? unambiguous(text) : text}
            disabled={disabled}
            onChange={({ target }) => {
              onChange(target.value);
            }}
            {...ties}
            aria-describedby={[ties["aria-describedby"], `${ties.id}-understood`].filter(Boolean).join(" ")}
          />
          {/* Beside the number, so that nothing moves while one types. */}
          <span id={`${ties.id}-understood`} className="understood">
            {understood !== null && `= ${understood}`}
          </span>
        </span>
      )}
    </Labelled>
  );
}

const YES_NO: Option[] = [
  { label: "Yes", value: true },
  { label: "No", value: false },
];

/** Yes or no. A box that is not ticked would look like a no, so there is one only where that is what it means. */
export function YesNoField({ proposed, ...props }: ControlProps & { proposed: unknown }) {
  const { draft, onChange, hints, label } = props;
  const { disabled } = useForm();
  if (typeof proposed === "boolean" && hints["ui:widget"] !== "radio") {
    return (
      <Grouped {...props} required className="field bare">
        <label className="check">
          <input
            type="checkbox"
            checked={draft === true}
            disabled={disabled}
            onChange={({ target }) => {
              onChange(target.checked);
            }}
          />
          <span>{label}</span>
        </label>
      </Grouped>
    );
  }
  return <Choice {...props} options={YES_NO} chosen={YES_NO.findIndex(({ value }) => value === draft)} onChoose={(value) => { onChange(value); }} verdict />;
}

export function ChoiceField({ options, ...props }: ControlProps & { options: Option[] }) {
  const chosen = options.findIndex(({ value }) => writeJson(value) === props.draft);
  return <Choice {...props} options={options} chosen={chosen} onChoose={(value) => { props.onChange(value === undefined ? undefined : writeJson(value)); }} />;
}

interface ChoiceProps extends ControlProps {
  options: Option[];
  /** -1: none. */
  chosen: number;
  onChoose: (value: unknown) => void;
  /** Yes is green and no is red. */
  verdict?: boolean;
}

export function Choice({ options, chosen, onChoose, verdict = false, ...props }: ChoiceProps) {
  const { hints, none } = props;
  const { disabled } = useForm();
  const name = useId();
  const labels = labelsOf(hints, options);
  const widget = hints["ui:widget"];
  if (widget === "select" || (options.length > FEW && widget !== "radio")) {
    return (
      <Labelled {...props}>
        {(ties) => (
          <select
            className="control"
            value={chosen}
            disabled={disabled}
            onWheel={({ currentTarget }) => {
              currentTarget.blur(); // some browsers let the wheel choose
            }}
            onChange={({ target }) => {
              onChoose(options[Number(target.value)]?.value);
            }}
            {...ties}
          >
            <option value={-1}>{none ? "None" : "Choose …"}</option>
            {labels.map((label, index) => (
              <option key={index} value={index}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Labelled>
    );
  }
  return (
    <Grouped {...props} role="radiogroup">
      <div className="choice">
        {options.map((option, index) => (
          <label key={index} data-answer={verdict ? String(option.value) : undefined}>
            <input
              type="radio"
              name={name}
              checked={index === chosen}
              disabled={disabled}
              onChange={() => {
                onChoose(option.value);
              }}
            />
            <span>{labels[index]}</span>
          </label>
        ))}
        {none && (
          <label>
            <input
              type="radio"
              name={name}
              checked={chosen < 0}
              disabled={disabled}
              onChange={() => {
                onChoose(undefined);
              }}
            />
            <span>None</span>
          </label>
        )}
      </div>
    </Grouped>
  );
}

/** A workflow may name its options; names that do not match them in number would name the wrong ones. */
function labelsOf(hints: Schema, options: Option[]): string[] {
  const names = hints["ui:enumNames"];
  const fit = Array.isArray(names) && names.length === options.length && names.every((name) => typeof name === "string");
  return fit ? (names) : options.map(({ label }) => label);
}

/** What the form cannot show it says, and takes as JSON. */
export function JsonField({ why, schema, ...props }: ControlProps & { why: string; schema: Schema }) {
  const { draft, onChange, help } = props;
  const { disabled } = useForm();
  const said = `This form has no field for ${why}. Write it as JSON.`;
  return (
    <div className="json-field">
      <Labelled {...props} help={help === null ? said : `${help} ${said}`}>
        {(ties) => (
          <textarea
            rows={4}
            className="control code"
            spellCheck={false}
            autoComplete="off"
            value={typeof draft === "string" ? draft : ""}
            disabled={disabled}
            onChange={({ target }) => {
              onChange(target.value);
            }}
            {...ties}
          />
        )}
      </Labelled>
      <details>
        <summary>What may stand here</summary>
        <pre className="plain">{writeJson(schema)}</pre>
      </details>
    </div>
  );
}
