/** React hooks over the views of `@signoff/client`. */
export { SignoffProvider, useSignoff } from "./provider.js";
export type { SignoffProviderProps } from "./provider.js";
export { useInbox } from "./use-inbox.js";
export { useInput } from "./use-input.js";
export type { UseInput } from "./use-input.js";
export { useRun } from "./use-run.js";
export { useRuns } from "./use-runs.js";
export { useUndelivered } from "./use-undelivered.js";
export type { UseUndelivered } from "./use-undelivered.js";
