/** What an output says, for reading: texts joined, chunks of the AI SDK by what they add, all else as JSON. Pure. */

export type Piece =
  | { readonly kind: "text" | "reasoning"; readonly text: string }
  | { readonly kind: "tool"; readonly name: string; readonly text: string }
  | { readonly kind: "json"; readonly text: string };

/** Chunks of the AI SDK that say where something begins and ends, and nothing else. */
const FRAMES = new Set(["start", "finish", "start-step", "finish-step", "text-start", "text-end", "reasoning-start", "reasoning-end", "tool-input-start", "tool-input-delta", "tool-approval-request"]);

export function piecesOf(messages: readonly unknown[]): readonly Piece[] {
  const pieces: Piece[] = [];
  let closed = false;
  for (const message of messages) {
    const piece = pieceOf(message);
    if (piece === null) {
      // What follows is another part of the answer.
      closed = true;
      continue;
    }
    const last = pieces.at(-1);
    if (!closed && last?.kind === piece.kind && (piece.kind === "text" || piece.kind === "reasoning")) pieces[pieces.length - 1] = { ...last, text: last.text + piece.text };
    else pieces.push(piece);
    closed = false;
  }
  return pieces;
}

function pieceOf(message: unknown): Piece | null {
  if (typeof message === "string") return { kind: "text", text: message };
  const { type, delta, toolName, input } = (typeof message === "object" && message !== null ? message : {}) as Readonly<Record<string, unknown>>;
  if (type === "tool-input-available" && typeof toolName === "string") return { kind: "tool", name: toolName, text: JSON.stringify(input) };
  if (typeof type === "string" && FRAMES.has(type)) return null;
  if (typeof delta === "string") return { kind: type === "reasoning-delta" ? "reasoning" : "text", text: delta };
  return { kind: "json", text: JSON.stringify(message) };
}
