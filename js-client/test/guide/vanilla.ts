import { createSignoff } from "../../src/index.js";

const client = createSignoff({ url: "/" });

/** Show what a model says into an element, and how the run came out; the returned function ends it. */
export function showTalk(runId: string, into: HTMLElement, signoff = client): () => void {
  const output = signoff.output(runId, "tokens");
  const outcome = signoff.outcome<string>(runId);
  const draw = (): void => {
    const { text, connection } = output.getSnapshot();
    const end = outcome.getSnapshot();
    into.dataset["state"] = end.status === "pending" ? connection : end.status;
    into.textContent = end.status === "failed" ? end.error.message : text;
  };
  const stops = [output.subscribe(draw), outcome.subscribe(draw)];
  draw();
  return () => { for (const stop of stops) stop(); };
}
