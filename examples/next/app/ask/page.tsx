import { redirect } from "next/navigation";
import { signoff, whoIs } from "../../lib/server";

/** Start a run on the server, and go where it is followed. */
async function ask(form: FormData): Promise<void> {
  "use server";
  const { name } = await whoIs();
  const input = { who: name, first: form.get("first"), last: form.get("last"), why: form.get("why") };
  const started = await (await signoff()).startRun({ workflow: "leave", input });
  if (!started.ok) throw new Error(started.problem.detail ?? started.problem.title);
  redirect(`/runs/${encodeURIComponent(started.run.id)}`);
}

export default function Page() {
  return (
    <>
      <h1>Ask for days off</h1>
      <form action={ask} className="ask">
        <label>First day <input name="first" type="date" required /></label>
        <label>Last day <input name="last" type="date" required /></label>
        <label>Why <input name="why" /></label>
        <button>Ask</button>
      </form>
    </>
  );
}
