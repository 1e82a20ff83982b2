"use client";
import { useInbox } from "@signoff/client/react";
import Link from "next/link";

/** What waits for a person, the newest first. */
export function Inbox({ of }: { readonly of: readonly string[] }) {
  const { requests } = useInbox(of);
  if (requests.length === 0) return <p className="quiet">Nothing waits for you.</p>;
  return (
    <ul className="list">
      {requests.map(({ id, run_id, title }) => (
        <li key={id}><Link href={`/runs/${encodeURIComponent(run_id)}`}>{title}</Link></li>
      ))}
    </ul>
  );
}

/** How much that is, beside the name of the page. */
export function Waiting({ of }: { readonly of: readonly string[] }) {
  const { length } = useInbox(of).requests;
  return length === 0 ? null : <span className="count">{length}</span>;
}
