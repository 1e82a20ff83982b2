/** Runs by workflow, status, tag and starter, and beside them the one that is open. */
import type { RunRow, RunStatus } from "@signoff/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { ask } from "../model/api";
import type { RunPage as Page } from "../model/api";
import { nameOf, words } from "../model/format";
import { href, navigate, refine } from "../model/route";
import type { Route } from "../model/route";
import { useMe } from "../model/me";
import { usePolled } from "../model/polled";
import { Same } from "../model/same";
import { isNewsOfRun, useSeen } from "../model/seen";
import { Ago, Badge, Empty, Guard, Loading, Notice } from "../parts/basics";
import type { Tone } from "../parts/basics";
import { Choice, Search, useTyped } from "../parts/Controls";
import { useKeys } from "../parts/keys";
import { VirtualList } from "../parts/VirtualList";
import { t } from "../texts";
import { RunPage } from "./RunPage";
import { BULK, fits } from "./fitting";
import type { Verb } from "./fitting";
import { VerbButtons, VerbDialog } from "./verbs";

export const STATUSES: readonly RunStatus[] = ["running", "waiting", "sleeping", "paused", "blocked", "failed", "completed", "cancelled"];
const TONES: Readonly<Record<RunStatus, Tone>> = {
  running: "busy", waiting: "accent", sleeping: "plain", paused: "warn", blocked: "bad", failed: "bad", completed: "good", cancelled: "plain",
};

export function StatusBadge({ status }: { status: RunStatus }) {
  return <Badge tone={TONES[status]}>{t.runs.statuses[status]}</Badge>;
}

export function RunsPage({ route }: { route: Route }) {
  const [runId] = route.path;
  useEffect(() => {
    document.title = `${t.runs.title} · ${t.brand}`;
    return () => { document.title = t.brand; };
  }, []);
  return (
    <div className="split" data-open={runId !== undefined} data-wide="true">
      <section className="pane list-pane" aria-label={t.runs.title}>
        <h1 className="visually-hidden">{t.runs.title}</h1>
        <Listing route={route} />
      </section>
      <div className="pane detail-pane run-pane">
        <Guard what={t.run.tabs.label} of={runId ?? ""}>
          {runId === undefined ? <Empty icon="runs" title={t.runs.pick}><p>{t.runs.pickMore}</p></Empty> : <RunPage key={runId} runId={runId} route={route} back={href(["runs"], listQuery(route))} />}
        </Guard>
      </div>
    </div>
  );
}

/** The filters, without what is about the open run. */
function listQuery(route: Route): URLSearchParams {
  const query = new URLSearchParams(route.query);
  query.delete("tab");
  query.delete("output");
  return query;
}

const FILTERS = ["workflow", "status", "tag", "started_by", "reason"] as const;

function Listing({ route }: { route: Route }) {
  const { me } = useMe();
  const { rows, problem, more, loadMore, again, filtered } = useRunList(route);
  const [selected, setSelected] = useState<ReadonlyMap<string, RunRow>>(new Map());
  const [verb, setVerb] = useState<Verb | null>(null);
  const [known, setKnown] = useState<readonly string[]>([]);
  const named = [...new Set([...known, ...(rows ?? []).map(({ workflow }) => workflow)])].sort();
  if (named.length !== known.length) setKnown(named);
  const chosen = useMemo(() => (rows ?? []).filter(({ id }) => selected.has(id)), [rows, selected]);
  const toggle = useCallback((run: RunRow) => {
    setSelected((before) => {
      const next = new Map(before);
      if (!next.delete(run.id)) next.set(run.id, run);
      return next;
    });
  }, []);
  const all = rows !== undefined && rows.length > 0 && chosen.length === rows.length;
  const fitting = (one: Verb): RunRow[] => chosen.filter((run) => fits(one, run));
  const set = (name: string, how?: "replace") => (value: string): void => { refine(route, { [name]: value === "" ? null : value }, how); };
  return (
    <>
      <header className="pane-head">
        <div className="pane-top">
          <Search label={t.runs.search} value={route.query.get("workflow") ?? ""} onChange={set("workflow", "replace")} list={known} primary />
          <Choice label={t.runs.status} bare value={route.query.get("status") ?? ""} onChange={set("status")} options={[["", t.runs.any], ...STATUSES.map((one) => [one, t.runs.statuses[one]] as const)]} />
        </div>
        <div className="pane-choices">
          <Small label={t.runs.tag} value={route.query.get("tag") ?? ""} onChange={set("tag")} />
          <Small label={t.runs.starter} value={route.query.get("started_by") ?? ""} onChange={set("started_by")} />
        </div>
        {rows !== undefined && rows.length > 0 && (
          <div className="bulk">
            {me.operator && (
              <label className="check"><input type="checkbox" checked={all} onChange={() => { setSelected(all ? new Map() : new Map(rows.map((run) => [run.id, run]))); }} />{" "}
                <span>{chosen.length === 0 ? t.runs.selectAll : t.runs.selected(chosen.length)}</span>
              </label>
            )}
            <span className="pane-count" role="status">{t.runs.shown(rows.length, more)}</span>
            {me.operator && chosen.length > 0 && <VerbButtons verbs={BULK.filter((one) => fitting(one).length > 0)} onChoose={setVerb} />}
          </div>
        )}
      </header>
      <Rows route={route} rows={rows} problem={problem} filtered={filtered} selected={me.operator ? selected : undefined} toggle={toggle}
        after={more ? <p className="more-rows"><button type="button" className="button" onClick={loadMore}>{t.runs.more}</button></p> : undefined} />
      {verb !== null && <Acting verb={verb} runs={fitting(verb)} onClose={() => { setVerb(null); setSelected(new Map()); again(); }} />}
    </>
  );
}

/** Keeps the runs as they were chosen, while the list below changes by what is done to them. */
function Acting({ verb, runs, onClose }: { verb: Verb; runs: readonly RunRow[]; onClose: () => void }) {
  const [held] = useState(runs);
  return <VerbDialog verb={verb} runs={held} onClose={onClose} />;
}

function Small({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useTyped(value);
  return (
    <label className="small-field">
      <span className="visually-hidden">{label}</span>
      <input className="control" placeholder={label} value={typed} onInput={(event) => { setTyped(event.currentTarget.value); }}
        onChange={(event) => { onChange(event.currentTarget.value.trim()); }} onKeyDown={(event) => { if (event.key === "Enter") onChange(typed.trim()); }} onBlur={() => { onChange(typed.trim()); }} />
    </label>
  );
}

interface RowsProps {
  route: Route;
  rows: readonly RunRow[] | undefined;
  problem: { readonly title: string; readonly detail: string; readonly status: number } | undefined;
  filtered: boolean;
  selected: ReadonlyMap<string, RunRow> | undefined;
  toggle: (run: RunRow) => void;
  after: React.ReactNode;
}

function Rows({ route, rows, problem, filtered, selected, toggle, after }: RowsProps) {
  useSeen();
  const [runId] = route.path;
  const query = listQuery(route);
  const [target, setTarget] = useState<{ index: number; focus: boolean; nonce: number }>();
  const nonce = useRef(0);
  useKeys((pressed) => {
    if (rows === undefined || rows.length === 0) return false;
    const inside = document.activeElement?.closest(".run-row") ?? null;
    const step = pressed === "j" || (inside !== null && pressed === "ArrowDown") ? 1 : pressed === "k" || (inside !== null && pressed === "ArrowUp") ? -1 : 0;
    if (step !== 0) {
      const focused = Number(inside?.closest("[data-index]")?.getAttribute("data-index") ?? Number.NaN);
      const from = Number.isNaN(focused) ? rows.findIndex(({ id }) => id === runId) : focused;
      nonce.current++;
      setTarget({ index: Math.max(0, Math.min(rows.length - 1, from + step)), focus: true, nonce: nonce.current });
      return true;
    }
    if (pressed !== "Escape" || runId === undefined) return false;
    navigate(href(["runs"], query));
    return true;
  });
  if (rows === undefined) {
    if (problem === undefined) return <Loading label={t.runs.loading} rows={6} />;
    return <div className="pad"><Notice tone="bad" role="alert" title={t.runs.failed}><p>{problem.detail || problem.title}</p></Notice></div>;
  }
  if (rows.length === 0) {
    return filtered ? (
      <Empty icon="search" title={t.runs.none}>
        <p>{t.runs.noneMore}</p>
        <button type="button" className="button" onClick={() => { refine(route, Object.fromEntries(FILTERS.map((name) => [name, null]))); }}>{t.runs.clear}</button>
      </Empty>
    ) : <Empty icon="runs" title={t.runs.empty}><p>{t.runs.emptyMore}</p></Empty>;
  }
  return (
    <VirtualList label={t.runs.list} items={rows} keyOf={idOf} estimate={4.25} target={target} home={target?.index ?? rows.findIndex(({ id }) => id === runId)} after={after}>
      {(run, _, tabIndex) => (
        <div className="run-row" data-selectable={selected !== undefined}>
          {selected !== undefined && <input type="checkbox" tabIndex={tabIndex} aria-label={t.runs.select(run.id)} checked={selected.has(run.id)} onChange={() => { toggle(run); }} />}
          <a className="row" href={href(["runs", run.id], query)} tabIndex={tabIndex} aria-current={run.id === runId ? "page" : undefined}>
            <span className="row-line">
              {isNewsOfRun(run) && <span className="dot" data-news="changed" title={t.inbox.revised} />}
              <span className="row-title">{words(run.workflow)} <span className="mono faint">{run.id}</span></span>
              {isNewsOfRun(run) && <span className="visually-hidden">{t.inbox.revised}</span>}
              <StatusBadge status={run.status} />
            </span>
            <span className="row-line row-more">
              <span className="row-faint">
                <Ago at={run.created_at} brief />
                {run.started_by !== null && <><span aria-hidden="true">·</span><span>{nameOf(run.started_by)}</span></>}
                {run.error !== null && <><span aria-hidden="true">·</span><span className="row-who" dir="auto">{run.error.message ?? words(run.error.code)}</span></>}
                {run.error === null && run.tags.length > 0 && <><span aria-hidden="true">·</span><span className="row-who" dir="auto">{run.tags.join(", ")}</span></>}
              </span>
            </span>
          </a>
        </div>
      )}
    </VirtualList>
  );
}

function idOf({ id }: RunRow): string {
  return id;
}

const PAGE = "100";

/** How often to look for what no listing tells: runs of a workflow that none is shown of. */
const EVERY_MS = 5_000;

function listingsOf({ runs }: Page): readonly string[] {
  return runs.map(({ workflow }) => `workflows/${workflow}`);
}

/** The newest runs, kept up to date, and as many older pages as were asked for. */
function useRunList(route: Route) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, route.query.get(name) ?? ""]));
  const { reason = "", ...asked } = filters;
  const name = JSON.stringify(asked);
  const { value, problem, again } = usePolled<Page>(name, (client, signal) => ask<Page>(client, "runs", { ...asked, limit: PAGE }, signal), EVERY_MS, listingsOf);
  const [older, setOlder] = useState<{ name: string; runs: readonly RunRow[]; cursor: string | null } | undefined>();
  const [wanted, setWanted] = useState<{ name: string; cursor: string } | null>(null);
  const mine = older?.name === name ? older : undefined;
  const page = usePolled<Page>(wanted?.name === name ? `${name} ${wanted.cursor}` : null, (client, signal) => ask<Page>(client, "runs", { ...asked, limit: "500", cursor: wanted?.cursor ?? "" }, signal), null);
  const [added, setAdded] = useState<Page>();
  const got = page.value;
  if (got !== undefined && got !== added) {
    setAdded(got);
    setOlder((before) => ({ name, runs: [...(before?.name === name ? before.runs : []), ...got.runs], cursor: got.cursor }));
    setWanted(null);
  }
  const [same] = useState(() => new Same<RunRow>(idOf, ({ updated_at, status }) => `${updated_at} ${status}`));
  const rows = useMemo(() => {
    if (value === undefined) return undefined;
    const unique = new Map<string, RunRow>();
    for (const run of [...value.runs, ...(mine?.runs ?? [])]) {
      if (!unique.has(run.id) && (reason === "" || run.error?.code === reason)) unique.set(run.id, run);
    }
    return same.keep([...unique.values()]);
  }, [same, value, mine, reason]);
  const cursor = mine === undefined ? (value?.cursor ?? null) : mine.cursor;
  return {
    rows, problem, again, more: cursor !== null, filtered: FILTERS.some((one) => filters[one] !== ""),
    loadMore: () => { if (cursor !== null) setWanted({ name, cursor }); },
  };
}
