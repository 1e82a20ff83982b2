import { inboxesOf } from "../lib/people";
import { whoIs } from "../lib/server";
import { Inbox } from "./parts/Inbox";

export default async function Page() {
  return (
    <>
      <h1>Waiting for you</h1>
      <Inbox of={inboxesOf(await whoIs())} />
    </>
  );
}
