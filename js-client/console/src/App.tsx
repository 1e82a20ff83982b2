import type { MeReply } from "@signoff/client";
import { SignoffProvider } from "@signoff/client/react";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { InboxPage } from "./inbox/InboxPage";
import { MeProvider } from "./model/me";
import type { SignedIn } from "./model/me";
import { href, navigate, useRoute } from "./model/route";
import type { Route } from "./model/route";
import { seenBy } from "./model/seen";
import { SessionStore } from "./model/session";
import { Empty, Guard, Loading, Notice } from "./parts/basics";
import { Icon } from "./parts/Icon";
import type { IconName } from "./parts/Icon";
import { KeysHelp } from "./parts/KeysHelp";
import { useKeys } from "./parts/keys";
import { SignIn } from "./parts/SignIn";
import { Undelivered } from "./parts/Undelivered";
import { YouAre } from "./parts/YouAre";
import { RunsPage } from "./runs/RunsPage";
import { SystemPage } from "./system/SystemPage";
import { t } from "./texts";

const sessions = new SessionStore();

export function App() {
  const session = useSyncExternalStore(sessions.subscribe, sessions.get, sessions.get);
  useEffect(() => { void sessions.check(); }, []);
  useEffect(() => {
    if (session.state !== "unreachable") return;
    const again = setInterval(() => void sessions.check(), 3000);
    return () => { clearInterval(again); };
  }, [session.state]);
  // A token that has run out leaves the page as it is, behind the question for another.
  const shown = session.state === "in" ? session : session.state === "out" ? session.before : null;
  if (shown !== null) {
    seenBy(shown.me.person ?? "operator");
    return (
      <>
        <SignoffProvider client={shown.client} key={shown.me.person ?? "operator"}>
          <MeProvider value={shown}><Shell session={shown} /></MeProvider>
        </SignoffProvider>
        {session.state === "out" && <SignIn by={session.by} refused={session.refused} sessions={sessions} over />}
      </>
    );
  }
  return (
    <div className="gate">
      <Brand />
      <main className="gate-main" id="main">
        {session.state === "checking" && <Loading label={t.signIn.checking} />}
        {session.state === "unreachable" && (
          <Notice tone="bad" role="alert" title={t.trouble.unreachable}><p>{t.trouble.unreachableMore}</p></Notice>
        )}
        {session.state === "out" && <SignIn by={session.by} refused={session.refused} sessions={sessions} />}
      </main>
    </div>
  );
}

function Brand() {
  return (
    <a className="brand" href={href(["inbox"])}>
      <svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M8 17l5 5L24 10" /></svg>
      {t.brand}
    </a>
  );
}

const PAGES: readonly (readonly [page: string, label: string, icon: IconName])[] = [
  ["inbox", t.nav.inbox, "inbox"], ["runs", t.nav.runs, "runs"], ["system", t.nav.system, "system"],
];

function Shell({ session }: { session: SignedIn }) {
  const route = useRoute();
  const [help, setHelp] = useState(false);
  const online = useOnline();
  const going = useRef(false);
  useKeys((key) => {
    const to = going.current ? ({ i: "inbox", r: "runs", s: "system" } as Readonly<Record<string, string>>)[key] : undefined;
    going.current = key === "g";
    if (to !== undefined) navigate(href([to]));
    else if (key === "?") setHelp(true);
    else return false;
    return true;
  });
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={skipToMain}>{t.skip}</a>
      <header className="bar">
        <Brand />
        <nav aria-label={t.nav.label}>
          {PAGES.filter(([page]) => isFor(page, session.me)).map(([page, label, icon]) => (
            <a key={page} href={href([page])} aria-current={route.page === page ? "page" : undefined}><Icon name={icon} />{label}</a>
          ))}
        </nav>
        <span className="bar-end">
          <button type="button" className="button quiet icon-only keys-button" aria-label={t.keys.open} title={t.keys.open} onClick={() => { setHelp(true); }}>
            <Icon name="keyboard" />
          </button>
          <YouAre session={session} sessions={sessions} />
        </span>
      </header>
      <main className="main" id="main" tabIndex={-1}>
        <Guard what={route.page} of={`${route.page}/${route.path.join("/")}`}><Page route={route} /></Guard>
      </main>
      {/* Below what one reads and presses, so that it moves nothing under the pointer. */}
      {!online && <p className="offline" role="status">{t.connection.offline}</p>}
      <Undelivered />
      {help && <KeysHelp onClose={() => { setHelp(false); }} />}
    </div>
  );
}

/** Pages that could only say that one may not look are not offered. */
function isFor(page: string, { operator, grants }: MeReply): boolean {
  if (operator || page === "inbox") return true;
  return page === "runs" && grants.some((grant) => grant.startsWith("workflow:list:") || grant.startsWith("run:read:"));
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case "inbox":
      return <InboxPage route={route} />;
    case "runs":
      return <RunsPage route={route} />;
    case "system":
      return <SystemPage />;
    default:
      return <Empty icon="alert" title={t.trouble.page}><p><a className="button" href={href(["inbox"])}>{t.nav.inbox}</a></p></Empty>;
  }
}

/** What is behind the `#` is the router's, so the skip link moves the focus itself. */
function skipToMain(event: React.MouseEvent): void {
  event.preventDefault();
  const main = document.querySelector<HTMLElement>("#main");
  (main?.querySelector<HTMLElement>("a, button, input") ?? main)?.focus();
}

function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const read = (): void => { setOnline(navigator.onLine); };
    addEventListener("online", read);
    addEventListener("offline", read);
    return () => {
      removeEventListener("online", read);
      removeEventListener("offline", read);
    };
  }, []);
  return online;
}
