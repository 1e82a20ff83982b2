import { AutoForm, useInput } from "../../src/react/index.js";

export function Request({ runId }: { runId: string }) {
  return <AutoForm input={useInput(runId, "approve:0")} me="user:alice" />;
}
