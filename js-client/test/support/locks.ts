/** Web Locks as a browser has them, for the clients of one test that stand for its tabs: Node 20 has none. */
export class TabLocks {
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #held: string[] = [];
  /** The names that were asked for, in order. */
  readonly asked: string[] = [];

  readonly request = async (name: string, ...given: Asked): Promise<unknown> => {
    const [{ signal, mode }, work] = given.length === 1 ? ([{}, given[0]] as [Options, Work]) : given;
    this.asked.push(name);
    const before = mode === "shared" ? Promise.resolve() : (this.#last.get(name) ?? Promise.resolve());
    let release = (): void => undefined;
    if (mode !== "shared") this.#last.set(name, before.then(() => new Promise<void>((resolve) => { release = resolve; })));
    const aborted = new Promise<never>((_resolve, reject) => {
      signal?.addEventListener("abort", () => { reject(new DOMException("aborted", "AbortError")); });
      if (signal?.aborted === true) reject(new DOMException("aborted", "AbortError"));
    });
    try {
      await Promise.race([before, aborted]);
      await Promise.resolve();
      this.#held.push(name);
      try {
        return await work();
      } finally {
        this.#held.splice(this.#held.indexOf(name), 1);
      }
    } finally {
      void before.then(() => Promise.resolve()).then(() => { release(); });
    }
  };

  /** What is held now. */
  readonly query = (): Promise<{ held: { name: string }[] }> => Promise.resolve({ held: this.#held.map((name) => ({ name })) });
}

type Work = () => Promise<unknown>;
interface Options {
  readonly signal?: AbortSignal;
  readonly mode?: "shared" | "exclusive";
}
type Asked = [work: Work] | [options: Options, work: Work];
