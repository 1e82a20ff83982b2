/** How the fields of any answer look: plain, labelled, every error tied to its field for screen readers too. */

import {
  type ErrorListProps,
  type FieldErrorProps,
  type FieldTemplateProps,
  type ObjectFieldTemplateProps,
  type TemplatesType,
  type WidgetProps,
  descriptionId,
  enumOptionsIsSelected,
  errorId,
  getInputProps,
  optionId,
} from "@rjsf/utils";

/** A field: label, what it is for, the control, what is wrong with it. A group of radios is a fieldset. */
function Field(props: FieldTemplateProps) {
  const { id, label, required, hidden, displayLabel, schema, uiSchema, rawDescription, errors, children } = props;
  if (hidden) return <div hidden>{children}</div>;
  if (schema.type === "object") return <>{children}</>;
  const description = rawDescription ? (
    <p className="field-help" id={descriptionId(id)}>
      {rawDescription}
    </p>
  ) : null;
  const name = (
    <>
      {label}
      {!required && <span className="field-optional"> optional</span>}
    </>
  );
  if (uiSchema?.["ui:widget"] === "radio") {
    return (
      <fieldset className="field" aria-describedby={describedBy(props)}>
        <legend>{name}</legend>
        {description}
        {children}
        {errors}
      </fieldset>
    );
  }
  return (
    <div className="field">
      {(displayLabel ?? true) && schema.type !== "boolean" && <label htmlFor={id}>{name}</label>}
      {description}
      {children}
      {errors}
    </div>
  );
}

function describedBy({ id, rawErrors, rawDescription }: FieldTemplateProps): string | undefined {
  const ids = [rawDescription && descriptionId(id), rawErrors?.length && errorId(id)].filter(Boolean);
  return ids.length > 0 ? ids.join(" ") : undefined;
}

function FieldErrors({ errors, fieldPathId }: FieldErrorProps) {
  if (!errors?.length) return null;
  return (
    <ul className="field-errors" id={errorId(fieldPathId)}>
      {errors.map((error, index) => (
        <li key={index}>{error}</li>
      ))}
    </ul>
  );
}

/** The description of the whole answer speaks to programmers; what people should know is in the request itself. */
function Fields({ properties }: ObjectFieldTemplateProps) {
  return <div className="fields">{properties.map(({ content }) => content)}</div>;
}

/** Errors that belong to no field are said above them; the others stand at their fields. */
function FormErrors({ errorSchema }: ErrorListProps) {
  const errors = errorSchema.__errors ?? [];
  if (errors.length === 0) return null;
  return (
    <ul className="field-errors form-errors">
      {errors.map((error, index) => (
        <li key={index}>{error}</li>
      ))}
    </ul>
  );
}

/** What ties a control to its label, its help and its errors. */
function ariaOf({ id, rawErrors, schema, required }: WidgetProps) {
  const ids = [schema.description && descriptionId(id), rawErrors?.length && errorId(id)].filter(Boolean);
  return {
    "aria-invalid": Boolean(rawErrors?.length),
    "aria-required": required,
    ...(ids.length > 0 ? { "aria-describedby": ids.join(" ") } : {}),
  };
}

function Input(props: WidgetProps) {
  const value: unknown = props.value;
  const { id, disabled, readonly, onChange, onBlur, onFocus, schema, options, placeholder } = props;
  const type = props.type as string | undefined;
  const { type: kind, step, inputMode } = getInputProps(schema, type, options) as { type: string; step?: number | "any"; inputMode?: "decimal" };
  const numeric = kind === "number";
  return (
    <input
      id={id}
      name={id}
      type={kind}
      step={step ?? (numeric ? "any" : undefined)}
      inputMode={numeric ? "decimal" : inputMode}
      className={numeric ? "control control-number" : "control"}
      dir={numeric ? undefined : "auto"}
      value={(value as string | number | undefined) ?? ""}
      placeholder={placeholder}
      disabled={disabled}
      readOnly={readonly}
      onChange={({ target }) => {
        onChange(target.value === "" ? options.emptyValue : target.value);
      }}
      onBlur={({ target }) => {
        onBlur(id, target.value);
      }}
      onFocus={({ target }) => {
        onFocus(id, target.value);
      }}
      {...ariaOf(props)}
    />
  );
}

function Textarea(props: WidgetProps) {
  const { id, disabled, readonly, onChange, onBlur, onFocus, options, placeholder } = props;
  return (
    <textarea
      id={id}
      name={id}
      rows={options.rows ?? 3}
      dir="auto"
      className="control"
      value={(props.value as string | undefined) ?? ""}
      placeholder={placeholder}
      disabled={disabled}
      readOnly={readonly}
      onChange={({ target }) => {
        onChange(target.value === "" ? options.emptyValue : target.value);
      }}
      onBlur={({ target }) => {
        onBlur(id, target.value);
      }}
      onFocus={({ target }) => {
        onFocus(id, target.value);
      }}
      {...ariaOf(props)}
    />
  );
}

/** A choice among few, as a row of buttons that is a radio group to keyboards and screen readers. */
function Choice({ id, value, disabled, readonly, options, onChange, rawErrors, schema }: WidgetProps) {
  const isDecision = schema.type === "boolean";
  return (
    <div className="choice" id={id} data-invalid={Boolean(rawErrors?.length)}>
      {options.enumOptions?.map((option, index) => (
        <label key={option.label} data-answer={isDecision ? String(option.value) : undefined}>
          <input
            type="radio"
            id={optionId(id, index)}
            name={id}
            checked={enumOptionsIsSelected(option.value as string, value)}
            disabled={(disabled ?? false) || (readonly ?? false)}
            onChange={() => {
              onChange(option.value);
            }}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </div>
  );
}

function Checkbox(props: WidgetProps) {
  const { id, label, disabled, readonly, onChange } = props;
  return (
    <label className="check">
      <input
        type="checkbox"
        id={id}
        name={id}
        checked={props.value === true}
        disabled={(disabled ?? false) || (readonly ?? false)}
        onChange={({ target }) => {
          onChange(target.checked);
        }}
        {...ariaOf(props)}
      />
      <span>{label}</span>
    </label>
  );
}

function Select(props: WidgetProps) {
  const { id, disabled, readonly, options, onChange } = props;
  const choices = options.enumOptions ?? [];
  const chosen = choices.findIndex((choice) => enumOptionsIsSelected(choice.value as string, props.value));
  return (
    <select
      id={id}
      name={id}
      className="control"
      value={chosen}
      disabled={(disabled ?? false) || (readonly ?? false)}
      onChange={({ target }) => {
        onChange(choices[Number(target.value)]?.value);
      }}
      {...ariaOf(props)}
    >
      <option value={-1}>Choose …</option>
      {choices.map((choice, index) => (
        <option key={choice.label} value={index}>
          {choice.label}
        </option>
      ))}
    </select>
  );
}

export const templates: Partial<TemplatesType> = {
  FieldTemplate: Field,
  FieldErrorTemplate: FieldErrors,
  ObjectFieldTemplate: Fields,
  ErrorListTemplate: FormErrors,
  BaseInputTemplate: Input,
  DescriptionFieldTemplate: () => null,
};

export const widgets = {
  RadioWidget: Choice,
  TextareaWidget: Textarea,
  CheckboxWidget: Checkbox,
  SelectWidget: Select,
};
