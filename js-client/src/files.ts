/**
 * Files that are attached to answers: sent before the answer, which refers to them, and read back.
 *
 * Sending one again under the same id changes nothing, so a lost reply or a moment without a network is no reason to give up.
 */
import { delay } from "./backoff.js";
import type { Backoff } from "./backoff.js";
import { newId } from "./ids.js";
import { badReply, isObject, isPassing, localProblem } from "./problem.js";
import type { SignoffProblem } from "./problem.js";
import type { Attachment, AttachmentReply } from "./protocol.js";
import { after } from "./timer.js";
import type { Reply, Result, Transport } from "./transport.js";

/** How often a file is sent at most. */
const MOST_TRIES = 5;

export interface UploadOptions {
  /** What it is called; a `File` has a name. */
  readonly name?: string;
  /** Made up unless given; the same file under the same id again changes nothing. */
  readonly id?: string;
  /** Gives up; what was sent so far is taken away. */
  readonly signal?: AbortSignal;
  /** Hears how many bytes are on their way, as far as the browser tells. */
  readonly onProgress?: (sent: number, of: number) => void;
}

/** The files of one request. */
export interface InputFiles {
  /**
   * Send a file for an answer to the request; never rejects.
   *
   * @example const sent = await signoff.files("claim-1", "claim:0").upload(file);
   *          if (sent.ok) await view.answer({ action: "submit", value: { receipt: sent.attachment } });
   */
  readonly upload: (file: Blob, options?: UploadOptions) => Promise<Result<{ readonly attachment: Attachment }>>;
  /** Read a file that the request has or shows, or that this person has sent. Its type is never one that a page runs. */
  readonly download: (attachment: Attachment, options?: { readonly signal?: AbortSignal }) => Promise<Result<{ readonly blob: Blob }>>;
  /** Take away a file that is in no answer. */
  readonly remove: (attachment: Attachment) => Promise<Result<object>>;
}

/** True for a value that refers to a file. */
export function isAttachment(value: unknown): value is Attachment {
  return isObject(value) && typeof value["stream"] === "string" && /^runs\/[^/]+\/files\/[^/]+$/.test(value["stream"])
    && typeof value["name"] === "string" && typeof value["type"] === "string" && typeof value["size"] === "number" && typeof value["sha256"] === "string";
}

export function inputFiles(transport: Transport, backoff: Backoff, closed: AbortSignal, runId: string, key: string): InputFiles {
  const at = (file: string): readonly string[] => ["v1", "runs", runId, "inputs", key, "files", file];
  const idOf = ({ stream }: Attachment): string => stream.slice(stream.lastIndexOf("/") + 1);
  return {
    upload: async (file, { name = "name" in file ? String(file.name) : "file", id = newId(), signal, onProgress } = {}) => {
      const gaveUp = (): boolean => closed.aborted || signal?.aborted === true;
      const given = { body: file, type: file.type, query: { name }, signal, onProgress };
      let problem: SignoffProblem = aborted;
      for (let attempt = 0; attempt < MOST_TRIES && !gaveUp(); attempt += 1) {
        const reply: Reply<keyof AttachmentReply> = await transport.bytes("PUT", at(id), given);
        if (reply.ok) {
          const { attachment } = reply.body;
          return isAttachment(attachment) ? { ok: true, attachment } : { ok: false, problem: badReply };
        }
        ({ problem } = reply);
        // Two that send the same file at once: the other one may have come to its end.
        if (!isPassing(problem.status) && problem.code !== "stream_conflict") break;
        if (attempt + 1 < MOST_TRIES) await pause(delay(backoff, attempt, problem.retryAfterMs), signal);
      }
      return { ok: false, problem: gaveUp() ? aborted : problem };
    },
    download: async (attachment, { signal } = {}) => {
      const reply = await transport.bytes("GET", at(idOf(attachment)), { signal, blob: true });
      return reply.ok && reply.blob !== undefined ? { ok: true, blob: reply.blob } : { ok: false, problem: reply.ok ? badReply : reply.problem };
    },
    remove: async (attachment) => {
      const reply = await transport.bytes("DELETE", at(idOf(attachment)), {});
      return reply.ok ? { ok: true } : reply;
    },
  };
}

const aborted: SignoffProblem = localProblem("aborted", "The file was not sent", "It was called off.");

/** Wait, or until it is called off. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = after(ms, resolve);
    signal?.addEventListener("abort", () => {
      cancel();
      resolve();
    }, { once: true });
  });
}
