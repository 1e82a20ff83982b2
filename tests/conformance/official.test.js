// The official suite, against the server named by SIGNOFF_STREAMS_URL.
import { runConformanceTests } from "@durable-streams/server-conformance-tests"

runConformanceTests({
  baseUrl: process.env.SIGNOFF_STREAMS_URL,
  longPollTimeoutMs: Number(process.env.SIGNOFF_LONG_POLL_MS),
  subscriptions: true,
})
