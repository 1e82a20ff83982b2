import type { ConnectionState as State, SignoffProblem } from "@signoff/client";

const TEXT: Record<State, string> = {
  connecting: "Connecting …",
  live: "Live",
  reconnecting: "Reconnecting …",
  ended: "Complete",
  failed: "Not connected",
};

/** Say whether what is on the screen is the present. */
export function ConnectionState({ connection, error }: { connection: State; error?: SignoffProblem | undefined }) {
  return (
    <p className="connection" data-state={connection} role="status" aria-label="Connection">
      <i aria-hidden="true" />
      {TEXT[connection]}
      {connection === "failed" && error && <span className="visually-hidden">: {error.title}</span>}
    </p>
  );
}
