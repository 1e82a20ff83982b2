import { createContext, createElement, useContext, useMemo } from "react";
import type { ReactElement, ReactNode } from "react";
import type { HandedRows, Signoff } from "../index.js";

const SignoffContext = createContext<Signoff | undefined>(undefined);
const HandedContext = createContext<HandedRows | undefined>(undefined);

/** A client, or what was read for it, or both. */
export type SignoffProviderProps = { readonly children?: ReactNode } & (
  | {
    /** Made once with `createSignoff`, outside rendering. */
    readonly client: Signoff;
    /** What the server has read for this page, as `read()` of its views gave it: the components below begin with it. */
    readonly rows?: HandedRows;
  }
  | {
    /** Unless given, that of the provider above. */
    readonly client?: Signoff;
    readonly rows: HandedRows;
  }
);

/** Give the components below a client, and what the server has read for them. */
export function SignoffProvider({ client, rows, children }: SignoffProviderProps): ReactElement {
  const above = useContext(SignoffContext);
  const handedAbove = useContext(HandedContext);
  const present = client ?? above;
  // Before the components below ask for it. Handing the same again changes nothing.
  useMemo(() => {
    if (rows !== undefined) present?.hand(rows);
  }, [present, rows]);
  const handed = useMemo(() => (rows === undefined || handedAbove === undefined ? (rows ?? handedAbove) : [...handedAbove, ...rows]), [handedAbove, rows]);
  return createElement(SignoffContext.Provider, { value: present }, createElement(HandedContext.Provider, { value: handed }, children));
}

/** The client of the nearest provider; throws an Error without one, since that is a mistake in the code. */
export function useSignoff(): Signoff {
  const client = useContext(SignoffContext);
  if (client === undefined) throw new Error("useSignoff: there is no <SignoffProvider client={…}> above this component");
  return client;
}

/** What the server has read for the components here. */
export function useHanded(): HandedRows | undefined {
  return useContext(HandedContext);
}
