import type { InboxSnapshot } from "../index.js";
import { useSignoff } from "./provider.js";
import { useView } from "./use-view.js";
import type { ViewOptions } from "./use-view.js";

/** Watch what waits for these principals, newest first. An array written inline is fine. */
export function useInbox(principals: string | readonly string[], options?: ViewOptions): InboxSnapshot {
  return useView(useSignoff().inbox(principals), options);
}
