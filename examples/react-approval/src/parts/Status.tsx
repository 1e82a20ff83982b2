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

/** Say in one word how a run stands; a finished claim says how it ended. */
export function RunBadge({ run }: { run: RunRow }) {
  const outcome = run.status === "completed" ? asReceipt(run.output)?.outcome : undefined;
  const tone = outcome && outcome !== "paid" ? "plain" : TONES[run.status];
  return <Badge tone={tone}>{words(outcome ?? run.status)}</Badge>;
}
