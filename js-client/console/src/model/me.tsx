/** Who looks, for all parts of the page. */
import { createContext, useContext } from "react";
import type { SignedIn } from "./session";

export type { SignedIn };

const MeContext = createContext<SignedIn | undefined>(undefined);
export const MeProvider = MeContext.Provider;

export function useMe(): SignedIn {
  const session = useContext(MeContext);
  if (session === undefined) throw new Error("useMe: nobody is signed in");
  return session;
}
