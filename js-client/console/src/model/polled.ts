/**
 * Lists that no stream has, such as what waits for anybody: they are asked for, and again when streams tell that there may be
 * something new, and every few seconds for what no stream tells. Nothing is asked while nobody looks.
 */
import type { Signoff } from "@signoff/client";
import { useSignoff } from "@signoff/client/react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Problem, Told } from "./api";

export interface Polled<T> {
  readonly value: T | undefined;
  readonly problem: Problem | undefined;
  /** When the value came, as RFC 3339 in UTC. */
  readonly at: string | undefined;
  /** Ask at once: one has changed something oneself. */
  readonly again: () => void;
}

/** How long after a reply it is asked again for news, at the earliest, in milliseconds. */
const GAP_MS = 250;

/** A question that takes long is asked less often: it is at rest this many times as long as it took, and less long for news. */
const REST = 20;
const REST_FOR_NEWS = 5;

interface Wish {
  readonly again: () => void;
  readonly soon: () => void;
}

/**
 * Ask again and again while somebody looks.
 *
 * @param name is what is asked; another one begins anew
 * @param every is how long to wait after a reply, in milliseconds; null asks once
 * @param news are paths of streams: whatever is written to one of them, it is asked anew
 */
export function usePolled<T>(
  name: string | null, question: (client: Signoff, signal: AbortSignal) => Promise<Told<T>>, every: number | null, news?: (value: T) => readonly string[],
): Polled<T> {
  const client = useSignoff();
  const [held, setHeld] = useState<{ name: string | null; value?: T; at?: string; problem?: Problem }>({ name });
  const asked = useRef(question);
  useLayoutEffect(() => { asked.current = question; });
  const wish = useRef<Wish>({ again: () => undefined, soon: () => undefined });
  useEffect(() => {
    if (name === null) return;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const state = { busy: false, missed: false, ended: 0, took: 0 };
    const lookIn = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => void look(), ms);
    };
    const soon = (): void => {
      if (state.busy) state.missed = true;
      else lookIn(Math.max(0, state.ended + Math.max(GAP_MS, REST_FOR_NEWS * state.took) - performance.now()));
    };
    const look = async (): Promise<void> => {
      clearTimeout(timer);
      if (state.busy || document.hidden) return;
      Object.assign(state, { busy: true, missed: false });
      const begun = performance.now();
      const told = await asked.current(client, ending.signal);
      const ended = performance.now();
      Object.assign(state, { busy: false, ended, took: ended - begun });
      if (ending.signal.aborted) return;
      setHeld((before) => {
        const kept = before.name === name && before.value !== undefined ? { value: before.value, ...(before.at === undefined ? {} : { at: before.at }) } : {};
        return told.ok ? { name, value: told.value, at: new Date().toISOString() } : { name, ...kept, problem: told.problem };
      });
      if (state.missed) soon();
      else if (every !== null || !told.ok) lookIn(Math.max(every ?? 2_000, REST * state.took, told.ok ? 0 : 3_000));
    };
    const again = (): void => {
      if (state.busy) state.missed = true;
      else void look();
    };
    wish.current = { again, soon };
    const visible = (): void => { if (!document.hidden) void look(); };
    document.addEventListener("visibilitychange", visible);
    void look();
    return () => {
      ending.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", visible);
    };
  }, [client, name, every]);
  const again = useCallback(() => { wish.current.again(); }, []);
  const soon = useCallback(() => { wish.current.soon(); }, []);
  const mine = held.name === name ? held : undefined;
  useNews(mine?.value === undefined || news === undefined ? NOWHERE : news(mine.value), soon);
  return { value: mine?.value, problem: mine?.problem, at: mine?.at, again };
}

const NOWHERE: readonly string[] = [];

/** So many streams are followed for news at most, which all come over one connection. */
const MOST_STREAMS = 40;

/** Call `onNews` whenever something is written to one of these streams, and once each can be heard. */
function useNews(paths: readonly string[], onNews: () => void): void {
  const client = useSignoff();
  const stops = useRef(new Map<string, () => void>());
  const wanted = JSON.stringify([...new Set(paths)].sort().slice(0, MOST_STREAMS));
  useEffect(() => {
    const followed = stops.current;
    const now = new Set(JSON.parse(wanted) as readonly string[]);
    for (const [path, stop] of followed) {
      if (now.has(path)) continue;
      stop();
      followed.delete(path);
    }
    for (const path of now) {
      if (followed.has(path)) continue;
      const view = client.messages(path, { from: "now", keep: 1 });
      let { connection, messages } = view.getSnapshot();
      followed.set(path, view.subscribe(() => {
        const next = view.getSnapshot();
        const heard = next.messages !== messages || (next.connection === "live" && connection !== "live");
        ({ connection, messages } = next);
        if (heard) onNews();
      }));
    }
  }, [client, wanted, onNews]);
  useEffect(() => {
    const followed = stops.current;
    return () => {
      for (const stop of followed.values()) stop();
      followed.clear();
    };
  }, [client]);
}
