/**
 * A small real server for the answer endpoint, in front of a real stream server.
 *
 * It counts each submission id once, and for the request it is for, as the protocol says, and plays the network's tricks from a
 * table: what a proxy, a crash or a lost reply would do to the next requests.
 */
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { InputRow } from "../../src/index.js";
import { message } from "./streams.js";
import type { StreamServer } from "./streams.js";

export interface AnswerBody {
  readonly submission_id: string;
  readonly action: string;
  readonly value: unknown;
  readonly seen_offset: string;
  readonly asked_at?: string;
}

/** What happens to one request. */
export type Act =
  | "accept"
  /** Recorded, but the reply is lost on the way. */
  | "accept and reset"
  | "reset"
  | "hold"
  | { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> };

export class AnswerServer {
  /** Every answer that arrived, in order. */
  readonly received: AnswerBody[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly paths: string[] = [];
  /** Submission ids that had an effect. */
  readonly effects: string[] = [];
  /** What happens to the next requests; then `accept`. */
  acts: Act[] = [];
  row: InputRow;
  /** What happens to a request that was held; `accept` unless given. */
  heldAct: Act = "accept";
  /** What the next requests for a run's result get; 404 then, as from a server without that. */
  results: { readonly status: number; readonly body: unknown }[] = [];
  /** The status of every reply to whoever asks for the row. */
  refuseReads: number | undefined;
  /** Whether whoever asks for the row gets a sign-in page instead, as from a captive portal. */
  portal = false;
  /** Whether an accepted answer shows in the run's stream. */
  echo = true;
  readonly #streams: StreamServer;
  readonly #held: (() => void)[] = [];
  #server: Server | undefined;
  #port = 0;

  constructor(streams: StreamServer, row: InputRow) {
    this.#streams = streams;
    this.row = row;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    const server = createServer((request, reply) => void this.#serve(request, reply));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise<unknown>((resolve) => {
      if (this.#server === undefined) resolve(undefined);
      else this.#server.close(resolve);
    });
    this.#server = undefined;
  }

  /** Let the requests that are held go on. */
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  async #serve(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    if (url.startsWith("/v1/stream/")) {
      this.#forward(request, reply);
      return;
    }
    if (url === "/v1/live") {
      send(reply, 404, { code: "not_found", title: "No" });
      return;
    }
    if (request.method === "GET" && url.endsWith("/result")) {
      const { status, body } = this.results.shift() ?? { status: 404, body: {} };
      send(reply, status, body);
      return;
    }
    if (request.method === "GET") {
      if (this.portal) send(reply, 200, "<html>Sign in to the wifi</html>");
      else if (this.refuseReads === undefined) send(reply, 200, { input: this.row });
      else send(reply, this.refuseReads, { code: "unauthorized", title: "No" });
      return;
    }
    const body = JSON.parse(await text(request)) as AnswerBody;
    this.received.push(body);
    this.paths.push(url);
    this.authorizations.push(request.headers.authorization);
    await this.#act(this.acts.shift() ?? "accept", body, reply);
  }

  async #act(act: Act, body: AnswerBody, reply: ServerResponse): Promise<void> {
    switch (act) {
      case "reset":
        reply.socket?.destroy();
        return;
      case "accept and reset":
        await this.#accept(body);
        reply.socket?.destroy();
        return;
      case "hold":
        await new Promise<void>((resolve) => this.#held.push(resolve));
        await this.#act(this.heldAct, body, reply);
        return;
      case "accept": {
        if (body.asked_at !== undefined && body.asked_at !== this.row.asked_at && !this.effects.includes(body.submission_id)) {
          send(reply, 409, { code: "stale", title: "It is another one now", row: this.row });
          return;
        }
        const replayed = await this.#accept(body);
        const value = { outcome: "accepted", offset: "0000000000000009", txid: body.submission_id, row: this.row };
        send(reply, 200, value, replayed ? { "Idempotency-Replayed": "true" } : {});
        return;
      }
      default:
        send(reply, act.status, act.body, act.headers);
    }
  }

  async #accept(body: AnswerBody): Promise<boolean> {
    if (this.effects.includes(body.submission_id)) return true;
    this.effects.push(body.submission_id);
    this.row = {
      ...this.row, status: "answered", action: body.action, decided_at: "2026-03-01T09:31:00.000Z",
      decided_by: { kind: "person", id: "user:alice" },
    };
    if (this.echo) {
      await this.#streams.append("runs/r1", message("input", "update", this.row.id, this.row, body.submission_id));
    }
    return false;
  }

  #forward(request: IncomingMessage, reply: ServerResponse): void {
    const onward = httpRequest(
      this.#streams.url + (request.url ?? ""),
      { method: request.method, headers: request.headers },
      (answer) => {
        reply.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(reply);
      },
    );
    onward.on("error", () => reply.destroy());
    reply.on("close", () => onward.destroy());
    request.pipe(onward);
  }
}

function send(reply: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const type = status < 400 ? "application/json" : "application/problem+json";
  reply.writeHead(status, { "Content-Type": type, ...headers });
  reply.end(typeof body === "string" ? body : JSON.stringify(body));
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
