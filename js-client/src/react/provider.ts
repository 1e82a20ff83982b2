import { createContext, createElement, useContext } from "react";
import type { ReactElement, ReactNode } from "react";
import type { Signoff } from "../index.js";

const SignoffContext = createContext<Signoff | undefined>(undefined);

export interface SignoffProviderProps {
  /** Made once with `createSignoff`, outside rendering. */
  readonly client: Signoff;
  readonly children?: ReactNode;
}

/** Give the components below a client. */
export function SignoffProvider({ client, children }: SignoffProviderProps): ReactElement {
  return createElement(SignoffContext.Provider, { value: client }, children);
}

/** The client of the nearest provider; throws an Error without one, since that is a mistake in the code. */
export function useSignoff(): Signoff {
  const client = useContext(SignoffContext);
  if (client === undefined) throw new Error("useSignoff: there is no <SignoffProvider client={…}> above this component");
  return client;
}
