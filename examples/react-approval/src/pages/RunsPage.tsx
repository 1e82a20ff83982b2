/** All runs of the workflow, and beside them the one that is open. */

import type { RunRow } from "@signoff/client";
import { useRuns } from "@signoff/client/react";
import { useDeferredValue, useMemo, useState } from "react";
import { isOver } from "../model/timeline";
import { type Route, hrefOf } from "../model/route";
import type { Person } from "../model/identity";
import { matches, runItem } from "../model/worklist";
import { Ago, Empty, Loading, Said } from "../parts/basics";
import { ConnectionStatus } from "../parts/Connection";
import { Guard } from "../parts/Guard";
import { List, Search } from "../parts/List";
import { RunBadge } from "../parts/Status";
import { RunPage } from "./RunPage";

const FILTERS = { finished: "Finished", open: "Under way", all: "All" } as const;
type Filter = keyof typeof FILTERS;

export function RunsPage({ route, me }: { route: Route & { page: "runs" | "run" }; me: Person }) {
  const { runs, connection, error } = useRuns("expense");
  const open = route.page === "run" ? route.runId : null;
  return (
    <main className="split" data-open={open !== null} id="main">
      <section className="pane list-pane" aria-labelledby="runs">
        <header className="pane-head">
          <h1 id="runs">
            Claims <span className="count">{runs.length}</span>
          </h1>
          <ConnectionStatus connection={connection} error={error} />
        </header>
        <Guard what="The list" of={me.id}>
          <Runs runs={runs} connecting={connection === "connecting"} open={open} />
        </Guard>
      </section>
      {open === null ? (
        <section className="pane detail-pane unopened" aria-label="Run">
          <Empty title="Choose a claim" />
        </section>
      ) : (
        <Guard what="This run" of={open}>
          <RunPage key={open} runId={open} me={me} />
        </Guard>
      )}
    </main>
  );
}

function Runs({ runs, connecting, open }: { runs: readonly RunRow[]; connecting: boolean; open: string | null }) {
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState<Filter>("finished");
  const wanted = useDeferredValue(search);
  const entries = useMemo(() => runs.map((run) => ({ run, item: runItem(run) })), [runs]);
  const found = entries
    .filter(({ run, item }) => passes(run, filter) && matches(item.text, wanted))
    .sort((a, b) => b.run.updated_at.localeCompare(a.run.updated_at));

  if (connecting && runs.length === 0) return <Loading label="Looking for claims" />;
  return (
    <>
      <div className="filters">
        <Search label="Search claims" value={search} onChange={setSearch} />
        <fieldset className="choice small" aria-label="Which claims">
          {Object.entries(FILTERS).map(([name, label]) => (
            <label key={name}>
              <input
                type="radio"
                name="filter"
                checked={filter === name}
                onChange={() => {
                  setFilter(name as Filter);
                }}
              />
              <span>{label}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {found.length === 0 ? (
        <Empty title={runs.length === 0 ? "No claims yet" : "No claim matches"} />
      ) : (
        <List label="Claims" entries={found} keyOf={({ run }) => run.id}>
          {({ run, item }) => (
            <a className="row" href={hrefOf({ page: "run", runId: run.id })} aria-current={run.id === open ? "page" : undefined}>
              <span className="row-title">
                <Said>{item.title}</Said>
              </span>
              <span className="row-amount">{item.amount}</span>
              <span className="row-who">
                <Said>{item.who === "" ? run.id : item.who}</Said> · <Ago at={run.updated_at} brief />
              </span>
              <span className="row-flags">
                <RunBadge run={run} />
              </span>
            </a>
          )}
        </List>
      )}
    </>
  );
}

function passes(run: RunRow, filter: Filter): boolean {
  return filter === "all" || isOver(run) === (filter === "finished");
}
