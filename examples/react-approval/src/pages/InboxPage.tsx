/** Requests waiting for this person: the list, and beside it the one that is open. */

import type { ConnectionState, InputRow, SignoffProblem } from "@signoff/client";
import { inputKey } from "@signoff/client";
import { useInbox } from "@signoff/client/react";
import { useDeferredValue, useMemo, useState } from "react";
import { useNow } from "../model/clock";
import { relative } from "../model/format";
import type { Person } from "../model/identity";
import { inboxesOf } from "../model/identity";
import { type Route, hrefOf } from "../model/route";
import { matches, requestItem } from "../model/worklist";
import { Ago, Amount, Badge, Empty, Loading, Said } from "../parts/basics";
import { ConnectionStatus } from "../parts/Connection";
import { Guard } from "../parts/Guard";
import { Count, List, Search } from "../parts/List";
import { RequestPage } from "./RequestPage";

const SOON = 24 * 60 * 60 * 1000;

export function InboxPage({ route, me }: { route: Route & { page: "inbox" | "request" }; me: Person }) {
  const principals = useMemo(() => inboxesOf(me), [me]);
  const { requests, connection, error, asOf } = useInbox(principals);
  const open = route.page === "request" ? `${route.runId}/${route.key}` : null;
  return (
    <main className="split" data-open={open !== null} id="main">
      <section className="pane list-pane" aria-labelledby="waiting">
        <Guard what="The list" of={me.id}>
          <Requests requests={requests} connection={connection} error={error} asOf={asOf} open={open} />
        </Guard>
      </section>
      {route.page === "request" ? (
        <Guard what="This request" of={`${me.id}/${open}`}>
          <RequestPage key={`${me.id}/${open}`} runId={route.runId} inputKey={route.key} me={me} next={nextAfter(requests, open)} />
        </Guard>
      ) : (
        <section className="pane detail-pane unopened" aria-label="Request">
          <Empty title={requests.length > 0 ? "Choose a request" : connection === "connecting" ? "One moment" : "Nothing to decide"}>
            {requests.length > 1 && (
              <p className="keys">
                Walk the list with <kbd>j</kbd> and <kbd>k</kbd>, open with <kbd>Enter</kbd>, search with <kbd>/</kbd>.
              </p>
            )}
          </Empty>
        </section>
      )}
    </main>
  );
}

interface RequestsProps {
  requests: readonly InputRow[];
  connection: ConnectionState;
  error: SignoffProblem | undefined;
  asOf: string | undefined;
  open: string | null;
}

function Requests({ requests, connection, error, asOf, open }: RequestsProps) {
  const [search, setSearch] = useState("");
  const [flagged, setFlagged] = useState(false);
  const wanted = useDeferredValue(search);
  const entries = useMemo(() => requests.map((request) => ({ request, item: requestItem(request) })), [requests]);
  const found = entries.filter(({ item }) => matches(item.text, wanted) && (!flagged || item.findings.length > 0));

  const head = (
    <header className="pane-head">
      <h1 id="waiting">
        Waiting for you <Count shown={found.length} all={entries.length} />
      </h1>
      <ConnectionStatus connection={connection} error={error} asOf={asOf} />
    </header>
  );
  if (requests.length === 0) {
    return (
      <>
        {head}
        {connection === "connecting" ? (
          <Loading label="Looking for requests" />
        ) : (
          <Empty title="Nothing is waiting for you">
            <p>New requests appear here by themselves.</p>
          </Empty>
        )}
      </>
    );
  }
  return (
    <>
      {head}
      <div className="filters">
        <Search label="Search requests" value={search} onChange={setSearch} />
        <label className="check">
          <input
            type="checkbox"
            checked={flagged}
            onChange={({ target }) => {
              setFlagged(target.checked);
            }}
          />
          <span>Flagged only</span>
        </label>
      </div>
      <p className="visually-hidden" role="status">
        {found.length === entries.length ? "" : `${found.length} of ${entries.length} requests`}
      </p>
      {found.length === 0 ? (
        <Empty title="No request matches" />
      ) : (
        <List label="Requests waiting for you" entries={found} keyOf={({ request }) => keyOf(request)}>
          {({ request, item }) => (
            <a
              className="row"
              href={hrefOf({ page: "request", runId: request.run_id, key: inputKey(request) })}
              aria-current={keyOf(request) === open ? "page" : undefined}
            >
              <span className="row-title">
                <Said>{item.title}</Said>
              </span>
              <Amount of={item.amount} />
              <span className="row-who">
                <Said>{item.who}</Said> · <Ago at={request.asked_at} brief />
              </span>
              <span className="row-flags">
                <Deadline request={request} />
                {item.findings.length > 0 && (
                  <Badge tone="warn">
                    {item.findings.length} {item.findings.length === 1 ? "flag" : "flags"}
                  </Badge>
                )}
              </span>
            </a>
          )}
        </List>
      )}
    </>
  );
}

/** Every deadline has its place in the list; only one that is near is loud. */
function Deadline({ request }: { request: InputRow }) {
  const now = useNow(60_000);
  if (request.deadline === null) return null;
  const due = <time dateTime={request.deadline}>Due {relative(request.deadline, now, "short")}</time>;
  return now === null || Date.parse(request.deadline) - now > SOON ? <span className="due">{due}</span> : <Badge tone="bad">{due}</Badge>;
}

function keyOf(request: InputRow): string {
  return `${request.run_id}/${inputKey(request)}`;
}

/** The request below the open one; below the last comes the first. */
function nextAfter(requests: readonly InputRow[], open: string | null): InputRow | undefined {
  const here = requests.findIndex((request) => keyOf(request) === open);
  const others = requests.filter((request) => keyOf(request) !== open);
  return others[here] ?? others[0];
}
