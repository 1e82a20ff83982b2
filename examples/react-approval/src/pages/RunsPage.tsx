/** All runs of the workflow, and beside them the one that is open. */

import type { ConnectionState, RunRow, SignoffProblem } from "@signoff/client";
import { useRuns } from "@signoff/client/react";
import { useDeferredValue, useMemo, useState } from "react";
import { isOver } from "../model/timeline";
import { type Route, hrefOf } from "../model/route";
import type { Person } from "../model/identity";
import { matches, runItem } from "../model/worklist";
import { Ago, Amount, Empty, Loading, Said } from "../parts/basics";
import { ConnectionStatus } from "../parts/Connection";
import { Guard } from "../parts/Guard";
import { Count, List, Search } from "../parts/List";
import { RunBadge } from "../parts/Status";
import { RunPage } from "./RunPage";

const FILTERS = { finished: "Finished", open: "Under way", all: "All" } as const;
type Filter = keyof typeof FILTERS;

export function RunsPage({ route, me }: { route: Route & { page: "runs" | "run" }; me: Person }) {
  const { runs, connection, error, asOf } = useRuns("expense");
  const open = route.page === "run" ? route.runId : null;
  return (
    <main className="split" data-open={open !== null} id="main">
      <section className="pane list-pane" aria-labelledby="runs">
        <Guard what="The list" of={me.id}>
          <Runs runs={runs} connection={connection} error={error} asOf={asOf} open={open} />
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

interface RunsProps {
  runs: readonly RunRow[];
  connection: ConnectionState;
  error: SignoffProblem | undefined;
  asOf: string | undefined;
  open: string | null;
}

function Runs({ runs, connection, error, asOf, open }: RunsProps) {
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState<Filter>("finished");
  const wanted = useDeferredValue(search);
  const entries = useMemo(() => runs.map((run) => ({ run, item: runItem(run) })), [runs]);
  const searched = entries.filter(({ item }) => matches(item.text, wanted));
  const found = searched
    .filter(({ run }) => passes(run, filter))
    .sort((a, b) => b.run.updated_at.localeCompare(a.run.updated_at));

  const head = (
    <header className="pane-head">
      <h1 id="runs">
        Claims <Count shown={found.length} all={entries.length} />
      </h1>
      <ConnectionStatus connection={connection} error={error} asOf={asOf} />
    </header>
  );
  if (connection === "connecting" && runs.length === 0) {
    return (
      <>
        {head}
        <Loading label="Looking for claims" />
      </>
    );
  }
  return (
    <>
      {head}
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
              <span>
                {label} <small className="count">{searched.filter(({ run }) => passes(run, name as Filter)).length}</small>
              </span>
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
              <Amount of={item.amount} />
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
