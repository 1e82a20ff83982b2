import type { RunRow } from "@signoff/client";
import { asReceipt } from "../model/claim";
import { words } from "../model/format";
import { Badge } from "./basics";

const TONES = {
  running: "busy",
  waiting: "warn",
  sleeping: "busy",
  paused: "warn",
  blocked: "bad",
  completed: "good",
  failed: "bad",
  cancelled: "plain",
} as const;

/** What the engine calls sleeping is under way for whoever waits for their money. */
const LABELS: Partial<Record<RunRow["status"], string>> = { running: "Under way", sleeping: "Under way" };

/** Say in one word how a run stands; a finished claim says how it ended. */
export function RunBadge({ run }: { run: RunRow }) {
  const outcome = run.status === "completed" ? asReceipt(run.output)?.outcome : undefined;
  const tone = outcome && outcome !== "paid" ? "plain" : TONES[run.status];
  return <Badge tone={tone}>{outcome === undefined ? (LABELS[run.status] ?? words(run.status)) : words(outcome)}</Badge>;
}
