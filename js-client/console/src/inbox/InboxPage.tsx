/** What waits for a person, and beside it the request that is open. */
import { inputKey } from "@signoff/client";
import type { InputRow } from "@signoff/client";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNow } from "../model/clock";
import { href, navigate, refine } from "../model/route";
import type { Route } from "../model/route";
import { nameIn, newsOf, useSeen } from "../model/seen";
import { useMe } from "../model/me";
import { Connection, Empty, Guard, Loading, Notice } from "../parts/basics";
import { Chips, Choice, Search } from "../parts/Controls";
import { useKeys } from "../parts/keys";
import { VirtualList } from "../parts/VirtualList";
import { RequestPage } from "../request/RequestPage";
import { t } from "../texts";
import { nameOf, words } from "../model/format";
import { SORTS, VIEWS, listed, saidIn, wantedOf } from "./model";
import type { Listed, SaidIn, Wanted } from "./model";
import { RequestRow } from "./RequestRow";
import { useRequests } from "./requests";
import type { Requests } from "./requests";

export function InboxPage({ route }: { route: Route }) {
  const { me } = useMe();
  const [runId, key] = route.path;
  const everybody = me.operator && (me.person === null || route.query.get("scope") === "all");
  const requests = useRequests(me, everybody);
  const now = useNow(10_000);
  const seen = useSeen();
  const wanted = wantedOf(route.query);
  const said = useMemo(() => saidIn(requests.comments), [requests.comments]);
  const found = useMemo(
    () => listed(requests.requests ?? [], wanted, now, me.person, said),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what has been seen is read by `listed`
    [requests.requests, wanted.view, wanted.sort, wanted.search, wanted.workflow, wanted.to, now, me.person, said, seen],
  );
  const open = runId !== undefined && key !== undefined;
  const waiting = requests.requests?.length ?? 0;
  useEffect(() => {
    document.title = waiting === 0 ? t.brand : `(${waiting}) ${t.brand}`;
  }, [waiting]);
  useEffect(() => () => { document.title = t.brand; }, []);
  return (
    <div className="split" data-open={open} data-empty={requests.requests?.length === 0 && !open}>
      <section className="pane list-pane" aria-label={t.inbox.title}>
        <h1 className="visually-hidden">{t.inbox.title}</h1>
        <Filters route={route} wanted={wanted} found={found} requests={requests} everybody={everybody} />
        <Rows route={route} found={found} requests={requests} everybody={everybody} said={said} />
      </section>
      <div className="pane detail-pane">
        <Guard what={t.request.decide} of={`${runId ?? ""}/${key ?? ""}`}>
          {open ? (
            <RequestPage key={`${runId}/${key}`} runId={runId} inputKey={key} back={href(["inbox"], route.query)}
              next={nextOf(found.requests, runId, key, route.query)} />
          ) : waiting > 0 ? (
            <Empty icon="inbox" title={t.inbox.pick}><p>{t.inbox.pickMore}</p></Empty>
          ) : null}
        </Guard>
      </div>
    </div>
  );
}

/** Where to go after this one. */
function nextOf(requests: readonly InputRow[], runId: string, key: string, query: URLSearchParams): string | null {
  const at = requests.findIndex((row) => row.run_id === runId && inputKey(row) === key);
  const next = requests[at + 1] ?? requests.find((_, index) => index !== at);
  return next === undefined ? null : href(["inbox", next.run_id, inputKey(next)], query);
}

interface PartProps {
  route: Route;
  found: Listed;
  requests: Requests;
  everybody: boolean;
}

function Filters({ route, wanted, found, requests, everybody }: PartProps & { wanted: Wanted }) {
  const { me } = useMe();
  const all = requests.requests?.length ?? 0;
  const names: Readonly<Record<string, string>> = t.inbox as unknown as Record<string, string>;
  const chips = VIEWS.filter((view) => view === "all" || view === wanted.view || (found.counts[view] > 0 && found.counts[view] < found.counts.all)).map((view) => ({
    value: view, label: names[view] ?? view, count: found.counts[view], ...(view === "overdue" ? { tone: "bad" } : {}),
  }));
  const change = (name: string, unless: string, how?: "replace") => (value: string): void => { refine(route, { [name]: value === unless ? null : value }, how); };
  return (
    <header className="pane-head">
      <div className="pane-top">
        <Search label={t.inbox.search} value={wanted.search} onChange={change("q", "", "replace")} primary />
        <Connection state={requests.connection} asOf={requests.asOf} />
      </div>
      {all > 0 && (
        <>
          <Chips label={t.inbox.filters} value={wanted.view} chips={chips} onChange={change("view", "all")} />
          <div className="pane-choices">
            {found.workflows.length > 1 && (
              <Choice label={t.inbox.workflow} bare value={wanted.workflow} onChange={change("workflow", "")}
                options={[["", t.inbox.anyWorkflow], ...found.workflows.map((one) => [one, words(one)] as const)]} />
            )}
            {(found.principals.length > 1 || wanted.to !== "") && (
              <Choice label={t.inbox.to} bare value={wanted.to} onChange={change("to", "")}
                options={[["", t.inbox.anybody], ...[...new Set([...found.principals, ...(wanted.to === "" ? [] : [wanted.to])])].map((one) => [one, nameOf(one, me.person)] as const)]} />
            )}
            <Choice label={t.inbox.sort} bare value={wanted.sort} onChange={change("sort", "new")} options={SORTS.map((one) => [one, t.inbox.sorts[one]])} />
            <span className="visually-hidden" role="status">{t.inbox.shown(found.requests.length, all)}</span>
          </div>
        </>
      )}
      {me.operator && me.person !== null && (
        <Choice label={t.inbox.scope} value={everybody ? "all" : "mine"} onChange={change("scope", "mine")}
          options={[["mine", t.inbox.scopes.mine], ["all", t.inbox.scopes.all]]} />
      )}
    </header>
  );
}

function Rows({ route, found, requests, everybody, said }: PartProps & { said: SaidIn }) {
  const { me } = useMe();
  useSeen();
  const [runId, key] = route.path;
  const query = route.query.toString();
  const [target, setTarget] = useState<{ index: number; focus: boolean; nonce: number }>();
  const nonce = useRef(0);
  const rows = found.requests;
  useKeys((pressed) => {
    if (rows.length === 0) return false;
    const inside = document.activeElement?.closest(".request-row") ?? null;
    const step = pressed === "j" || (inside !== null && pressed === "ArrowDown") ? 1 : pressed === "k" || (inside !== null && pressed === "ArrowUp") ? -1 : 0;
    if (step !== 0) {
      const focused = Number(inside?.closest("[data-index]")?.getAttribute("data-index") ?? Number.NaN);
      const opened = rows.findIndex((row) => row.run_id === runId && inputKey(row) === key);
      const from = Number.isNaN(focused) ? opened : focused;
      nonce.current++;
      setTarget({ index: Math.max(0, Math.min(rows.length - 1, from + step)), focus: true, nonce: nonce.current });
      return true;
    }
    if (pressed !== "Escape" || runId === undefined) return false;
    navigate(href(["inbox"], route.query));
    return true;
  });
  if (requests.requests === undefined) {
    if (requests.problem === undefined) return <Loading label={t.inbox.loading} rows={6} />;
    return <div className="pad"><Notice tone="bad" role="alert" title={t.inbox.failed}><p>{requests.problem.detail || requests.problem.title}</p></Notice></div>;
  }
  if (requests.requests.length === 0) {
    return (
      <Empty icon="check" title={everybody ? t.inbox.emptyAll : t.inbox.empty}>
        <p>{everybody ? t.inbox.emptyAllMore : t.inbox.emptyMore}</p>
      </Empty>
    );
  }
  if (rows.length === 0) {
    return (
      <Empty icon="search" title={t.inbox.none}>
        <p>{t.inbox.noneMore}</p>
        <button type="button" className="button" onClick={() => { refine(route, { q: null, view: null, workflow: null, to: null }); }}>{t.inbox.clear}</button>
      </Empty>
    );
  }
  return (
    <VirtualList label={everybody ? t.inbox.listAll : t.inbox.list} items={rows} keyOf={nameIn} estimate={4.75} target={target}
      home={target?.index ?? rows.findIndex((row) => row.run_id === runId && inputKey(row) === key)}>
      {(row, _, tabIndex) => (
        <RequestRow row={row} tabIndex={tabIndex} me={me.person} news={newsOf(row, me.person, said.get(nameIn(row)))} current={row.run_id === runId && inputKey(row) === key} query={query}
          comments={said.get(nameIn(row))?.length ?? 0} />
      )}
    </VirtualList>
  );
}
