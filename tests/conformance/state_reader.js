// Follow a State Protocol stream with StreamDB, unmodified; start over whenever its place in the stream is gone.
// Usage: node state_reader.js STREAM_URL [OFFSET]
// With an offset: print the status with which the plain client is refused there. Otherwise print the materialized rows
// once the row `last` is there.
import { stream } from "@durable-streams/client"
import { createStateSchema } from "@durable-streams/state"
import { createStreamDB } from "@durable-streams/state/db"

const [, , url, offset] = process.argv

if (offset !== undefined) {
  const refused = await stream({ url, offset, live: false }).then(() => null, (error) => error.status)
  console.log(JSON.stringify({ refused }))
  process.exit(0)
}

const anything = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } }
const state = createStateSchema({ readings: { schema: anything, type: "reading", primaryKey: "id" } })
const db = createStreamDB({ streamOptions: { url, contentType: "application/json" }, state })
await db.preload()
console.log(JSON.stringify({ rows: db.collections.readings.size }))
while (!db.collections.readings.has("last")) await new Promise((next) => setTimeout(next, 5))
// TanStack DB and StreamDB add members of their own to what they hand out: `$…` and `_seq`.
const own = (row) => Object.fromEntries(Object.entries(row).filter(([name]) => !/^(\$|_seq$)/.test(name)))
console.log(JSON.stringify([...db.collections.readings.values()].map(own)))
process.exit(0)
