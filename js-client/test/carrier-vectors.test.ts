/** The frames of a live connection, as the protocol's vectors have them, however they are cut on the way. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PageCarrier } from "../src/carrier.js";

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  body: string;
  ended: boolean;
}

interface LiveCase {
  readonly name: string;
  readonly frames: string;
  readonly reads: readonly string[];
  readonly responses: Readonly<Record<string, Got>>;
}

const text = readFileSync(new URL("../../protocol/vectors/live.json", import.meta.url), "utf8");
const { cases } = JSON.parse(text) as { cases: LiveCase[] };

describe.each(cases)("$name", ({ frames, reads, responses }) => {
  it.each([1, 7, 10_000])("in pieces of %i bytes", async (size) => {
    const bytes = new TextEncoder().encode(frames);
    const got: Record<string, Got> = {};
    let opened: { join: { id: string }[] } | undefined;
    let go = (): void => undefined;
    const answered = new Promise<void>((resolve) => { go = resolve; });
    const fetch: typeof globalThis.fetch = (_input, init) => {
      opened = JSON.parse(init?.body as string) as { join: { id: string }[] };
      const names = new Map(opened.join.map(({ id }, n) => [reads[n] ?? "", id]));
      // The carrier names its reads itself: the vector's names are put in their place.
      const named = frames.replace(/"id":"(\w+)"/g, (_whole, id: string) => `"id":"${names.get(id) ?? `not-${id}`}"`);
      const sent = size >= bytes.length ? [named] : named.match(new RegExp(`[^]{1,${size}}`, "gu")) ?? [];
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of sent) controller.enqueue(new TextEncoder().encode(piece));
          setTimeout(go, 20);
        },
      });
      return Promise.resolve(new Response(body, { headers: { "Content-Type": "text/event-stream" } }));
    };
    const carrier = new PageCarrier("http://x.example", fetch);
    for (const id of reads) {
      carrier.carry({ path: "chat", offset: "-1", cursor: undefined, authorization: undefined }, {
        onOpened: (status, headers) => { got[id] = { status, headers, body: "", ended: false }; },
        onBody: (piece) => { if (got[id] !== undefined) got[id].body += piece; },
        onEnded: () => { if (got[id] !== undefined) got[id].ended = true; },
        onFailed: () => undefined,
      });
    }
    await answered;
    expect(got).toStrictEqual(responses);
    carrier.close();
  });
});
