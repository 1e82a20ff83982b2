/**
 * The form of one answer, drawn from the request's JSON Schema.
 *
 * Only a button sends it: Enter in a field, or on a choice, does not.
 */

import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { Field } from "./Fields";
import type { PointedError, Written } from "./answer";
import type { Draft, Misfit } from "./begin";
import { FormContext } from "./context";
import { Errors } from "./frames";
import { writeJson } from "./json-text";
import { type Schema, wantedBy } from "./schema";

interface Props {
  schema: Schema;
  hints: Schema;
  draft: Draft;
  written: Written;
  misfits: readonly Misfit[];
  errors: readonly PointedError[];
  disabled: boolean;
  /** Nothing can be chosen: what is under the pointer has just moved. */
  settling: boolean;
  children: ReactNode;
  onChange: (draft: Draft) => void;
}

export function AnswerForm({ schema, hints, draft, written, misfits, errors, disabled, settling, children, onChange }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const [general, byPointer] = useMemo(() => sorted(errors, written.places, schema), [errors, written.places, schema]);
  const shared = useMemo(() => ({ root: schema, errors: byPointer, disabled }), [schema, byPointer, disabled]);

  useEffect(() => {
    if (errors.length === 0) return;
    const wrong = form.current?.querySelector<HTMLElement>(
      "input[aria-invalid=true], textarea[aria-invalid=true], select[aria-invalid=true], [data-invalid=true] input, [data-invalid=true] button",
    );
    (wrong ?? form.current?.querySelector<HTMLElement>(".form-errors"))?.focus();
  }, [errors]);

  return (
    <form
      ref={form}
      noValidate
      data-settling={settling}
      onSubmit={(event) => {
        event.preventDefault();
      }}
    >
      {general.length > 0 && (
        <div className="form-errors" tabIndex={-1}>
          <Errors id="answer" errors={general} />
        </div>
      )}
      {misfits.length > 0 && <Misfits misfits={misfits} />}
      <FormContext value={shared}>
        <Field schema={schema} draft={draft} onChange={onChange} pointer="" required name="Your answer" hints={hints} />
      </FormContext>
      {children}
    </form>
  );
}

/** A proposal without a field is not sent, and it is said that there was one. */
function Misfits({ misfits }: { misfits: readonly Misfit[] }) {
  return (
    <div className="misfits">
      <p>What was proposed here does not fit this form, and is not part of your answer:</p>
      <ul>
        {misfits.map(({ pointer, value }) => (
          <li key={pointer}>
            {pointer !== "" && `${pointer.slice(1)}: `}
            <code>{writeJson(value)}</code>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Errors that belong to no field are said above them; the others stand at their fields. */
function sorted(errors: readonly PointedError[], places: ReadonlySet<string>, schema: Schema): [string[], Map<string, string[]>] {
  const { kind } = wantedBy(schema, schema).part;
  const rootHasField = kind !== "group" && kind !== "null";
  const general: string[] = [];
  const byPointer = new Map<string, string[]>();
  for (const { pointer, message } of errors) {
    if (!places.has(pointer) || (pointer === "" && !rootHasField)) general.push(pointer === "" ? message : `${pointer.slice(1)}: ${message}`);
    else byPointer.set(pointer, [...(byPointer.get(pointer) ?? []), message]);
  }
  return [general, byPointer];
}
