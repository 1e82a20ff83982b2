/** From the server's JSON Pointers (RFC 6901) to the error tree of the form. */

import type { ErrorSchema } from "@rjsf/utils";

export interface PointedError {
  pointer: string;
  message: string;
}

/** Split a JSON Pointer into its unescaped parts; "" is the whole value. */
export function pointerParts(pointer: string): string[] {
  if (pointer === "") return [];
  return pointer
    .replace(/^#?\//, "")
    .split("/")
    .map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
}

/** Put every message at the field its pointer names; those about the whole value stand at the top of the form. */
export function toErrorSchema(errors: readonly PointedError[]): ErrorSchema {
  const root: ErrorSchema = {};
  for (const { pointer, message } of errors) {
    let node: ErrorSchema = root;
    for (const part of pointerParts(pointer)) {
      const children = node as Record<string, ErrorSchema | undefined>;
      node = children[part] ??= {};
    }
    node.__errors = [...(node.__errors ?? []), message];
  }
  return root;
}
