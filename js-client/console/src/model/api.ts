/** What the console asks that no view of the client shows: lists, findings. */
import type { DoctorReply, InputRow, RunRow, Signoff, SignoffProblem } from "@signoff/client";
import { t } from "../texts";

export type Told<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };
export type Problem = Pick<SignoffProblem, "title" | "status"> & { readonly code: string; readonly detail: string };

export interface JournalEntry {
  readonly type: string;
  readonly at: number;
  readonly id?: string;
  readonly [member: string]: unknown;
}

export type ListQuery = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Ask for something below `/v1/`; what goes wrong is told and not thrown. */
export async function ask<T>(client: Signoff, path: string, query: ListQuery = {}, signal?: AbortSignal): Promise<Told<T>> {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value ?? []].flat()) if (one !== "") asked.append(name, one);
  }
  const tail = asked.toString();
  try {
    const reply = await client.fetch(`v1/${path}${tail === "" ? "" : `?${tail}`}`, signal === undefined ? {} : { signal });
    const body = (await reply.json()) as unknown;
    return reply.ok ? { ok: true, value: body as T } : { ok: false, problem: problemOf(body, reply.status) };
  } catch (error) {
    return { ok: false, problem: { title: t.trouble.unreachable, detail: error instanceof Error ? error.message : "", status: 0, code: "network" } };
  }
}

function problemOf(body: unknown, status: number): Problem {
  const { title, detail, code } = (typeof body === "object" && body !== null ? body : {}) as Partial<Problem>;
  return { title: title ?? t.trouble.refused(status), detail: detail ?? "", code: code ?? "", status };
}

export interface InputPage {
  readonly inputs: readonly InputRow[];
  readonly cursor: string | null;
}

export interface RunPage {
  readonly runs: readonly RunRow[];
  readonly cursor: string | null;
}

/** All pending requests that the caller may see, page after page. */
export async function allInputs(client: Signoff, audience: string | undefined, signal: AbortSignal): Promise<Told<readonly InputRow[]>> {
  const found: InputRow[] = [];
  let cursor: string | null = null;
  do {
    const page: Told<InputPage> = await ask<InputPage>(client, "inputs", { audience, limit: "500", cursor: cursor ?? undefined }, signal);
    if (!page.ok) return page;
    found.push(...page.value.inputs);
    ({ cursor } = page.value);
  } while (cursor !== null && found.length < 20_000);
  return { ok: true, value: found };
}

export function doctor(client: Signoff, signal: AbortSignal): Promise<Told<DoctorReply>> {
  return ask<DoctorReply>(client, "doctor", {}, signal);
}
