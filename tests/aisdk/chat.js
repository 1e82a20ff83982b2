// Chat as useChat does, with its own core and transport. Usage: node chat.js ai6|ai7 ORIGIN PROMPT approve|reject
// Prints, as one JSON object, each state of the message that was shown, and the last one.
import { createDurableChatTransport } from "@durable-streams/aisdk-transport"

const [major, origin, prompt, decision] = process.argv.slice(2)
const { AbstractChat, lastAssistantMessageIsCompleteWithApprovalResponses } = await import(major)

const shown = []
class State {
  status = "ready"
  error = undefined
  messages = []
  pushMessage(message) {
    this.messages = [...this.messages, this.snapshot(message)]
    this.show()
  }
  popMessage() {
    this.messages = this.messages.slice(0, -1)
  }
  replaceMessage(index, message) {
    this.messages = this.messages.with(index, this.snapshot(message))
    this.show()
  }
  snapshot(thing) {
    return structuredClone(thing)
  }
  show() {
    const last = this.messages.at(-1)
    if (last.role === "assistant") shown.push(last.parts.map((part) => part.text ?? part.state ?? part.type))
  }
}
class Chat extends AbstractChat {}

const errors = []
const chat = new Chat({
  state: new State(),
  transport: createDurableChatTransport({ api: `${origin}/chat` }),
  sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  onError: (error) => errors.push(String(error)),
})

await chat.sendMessage({ text: prompt })
const proposed = structuredClone(chat.messages.at(-1))
const asked = proposed.parts.filter((part) => part.state === "approval-requested")
for (const { approval } of asked) {
  await chat.addToolApprovalResponse({ id: approval.id, approved: decision === "approve" })
}
if (asked.length) {
  const over = () => chat.status === "ready" && chat.messages.at(-1).parts.at(-1).type === "text"
  for (const end = Date.now() + 10_000; !over() && errors.length === 0 && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
console.log(JSON.stringify({ count: chat.messages.length, proposed, last: chat.messages.at(-1), shown, errors }))
process.exit(0)
