/** A real Signoff server, with worker and workflows, in a process of its own. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const python = process.env["SIGNOFF_PYTHON"] ?? join(root, ".venv", "bin", "python");

export class SignoffServer {
  url = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "signoff-client-"));
  #process: ChildProcess | undefined;

  /** Start, or start again on the same port with the same data; fails with what the server printed. */
  async start(): Promise<this> {
    const port = this.url === "" ? "0" : new URL(this.url).port;
    const store = `sqlite:///${join(this.#folder, "signoff.db")}`;
    const child = spawn(python, ["-m", "signoff.cli", "dev", "claims:app", "--store", store, "--port", port, "--sse-keep-alive", "0.1"], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      env: { ...process.env, PYTHONPATH: join(root, "python"), PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1" },
    });
    this.#process = child;
    let printed = "";
    this.url = await new Promise<string>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        printed += chunk.toString();
        const found = /http:\/\/[\d.]+:\d+/.exec(printed);
        if (found !== null) resolve(found[0]);
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.on("error", reject);
      child.on("exit", (code) => { reject(new Error(`the server ended with ${code}: ${printed}`)); });
    });
    return this;
  }

  /** End the process as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** An unsecured token (RFC 7519 §6), which a server without a key accepts on loopback. */
export function tokenOf(sub: string, claims: { groups?: readonly string[]; grants?: readonly string[] } = {}): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub, ...claims })}.`;
}
