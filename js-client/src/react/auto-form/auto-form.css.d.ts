// A compiler that looks at what is imported for its effect alone finds that there is something: TypeScript 6 does.
export {};
