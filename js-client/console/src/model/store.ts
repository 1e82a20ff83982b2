/** What the browser keeps between visits; where it keeps nothing, nothing is remembered. */

type Kept = "localStorage" | "sessionStorage";

export function load<T>(where: Kept, name: string): T | undefined {
  try {
    const text = globalThis[where].getItem(`signoff.console.${name}`);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

export function save(where: Kept, name: string, value: unknown): void {
  try {
    if (value === undefined) globalThis[where].removeItem(`signoff.console.${name}`);
    else globalThis[where].setItem(`signoff.console.${name}`, JSON.stringify(value));
  } catch {
    // Full, or forbidden: the next visit begins anew.
  }
}
