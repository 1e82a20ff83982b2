import type { ConnectionState, SignoffProblem } from "@signoff/client";
import { Ago } from "./basics";

const TEXT: Record<ConnectionState, string> = {
  connecting: "Connecting …",
  live: "Live",
  reconnecting: "Reconnecting …",
  ended: "Complete",
  failed: "Not connected",
};

interface Props {
  connection: ConnectionState;
  error?: SignoffProblem | undefined;
  /** When what is shown was last known to be complete, if it may be old. */
  asOf?: string | undefined;
}

/** Say whether what is on the screen is the present, and if not, how old it is. */
export function ConnectionStatus({ connection, error, asOf }: Props) {
  return (
    <p className="connection" data-state={connection}>
      <i aria-hidden="true" />
      <span role="status" aria-label="Connection">
        {TEXT[connection]}
        {connection === "failed" && error && <span className="visually-hidden">: {error.title}</span>}
      </span>
      {asOf !== undefined && (
        <span>
          · as it was <Ago at={asOf} brief />
        </span>
      )}
    </p>
  );
}
