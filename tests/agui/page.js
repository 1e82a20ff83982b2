// A page, with AG-UI's own client, that does as it is told. Usage: node page.js URL TOKEN
// Reads a post a line, {say?, runId?, resume?, fresh?, cut?}, and prints a line of what the client has after it.
import { createInterface } from "node:readline"
import { HttpAgent, isInterruptExpired } from "@ag-ui/client"

const [url, token] = process.argv.slice(2)
const nothing = { events: [], shown: [], messages: [], calls: [], outcome: null, failed: null, error: null }
let seen
let cut

// What the client finds wrong without refusing it: it says so to people who look.
const complaints = []
console.warn = (...said) => complaints.push(said.join(" "))
console.error = () => {}

// The client cancels a stream that has failed, and leaves the promise of that to nobody; a page goes on.
process.on("unhandledRejection", () => {})

// Loses the connection once so many events of a type have come and been shown.
async function* losing(body, { type, after }) {
  let came = ""
  let passed = 0
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const events = (came + text).split("\n\n")
    came = events.pop()
    for (const event of events) {
      yield new TextEncoder().encode(`${event}\n\n`)
      passed++
      if (!event.includes(`"type":"${type}"`) || --after > 0) continue
      while (seen.events.length < passed) await new Promise((resolve) => setTimeout(resolve))
      await new Promise((resolve) => setTimeout(resolve))
      throw new TypeError("terminated")
    }
  }
}

async function connection(to, init) {
  const reply = await fetch(to, init)
  return cut ? new Response(ReadableStream.from(losing(reply.body, cut)), reply) : reply
}

function page() {
  return new HttpAgent({ url, threadId: "t", headers: { authorization: `Bearer ${token}` }, fetch: connection })
}

const watching = {
  onEvent: ({ event }) => void seen.events.push(event.type),
  onMessagesChanged: ({ messages }) => void seen.shown.push(messages.at(-1).content ?? ""),
  onNewMessage: ({ message }) => void seen.messages.push(message.content),
  onNewToolCall: ({ toolCall }) => void seen.calls.push(toolCall.function),
  onRunFinishedEvent: ({ outcome }) => void (seen.outcome = outcome),
  onRunErrorEvent: ({ event }) => void (seen.error = event),
  onRunFailed: ({ error }) => void (seen.failed = String(error)),
}

let agent = page()
for await (const line of createInterface({ input: process.stdin })) {
  const post = JSON.parse(line)
  if (post.fresh) agent = page()
  if (post.say) agent.addMessage({ id: `said-${agent.messages.length}`, role: "user", content: post.say })
  cut = post.cut
  seen = structuredClone(nothing)
  complaints.length = 0
  const told = await agent
    .runAgent({ runId: post.runId, resume: post.resume }, watching)
    .catch((error) => ({ refused: String(error) }))
  const { messages, pendingInterrupts: interrupts } = agent
  const expired = interrupts.map((one) => isInterruptExpired(one))
  console.log(JSON.stringify({ ...told, seen, messages, interrupts, expired, complaints }))
}
