/** The form of one answer, drawn from the request's JSON Schema. The server is its judge: nothing is refused here. */

import Form from "@rjsf/core";
import type { UiSchema } from "@rjsf/utils";
import type { InputRow } from "@signoff/client";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { type PointedError, toErrorSchema } from "../model/answer-errors";
import type { Draft } from "../model/draft";
import { templates, widgets } from "./theme";
import { validator } from "./validator";

/** No choice is made before the person makes it: neither a `const` nor a required boolean proposes one. */
const NOTHING_DECIDED = { constAsDefaults: "never", requiredBooleanDefault: "skip" } as const;

interface Props {
  request: InputRow;
  draft: Draft;
  errors: readonly PointedError[];
  disabled: boolean;
  children: ReactNode;
  onChange: (draft: Draft) => void;
  onSubmit: (value: Draft) => void;
}

export function AnswerForm({ request, draft, errors, disabled, children, onChange, onSubmit }: Props) {
  const form = useRef<HTMLDivElement>(null);
  const extraErrors = useMemo(() => toErrorSchema(errors), [errors]);
  const uiSchema = useMemo<UiSchema>(
    () => ({ ...request.ui, "ui:submitButtonOptions": { norender: true } }),
    [request.ui],
  );

  useEffect(() => {
    if (errors.length > 0) form.current?.querySelector<HTMLElement>("[aria-invalid=true], [data-invalid=true] input")?.focus();
  }, [errors]);

  return (
    <div ref={form}>
      <Form<Draft>
        schema={request.schema}
        uiSchema={uiSchema}
        formData={draft}
        validator={validator}
        templates={templates}
        widgets={widgets}
        extraErrors={extraErrors}
        idPrefix="answer"
        experimental_defaultFormStateBehavior={NOTHING_DECIDED}
        disabled={disabled}
        noHtml5Validate
        showErrorList="top"
        onChange={({ formData }) => {
          if (formData) onChange(formData);
        }}
        onSubmit={({ formData }) => {
          onSubmit(formData ?? {});
        }}
      >
        {children}
      </Form>
    </div>
  );
}
