import { tokenFor, whoIs } from "../../lib/server";

/** The token of whoever is signed in, for the browser's own calls. Pages of other origins cannot read it. */
export async function GET(): Promise<Response> {
  return new Response(tokenFor(await whoIs()), { headers: { "Cache-Control": "no-store" } });
}
