/** What steps of a run say while they run, as it comes. */
import type { OutputsReply, RunRow } from "@signoff/client";
import { useOutput } from "@signoff/client/react";
import { useEffect, useMemo, useRef } from "react";
import { ask } from "../model/api";
import { usePolled } from "../model/polled";
import { refine } from "../model/route";
import type { Route } from "../model/route";
import { Badge, Connection, Empty, Loading, Notice, Said } from "../parts/basics";
import { Chips } from "../parts/Controls";
import { t } from "../texts";
import { piecesOf } from "./said";
import type { Piece } from "./said";

export function Outputs({ runId, route, run }: { runId: string; route: Route; run: RunRow }) {
  const going = run.status !== "completed" && run.status !== "cancelled" && run.status !== "failed";
  const { value, problem } = usePolled<OutputsReply>(runId, (client, signal) => ask<OutputsReply>(client, `runs/${encodeURIComponent(runId)}/outputs`, {}, signal), going ? 2000 : null);
  if (value === undefined) return problem === undefined ? <Loading label={t.run.loading} /> : <Notice tone="bad" role="alert" title={t.run.outputs.failed}><p>{problem.detail}</p></Notice>;
  const [first] = value.outputs;
  if (first === undefined) return <Empty icon="info" title={t.run.outputs.none}><p>{t.run.outputs.noneMore}</p></Empty>;
  const name = value.outputs.find((one) => one.name === route.query.get("output"))?.name ?? first.name;
  return (
    <div className="column">
      {value.outputs.length > 1 && (
        <Chips label={t.run.outputs.pick} value={name} chips={value.outputs.map((one) => ({ value: one.name, label: one.name }))} onChange={(chosen) => { refine(route, { output: chosen }); }} />
      )}
      <OutputView key={name} runId={runId} name={name} />
    </div>
  );
}

/** So much of it is drawn: the end, which is where it grows. */
const MOST_CHARACTERS = 200_000;
const MOST_MESSAGES = 2_000;

function OutputView({ runId, name }: { runId: string; name: string }) {
  const { connection, error, text, messages, attempt } = useOutput(runId, name);
  const pieces = useMemo(() => piecesOf(messages.slice(-MOST_MESSAGES)), [messages]);
  const end = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  useEffect(() => {
    const { current } = end;
    if (current !== null && follow.current) current.scrollTop = current.scrollHeight;
  }, [text, messages]);
  const plain = messages.length === 0;
  const said = t.run.outputs;
  return (
    <section className="card output" aria-label={name}>
      <p className="output-head">
        <strong className="mono"><Said>{name}</Said></strong>
        {attempt !== undefined && <Badge>{t.run.attempt(attempt.attempt)}</Badge>}
        <Connection state={connection} />
      </p>
      {connection === "failed" && <Notice tone="bad" role="alert" title={said.failed}><p>{error?.detail ?? error?.title}</p></Notice>}
      {plain && text.length > MOST_CHARACTERS && <p className="faint">{said.cut(text.length - MOST_CHARACTERS)}</p>}
      {messages.length > MOST_MESSAGES && <p className="faint">{said.dropped(messages.length - MOST_MESSAGES)}</p>}
      {plain && text === "" ? (connection !== "failed" && <p className="faint">{said.waiting}</p>) : (
        <div className="said" ref={end} tabIndex={0} role="region" aria-label={said.text} onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          follow.current = scrollHeight - scrollTop - clientHeight < 40;
        }}>
          {plain ? <p dir="auto">{text.slice(-MOST_CHARACTERS)}</p> : pieces.map((piece, index) => <PieceView key={index} piece={piece} />)}
        </div>
      )}
    </section>
  );
}

function PieceView({ piece }: { piece: Piece }) {
  switch (piece.kind) {
    case "text":
      return <p dir="auto">{piece.text}</p>;
    case "reasoning":
      return <p dir="auto" className="faint">{piece.text}</p>;
    case "tool":
      return <p><Badge tone="accent">{t.run.outputs.tool(piece.name)}</Badge> <code>{piece.text}</code></p>;
    case "json":
      return <p><code>{piece.text}</code></p>;
  }
}
