/**
 * What the form has to know of JSON Schema: which branch of an if/then/else or oneOf applies to what was typed.
 *
 * It judges nothing: complaints come from the server alone. The validator interprets schemas instead of compiling them
 * to code, because a page that turns strings into code (`unsafe-eval`) gives up half of its protection.
 */

import { type Schema, Validator } from "@cfworker/json-schema";
import type { RJSFSchema, ValidatorType } from "@rjsf/utils";

export const validator: ValidatorType = {
  isValid: fits,
  validateFormData: () => ({ errors: [], errorSchema: {} }),
  rawValidation: () => ({ errors: [] }),
};

function fits(schema: RJSFSchema | boolean, value: unknown, root: RJSFSchema): boolean {
  if (typeof schema === "boolean") return schema;
  // The part is judged alone, so it takes along what its references point to.
  const whole = { ...schema, $defs: { ...root.$defs, ...schema.$defs } } as Schema;
  return new Validator(whole, "2020-12").validate(plain(value)).valid;
}

/** As it would travel: a member that is undefined is not there. */
function plain(value: unknown): unknown {
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as unknown);
}
