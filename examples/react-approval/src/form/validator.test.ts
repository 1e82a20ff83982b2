import { createSchemaUtils, type RJSFSchema } from "@rjsf/utils";
import { describe, expect, it } from "vitest";
import { validator } from "./validator";

const decision: RJSFSchema = {
  type: "object",
  properties: { approved: { type: "boolean" }, comment: { $ref: "#/$defs/comment" } },
  required: ["approved"],
  if: { properties: { approved: { const: false } }, required: ["approved"] },
  then: { required: ["comment"] },
  $defs: { comment: { type: "string" } },
};

describe("validator", () => {
  it("tells the form which branch of an if applies", () => {
    const schema = createSchemaUtils(validator, decision);
    expect(schema.retrieveSchema(decision, { approved: false }).required).toEqual(["approved", "comment"]);
    expect(schema.retrieveSchema(decision, { approved: true }).required).toEqual(["approved"]);
    expect(schema.retrieveSchema(decision, {}).required).toEqual(["approved"]);
  });

  it("follows references into the root", () => {
    const part: RJSFSchema = { properties: { comment: { $ref: "#/$defs/comment" } } };
    expect(validator.isValid(part, { comment: "fine" }, decision)).toBe(true);
    expect(validator.isValid(part, { comment: 3 }, decision)).toBe(false);
  });

  it("leaves complaints to the server", () => {
    expect(validator.validateFormData({}, decision)).toEqual({ errors: [], errorSchema: {} });
  });
});
