import { SignoffProvider } from "@signoff/client/react";
import { useState } from "react";
import { clientFor } from "./client";
import { type Person, PEOPLE, currentPerson, rememberPerson } from "./model/identity";
import { hrefOf, useRoute } from "./model/route";
import { browserStore } from "./model/store";
import { InboxPage } from "./pages/InboxPage";
import { RunsPage } from "./pages/RunsPage";
import { Guard } from "./parts/Guard";
import { Undelivered } from "./parts/Undelivered";

export function App() {
  const [me, setMe] = useState(() => currentPerson(window.location.search, browserStore));
  const route = useRoute();
  const atRuns = route.page === "runs" || route.page === "run";

  const become = (person: Person) => {
    rememberPerson(person, browserStore);
    // A `?as=` in the address would win over the choice on reload.
    history.replaceState(null, "", window.location.pathname + window.location.hash);
    setMe(person);
  };

  return (
    <SignoffProvider client={clientFor(me)} key={me.id}>
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <header className="bar">
        <span className="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M8 17l5 5L24 10" />
          </svg>
          Expense claims
        </span>
        <nav aria-label="Pages">
          <a href={hrefOf({ page: "inbox" })} aria-current={atRuns ? undefined : "page"}>
            Inbox
          </a>
          <a href={hrefOf({ page: "runs" })} aria-current={atRuns ? "page" : undefined}>
            All claims
          </a>
        </nav>
        <PersonSwitcher me={me} onChange={become} />
      </header>
      <Guard what="This page" of={atRuns ? "runs" : "inbox"}>
        {atRuns ? <RunsPage route={route} me={me} /> : <InboxPage route={route} me={me} />}
      </Guard>
      <Guard what="What was not delivered" of={me.id}>
        <Undelivered me={me} />
      </Guard>
    </SignoffProvider>
  );
}

function PersonSwitcher({ me, onChange }: { me: Person; onChange: (person: Person) => void }) {
  return (
    <label className="person">
      <span>You are</span>
      <select
        value={me.id}
        onChange={({ target }) => {
          const person = PEOPLE.find(({ id }) => id === target.value);
          if (person) onChange(person);
        }}
      >
        {PEOPLE.map(({ id, name, role }) => (
          <option key={id} value={id}>
            {name} · {role}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The address behind `#` is the router's, so the skip link moves the focus itself. */
function skipToMain(event: React.MouseEvent) {
  event.preventDefault();
  document.querySelector<HTMLElement>("#main h1")?.scrollIntoView();
  document.querySelector<HTMLElement>("#main a, #main input")?.focus();
}
