/** A real Durable Streams server, and State Protocol messages to put on it. */
import type { Server } from "node:http";
import { DurableStreamTestServer } from "@durable-streams/server";
import type { InputRow, RunRow, StepRow } from "../../src/index.js";

export type Operation = "insert" | "update" | "delete";

export interface Message {
  readonly type: string;
  readonly key: string;
  readonly value?: unknown;
  readonly headers: { readonly operation: Operation; readonly txid?: string; readonly timestamp: string };
}

const TIME = "2026-03-01T09:30:00.000Z";

export function message(type: string, operation: Operation, key: string, value?: object, txid?: string): Message {
  return {
    type,
    key,
    ...(value === undefined ? {} : { value }),
    headers: { operation, timestamp: TIME, ...(txid === undefined ? {} : { txid }) },
  };
}

export function runRow(change: Partial<RunRow> = {}): RunRow {
  return {
    id: "r1", workflow: "expense", version: "1", status: "waiting", created_at: TIME, updated_at: TIME,
    tags: [], parent: null, started_by: null, error: null, ...change,
  };
}

export function stepRow(change: Partial<StepRow> = {}): StepRow {
  return {
    id: "check:0", name: "check", n: 0, label: null, status: "completed", attempt: 1, started_at: TIME,
    ended_at: TIME, retry_at: null, error: null, ...change,
  };
}

export function inputRow(change: Partial<InputRow> = {}): InputRow {
  return {
    id: "approve:0", run_id: "r1", workflow: "expense", name: "approve", n: 0, title: "Approve?", description: null,
    schema: { type: "object" }, form: null, ui: {}, show: { amount: 120 }, initial: null, actions: ["approve", "reject"],
    choices: {
      approve: { label: "Approve", intent: "positive", confirm: null },
      reject: { label: "Reject", intent: "negative", confirm: null },
    },
    audience: ["group:finance"], forbid: [], quorum: null, votes: [], claim: null, deadline: null, revision: 0,
    revised: "0000000000000002", errors: [], status: "pending", asked_at: TIME, decided_by: null, decided_at: null,
    action: null, reason: null, schedule: [], wizard: null, history: [], ...change,
  };
}

/** A stream server that can be stopped and started again on its port. */
export class StreamServer {
  #server: DurableStreamTestServer | undefined;
  #port = 0;

  async start(): Promise<this> {
    this.#server = new DurableStreamTestServer({ port: this.#port, host: "127.0.0.1" });
    this.#port = Number(new URL(await this.#server.start()).port);
    return this;
  }

  async stop(): Promise<void> {
    const stopped = this.#server?.stop();
    // It waits for connections that came in while it was stopping; no client of ours lets go of them first.
    const { server: http } = (this.#server ?? {}) as unknown as { server?: Server };
    http?.closeAllConnections();
    await stopped;
    this.#server = undefined;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get server(): DurableStreamTestServer {
    if (this.#server === undefined) throw new Error("the stream server is stopped");
    return this.#server;
  }

  async create(path: string, ...messages: readonly Message[]): Promise<void> {
    await this.#request("PUT", path, messages);
  }

  async append(path: string, ...messages: readonly Message[]): Promise<void> {
    await this.#request("POST", path, messages);
  }

  /** Append the last messages and close, in one request. */
  async finish(path: string, ...messages: readonly Message[]): Promise<void> {
    await this.#request("POST", path, messages, { "Stream-Closed": "true" });
  }

  async delete(path: string): Promise<void> {
    await fetch(`${this.url}/v1/stream/${path}`, { method: "DELETE" });
  }

  async #request(method: string, path: string, messages: readonly Message[], headers = {}): Promise<void> {
    const reply = await fetch(`${this.url}/v1/stream/${path}`, {
      method,
      headers: { "Content-Type": "application/json", ...headers },
      ...(messages.length === 0 ? {} : { body: JSON.stringify(messages) }),
    });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
  }
}
