/** What somebody writes who has the package without a framework. */
import { RunEndedError, createSignoff, inputKey, memoryStorage } from "@signoff/client";
import type { InputRow, RunStatus, Signoff, Submission } from "@signoff/client";

const signoff: Signoff = createSignoff({ url: "http://127.0.0.1:4437", token: () => "t", storage: memoryStorage() });

export async function approve(row: InputRow): Promise<string> {
  const view = signoff.input(row.run_id, inputKey(row));
  const stop = view.subscribe(() => undefined);
  const outcome: Submission = await view.answer({ action: "approve", value: { approved: true } });
  stop();
  if (outcome.status === "invalid") return outcome.errors.map((error) => error.message).join(", ");
  if (outcome.status === "decided") return outcome.by?.id ?? "somebody else";
  return outcome.status;
}

export async function run(): Promise<unknown> {
  const started = await signoff.startRun({ workflow: "expense", input: 7, runId: "claim-7" });
  if (!started.ok) throw new Error(started.problem.detail ?? started.problem.code);
  const status: RunStatus = started.run.status;
  try {
    return status === "completed" ? null : await signoff.result(started.run.id, { timeout: 1_000 });
  } catch (error) {
    if (error instanceof RunEndedError) return error.code ?? null;
    throw error;
  }
}

// @ts-expect-error An address is needed.
createSignoff({});
// @ts-expect-error What operators do has names.
void signoff.act("reboot", "claim-7");
