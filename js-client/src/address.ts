/**
 * The page's address says which page of a wizard is open, so that the browser's own Back goes back in it.
 *
 * The run says which page that is, never the address: whoever opens a link, or reloads, is shown the page that is open,
 * and the address is put right. Only a person who presses Back goes back.
 */
import type { WizardPage, WizardView } from "./wizard.js";

export interface AddressOptions {
  /** The parameter of the address; `page` unless given. */
  readonly parameter?: string;
  /** What is filled in of the page that is left by Back: it comes up again when that page does. */
  readonly leaving?: () => unknown;
}

/** What an entry of the browser's history is marked with: how many of ours lie before it. */
const MARK = "signoffWizard";

/**
 * Keep the page's address and a wizard together, until the returned function is called; without a page, do nothing.
 *
 * @example const stop = followAddress(client.wizard("onboarding-1"))
 */
export function followAddress(view: WizardView, { parameter = "page", leaving }: AddressOptions = {}): () => void {
  if (typeof window !== "object") return () => undefined;
  const { history, location } = window;
  /** The page that the address says, and whether a way back is under way. */
  let shown: WizardPage | undefined;
  let moving = false;

  const address = (page: WizardPage): string => {
    const url = new URL(location.href);
    url.searchParams.set(parameter, nameOf(page));
    return url.href;
  };
  const put = (page: WizardPage, entry: "push" | "replace"): void => {
    shown = page;
    const depth = depthOf(history.state) + (entry === "push" ? 1 : 0);
    history[`${entry}State`]({ ...(history.state as Record<string, unknown> | null), [MARK]: depth }, "", address(page));
  };
  const follow = (): void => {
    const { page } = view.getSnapshot();
    if (page === undefined || moving || page.key === shown?.key) return;
    if (shown === undefined) {
      put(page, "replace");
    } else if (page.step > shown.step) {
      put(page, "push");
    } else if (depthOf(history.state) > 0 && page.step === shown.step - 1) {
      // Somebody went back in the page itself: so does the browser, whose entry before is this page's.
      shown = page;
      history.back();
    } else {
      put(page, "replace");
    }
  };
  const goBack = async (target: string): Promise<void> => {
    moving = true;
    for (let { page } = view.getSnapshot(); page !== undefined && nameOf(page) !== target; page = await arrived(view, page)) {
      const { status } = await view.back(nameOf(page) === nameOf(shown ?? page) ? leaving?.() : undefined);
      if (status !== "accepted") break;
    }
    moving = false;
    const { page } = view.getSnapshot();
    // It was refused, or came elsewhere: the address says what is so.
    if (page !== undefined) put(page, "replace");
  };
  const onPop = (): void => {
    const wanted = new URL(location.href).searchParams.get(parameter);
    const { page, pages } = view.getSnapshot();
    if (moving || page === undefined || wanted === nameOf(page)) return;
    const earlier = pages.some((one) => one.step < page.step && nameOf(one) === wanted);
    if (earlier) void goBack(wanted ?? "");
    // Forward leads through the page that is open.
    else put(page, "replace");
  };
  window.addEventListener("popstate", onPop);
  const stop = view.subscribe(follow);
  follow();
  return () => {
    stop();
    window.removeEventListener("popstate", onPop);
  };
}

/** What the address calls a page: its name, and which one it is if there are several. */
function nameOf({ key, name }: WizardPage): string {
  return key === `${name}:0` ? name : key;
}

function depthOf(state: unknown): number {
  const depth: unknown = typeof state === "object" && state !== null ? (state as Record<string, unknown>)[MARK] : undefined;
  return typeof depth === "number" ? depth : 0;
}

/** The page that is open after `left` was: what follows a way back may take the worker a moment. */
function arrived(view: WizardView, left: WizardPage): Promise<WizardPage | undefined> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { page, outcome } = view.getSnapshot();
      if (outcome === undefined && (page === undefined || page.key === left.key)) return;
      queueMicrotask(() => { stop(); });
      resolve(page);
    };
    const stop = view.subscribe(look);
    look();
  });
}
