/** Who there is. In an application this is the directory, and the session says who it is. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly groups: readonly string[];
}

export const PEOPLE: readonly [Person, ...Person[]] = [
  { id: "alice", name: "Alice", groups: ["leads"] },
  { id: "bora", name: "Bora", groups: ["leads"] },
  { id: "chidi", name: "Chidi", groups: [] },
];

/** The inboxes of a person. One has `user:alice` too, but this workflow asks groups alone. */
export function inboxesOf({ groups }: Person): string[] {
  return groups.map((group) => `group:${group}`);
}
