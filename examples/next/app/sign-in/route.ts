import { NextResponse, type NextRequest } from "next/server";
import { PEOPLE } from "../../lib/people";

/** Be somebody else. A whole new page follows, so that nothing of the person before is left in it. */
export async function POST(request: NextRequest): Promise<Response> {
  const as = (await request.formData()).get("as");
  const person = PEOPLE.find(({ id }) => id === as) ?? PEOPLE[0];
  const reply = new NextResponse(null, { status: 303, headers: { Location: "/" } });
  reply.cookies.set("person", person.id, { httpOnly: true, sameSite: "lax" });
  return reply;
}
