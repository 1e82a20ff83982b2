/** What stands around a control: its name, what it is for, what is wrong with it, tied together for screen readers. */

import { type ReactNode, useId } from "react";
import { useForm } from "./context";

export interface FrameProps {
  label: string;
  help: string | null;
  required: boolean;
  pointer: string;
}

/** What a control needs to be tied to its label, its help and its errors. */
export interface Ties {
  id: string;
  "aria-invalid": boolean;
  "aria-required": boolean;
  "aria-describedby": string | undefined;
  "data-pointer": string;
}

function useTies(help: string | null, required: boolean, pointer: string) {
  const id = useId();
  const errors = useForm().errors.get(pointer) ?? [];
  const ids = [help !== null && `${id}-help`, errors.length > 0 && `${id}-errors`].filter(Boolean).join(" ");
  const ties: Ties = { id, "aria-invalid": errors.length > 0, "aria-required": required, "aria-describedby": ids || undefined, "data-pointer": pointer };
  return { ties, errors };
}

/** One control under its label. */
export function Labelled({ label, help, required, pointer, children }: FrameProps & { children: (ties: Ties) => ReactNode }) {
  const { ties, errors } = useTies(help, required, pointer);
  return (
    <div className="field">
      <label htmlFor={ties.id}>
        <Name label={label} required={required} />
      </label>
      <Help id={ties.id} help={help} />
      {children(ties)}
      <Errors id={ties.id} errors={errors} />
    </div>
  );
}

interface GroupProps extends FrameProps {
  /** A choice is one control to a screen reader; a group is not. */
  role?: "radiogroup";
  className?: string;
  children: ReactNode;
}

/** Several controls that belong together, under their legend. */
export function Grouped({ label, help, required, pointer, role, className = "field", children }: GroupProps) {
  const { ties, errors } = useTies(help, required, pointer);
  const { id, "aria-describedby": describedby, "aria-invalid": invalid } = ties;
  const state = role ? { "aria-invalid": invalid, "aria-required": required } : {};
  return (
    <fieldset className={className} id={id} role={role} aria-describedby={describedby} data-invalid={invalid} {...state}>
      <legend>
        <Name label={label} required={required} />
      </legend>
      <Help id={id} help={help} />
      {children}
      <Errors id={id} errors={errors} />
    </fieldset>
  );
}

function Name({ label, required }: { label: string; required: boolean }) {
  return (
    <>
      <bdi dir="auto">{label}</bdi>
      {!required && <span className="field-optional"> optional</span>}
    </>
  );
}

function Help({ id, help }: { id: string; help: string | null }) {
  if (help === null) return null;
  return (
    <p className="field-help" id={`${id}-help`} dir="auto">
      {help}
    </p>
  );
}

export function Errors({ id, errors }: { id: string; errors: readonly string[] }) {
  if (errors.length === 0) return null;
  return (
    <ul className="field-errors" id={`${id}-errors`}>
      {errors.map((error, index) => (
        <li key={index} dir="auto">
          {error}
        </li>
      ))}
    </ul>
  );
}
