// A chat with the agent: `useChat` of the AI SDK reads what the run writes, and posts what a person approves or denies.
import { createDurableChatTransport } from "@durable-streams/aisdk-transport"
import { useChat } from "@ai-sdk/react"
import { lastAssistantMessageIsCompleteWithApprovalResponses } from "ai"
import { useState } from "react"
import { createRoot } from "react-dom/client"

const transport = createDurableChatTransport({ api: "/chat" })

function Chat() {
  const { messages, sendMessage, addToolApprovalResponse, status, error } = useChat({
    transport,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  })
  const [text, setText] = useState("reports and log")
  const ask = (event) => {
    event.preventDefault()
    void sendMessage({ text })
  }
  return (
    <main>
      <h1>What can go?</h1>
      {messages.map((message) => (
        <section key={message.id} aria-label={message.role === "user" ? "You" : "The agent"}>
          {shown(message).map((part, at) => (
            <Part key={at} part={part} decide={addToolApprovalResponse} />
          ))}
        </section>
      ))}
      {error && <p role="alert">{String(error)}</p>}
      <form onSubmit={ask}>
        <input aria-label="What to look at" value={text} onChange={(event) => setText(event.target.value)} />
        <button disabled={status === "submitted" || status === "streaming"}>Ask</button>
      </form>
    </main>
  )
}

// What an attempt has said that came to nothing is not shown: the next one has said it anew.
function shown({ parts }) {
  const gone = new Set(parts.filter(({ type }) => type === "data-signoff-replaced").map(({ data }) => data.text))
  return parts.filter((part) => !gone.has(part.text))
}

function Part({ part, decide }) {
  if (part.type === "reasoning") return <blockquote>{part.text}</blockquote>
  if (part.type === "text") return <p>{part.text}</p>
  if (!part.type.startsWith("tool-")) return null
  const what = `remove ${part.input?.path}`
  if (part.state !== "approval-requested") return <p className="call">{`${what}: ${OUTCOMES[part.state] ?? part.state}`}</p>
  const say = (approved) => () => decide({ id: part.approval.id, approved })
  return (
    <p className="call">
      {what}? <button onClick={say(true)}>Approve {part.input.path}</button>{" "}
      <button onClick={say(false)}>Deny {part.input.path}</button>
    </p>
  )
}

const OUTCOMES = {
  "approval-responded": "decided",
  "output-available": "done",
  "output-denied": "denied",
}

createRoot(document.getElementById("root")).render(<Chat />)
