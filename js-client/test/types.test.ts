/** The types that the hooks and views promise; `npm run typecheck` is what checks them. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expectTypeOf, it } from "vitest";
import type {
  ClaimView, InputRow, OutcomeSnapshot, Result, Row, RowsSnapshot, RowsView, RunRow, Signoff, StandardSchema, Submission,
} from "../src/index.js";
import type { useDraft, useInput, useOutput, useResult, useRows, useRun, useVerbs, useWizard } from "../src/react/index.js";

interface Seat extends Row {
  readonly price: number;
}

describe("the types", () => {
  it("take any Standard Schema, and give what it reads", () => {
    expectTypeOf<StandardSchemaV1<unknown, Seat>>().toExtend<StandardSchema<Seat>>();
    type Read = (signoff: Signoff, schema: StandardSchemaV1<string, Seat>) => RowsView<Seat>;
    const read: Read = (signoff, schema) => signoff.rows("r1", "seat", schema);
    expectTypeOf(read).returns.toEqualTypeOf<RowsView<Seat>>();
    type Hook = (use: typeof useRows, schema: StandardSchemaV1<unknown, Seat>) => RowsSnapshot<Seat>;
    const hook: Hook = (use, schema) => use("r1", "seat", schema);
    expectTypeOf(hook).returns.toEqualTypeOf<RowsSnapshot<Seat>>();
    expectTypeOf<typeof useRows<Seat>>().returns.toExtend<RowsSnapshot<Seat>>();
  });

  it("tell what each verb takes", () => {
    type Verbs = ReturnType<typeof useVerbs>;
    expectTypeOf<Verbs["pause"]>().returns.toEqualTypeOf<Promise<Result<{ readonly run: RunRow }>>>();
    expectTypeOf<Verbs["terminate"]>().toBeCallableWith({ reason: "a duplicate" });
    expectTypeOf<Verbs["retry"]>().toBeCallableWith();
    // @ts-expect-error: to where?
    expectTypeOf<Verbs["rewind"]>().toBeCallableWith();
    expectTypeOf<ClaimView["claim"]>().toBeCallableWith({ for: "30m" });
    expectTypeOf<ClaimView["release"]>().returns.toEqualTypeOf<Promise<Result<{ readonly input: InputRow }>>>();
  });

  it("carry what the caller alone knows", () => {
    expectTypeOf<ReturnType<typeof useOutput<string>>["messages"]>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<ReturnType<typeof useResult<Seat>>>().toEqualTypeOf<OutcomeSnapshot<Seat>>();
    expectTypeOf<ReturnType<typeof useDraft<Seat>>["save"]>().parameter(0).toEqualTypeOf<Seat>();
    expectTypeOf<ReturnType<typeof useDraft<Seat>>["value"]>().toEqualTypeOf<Seat | undefined>();
    expectTypeOf<ReturnType<typeof useWizard>["back"]>().returns.toEqualTypeOf<Promise<Submission>>();
  });

  it("leave what there was as it was", () => {
    expectTypeOf<typeof useRun>().toBeCallableWith("r1");
    expectTypeOf<typeof useInput>().toBeCallableWith("r1", "approve:0");
    expectTypeOf<ReturnType<typeof useInput>["answer"]>().toBeCallableWith({ action: "approve" });
  });
});
