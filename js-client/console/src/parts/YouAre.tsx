/** Who one is: told, or, in development, chosen. */
import type { InputRow } from "@signoff/client";
import { useMemo, useState } from "react";
import { ask } from "../model/api";
import type { InputPage } from "../model/api";
import { nameOf } from "../model/format";
import { usePolled } from "../model/polled";
import { load, save } from "../model/store";
import { listed } from "../model/session";
import type { DevPerson, SessionStore } from "../model/session";
import type { SignedIn } from "../model/me";
import { t } from "../texts";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";

interface Props {
  session: SignedIn;
  sessions: SessionStore;
}

export function YouAre({ session, sessions }: Props) {
  const { me } = session;
  if (me.sign_in === "open") return <DevSwitch session={session} sessions={sessions} />;
  return (
    <span className="who">
      <Icon name="person" />
      <bdi>{me.person === null ? t.youAre.operator : nameOf(me.person)}</bdi>
      {me.sign_in === "token" && (
        <button type="button" className="button quiet" onClick={() => void sessions.signOut()}>{t.signIn.out}</button>
      )}
    </span>
  );
}

const OTHER = "\u0000other";

function DevSwitch({ session, sessions }: Props) {
  const [asking, setAsking] = useState(false);
  const [known, setKnown] = useState(() => load<readonly DevPerson[]>("localStorage", "people") ?? []);
  // Whoever is asked something is somebody to be.
  const { value } = usePolled<InputPage>("people", (client, signal) => ask<InputPage>(client, "inputs", { limit: "200" }, signal), 15_000);
  const people = useMemo(() => everybody(known, value?.inputs ?? [], session.dev), [known, value, session.dev]);
  const groups = useMemo(() => groupsOf(value?.inputs ?? []), [value]);
  const become = (person: DevPerson | null): void => {
    if (person !== null) {
      const next = [person, ...known.filter(({ id }) => id !== person.id)].slice(0, 20);
      save("localStorage", "people", next);
      setKnown(next);
    }
    void sessions.become(person);
  };
  return (
    <>
      <label className="choice you-are">
        <span>{t.youAre.label}</span>
        <select value={session.dev?.id ?? ""} onChange={(event) => {
          const { value: chosen } = event.currentTarget;
          if (chosen !== OTHER) {
            become(people.find(({ id }) => id === chosen) ?? null);
            return;
          }
          event.currentTarget.value = session.dev?.id ?? "";
          setAsking(true);
        }}>
          <option value="">{t.youAre.operator}</option>
          {people.map(({ id, groups: of }) => <option key={id} value={id}>{of.length === 0 ? id : `${id} · ${of.join(", ")}`}</option>)}
          <option value={OTHER}>{t.youAre.other}</option>
        </select>
      </label>
      {asking && <Other groups={groups} onClose={() => { setAsking(false); }} onChoose={(person) => { setAsking(false); become(person); }} />}
    </>
  );
}

function Other({ groups, onClose, onChoose }: { groups: readonly string[]; onClose: () => void; onChoose: (person: DevPerson) => void }) {
  const [id, setId] = useState("");
  const [of, setOf] = useState(groups.join(", "));
  const [wrong, setWrong] = useState(false);
  const submit = (): void => {
    if (id.trim() === "" || /[/\\%]/.test(id + of)) setWrong(true);
    else onChoose({ id: id.trim(), groups: listed(of) });
  };
  return (
    <Dialog title={t.youAre.title} onClose={onClose} onSubmit={submit} actions={
      <>
        <button type="button" className="button" onClick={onClose}>{t.youAre.cancel}</button>
        <button type="submit" className="button primary">{t.youAre.go}</button>
      </>
    }>
      <p>{t.youAre.lead}</p>
      <div className="field">
        <label htmlFor="dev-id">{t.youAre.id}</label>
        <input id="dev-id" className="control" value={id} onInput={(event) => { setId(event.currentTarget.value); }} aria-describedby="dev-id-hint" aria-invalid={wrong} autoComplete="off" />
        <p className="hint" id="dev-id-hint">{wrong ? t.youAre.wrong : t.youAre.idHint}</p>
      </div>
      <div className="field">
        <label htmlFor="dev-groups">{t.youAre.groups}</label>
        <input id="dev-groups" className="control" value={of} onInput={(event) => { setOf(event.currentTarget.value); }} aria-describedby="dev-groups-hint" autoComplete="off" />
        <p className="hint" id="dev-groups-hint">{t.youAre.groupsHint}</p>
      </div>
    </Dialog>
  );
}

function everybody(known: readonly DevPerson[], rows: readonly InputRow[], now: DevPerson | null): readonly DevPerson[] {
  const people = new Map<string, DevPerson>();
  const audiences = new Set(rows.flatMap(({ audience }) => audience));
  for (const one of audiences) if (one.startsWith("user:")) people.set(one.slice(5), { id: one.slice(5), groups: [] });
  for (const person of [...known, ...(now === null ? [] : [now])]) people.set(person.id, person);
  return [...people.values()].sort((a, b) => a.id.localeCompare(b.id));
}

function groupsOf(rows: readonly InputRow[]): readonly string[] {
  return [...new Set(rows.flatMap(({ audience }) => audience))].filter((one) => one.startsWith("group:")).map((one) => one.slice(6)).sort();
}
