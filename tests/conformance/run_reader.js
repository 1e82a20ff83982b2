// Follow a run's stream with StreamDB and with the plain client, both unmodified, until the run has ended.
// Usage: node run_reader.js STREAM_URL SUBMISSION_ID
// Prints the materialized rows, and what the plain client read, as one JSON object.
import { DurableStream } from "@durable-streams/client"
import { createStateSchema } from "@durable-streams/state"
import { createStreamDB } from "@durable-streams/state/db"

const [, , url, submission] = process.argv

const anything = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } }
const collection = (type) => ({ schema: anything, type, primaryKey: "id" })
const state = createStateSchema({ runs: collection("run"), steps: collection("step"), inputs: collection("input") })

const db = createStreamDB({ streamOptions: { url, contentType: "application/json" }, state })
await db.preload()
// TanStack DB and StreamDB add members of their own to what they hand out: `$…` and `_seq`.
const own = (row) => Object.fromEntries(Object.entries(row).filter(([name]) => !/^(\$|_seq$)/.test(name)))
const rows = (name) => [...db.collections[name].values()].map(own)
console.log(JSON.stringify({ waiting: rows("inputs").map((row) => row.status) }))
await db.utils.awaitTxId(submission, 20_000)
while (rows("runs")[0].status !== "completed") await new Promise((next) => setTimeout(next, 5))

const plain = await (await new DurableStream({ url }).stream({ offset: "-1", live: false })).json()
console.log(JSON.stringify({ runs: rows("runs"), steps: rows("steps"), inputs: rows("inputs"), plain }))
process.exit(0)
