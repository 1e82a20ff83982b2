// Removes the last build, so that a renamed module leaves nothing behind.
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
