import type { ConnectionState, SignoffProblem } from "@signoff/client";

const TEXT: Record<ConnectionState, string> = {
  connecting: "Connecting …",
  live: "Live",
  reconnecting: "Reconnecting …",
  ended: "Complete",
  failed: "Not connected",
};

/** Say whether what is on the screen is the present. */
export function ConnectionStatus({ connection, error }: { connection: ConnectionState; error?: SignoffProblem | undefined }) {
  return (
    <p className="connection" data-state={connection} role="status" aria-label="Connection">
      <i aria-hidden="true" />
      {TEXT[connection]}
      {connection === "failed" && error && <span className="visually-hidden">: {error.title}</span>}
    </p>
  );
}
