// Write and read a stream with the npm client. Usage: node npm_client.js STREAM_URL
// Prints what each way of reading brought, as one JSON object.
import { DurableStream, stream } from "@durable-streams/client"

const url = process.argv[2]

const handle = await DurableStream.create({ url, contentType: "application/json" })
await handle.append(JSON.stringify({ n: 1, text: "one\nline" }))
await handle.append(JSON.stringify({ n: 2, text: "žluťoučký 🐎" }))
const caughtUp = await (await stream({ url, offset: "-1", live: false })).json()

async function follow(live) {
  const items = []
  const response = await stream({ url, offset: "-1", live })
  return new Promise((resolve, reject) => {
    response.subscribeJson((batch) => {
      items.push(...batch.items)
      if (items.length === 3) resolve(items)
    })
    response.closed.catch(reject)
  })
}

const following = [follow("sse"), follow("long-poll")]
await handle.append(JSON.stringify({ n: 3, text: "" }))
const [sse, longPoll] = await Promise.all(following)
await handle.close()
const head = await handle.head()
console.log(JSON.stringify({ caughtUp, sse, longPoll, closed: head.streamClosed === true }))
process.exit(0)
