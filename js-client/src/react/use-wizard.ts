import { useEffect, useRef } from "react";
import { followAddress } from "../index.js";
import type { WizardSnapshot, WizardView } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";

export interface WizardOptions {
  /** The names of the requests that are its pages, if the run asks for others too. */
  readonly names?: string | readonly string[];
  /** The parameter of the page's address that says which page is open, such as `page`; unless given, the address is left alone. */
  readonly address?: string;
  /** What is filled in of the page that is left by the browser's Back: it comes up again when that page does. */
  readonly leaving?: () => unknown;
}

/** What `useWizard` gives: its pages, how far it is, and the way back. */
export type UseWizard = WizardSnapshot & Pick<WizardView, "back">;

/** Follow a run that asks page by page. Answer its `page` with `useInput(runId, page.key)`. */
export function useWizard(runId: string, { names, address, leaving }: WizardOptions = {}): UseWizard {
  const view = useSignoff().wizard(runId, names);
  const snapshot = useView(view);
  const latest = useRef(leaving);
  useEffect(() => { latest.current = leaving; }, [leaving]);
  useEffect(() => {
    if (address === undefined) return;
    return followAddress(view, { parameter: address, leaving: () => latest.current?.() });
  }, [view, address]);
  return { ...snapshot, back: view.back };
}
