"""Measure Signoff on PostgreSQL beside other durable engines for Python, on one server, in turns.

Usage: python bench/peers.py [--quick] [--rounds N] [--only NAME ...] [--json]

The others are installed from PyPI into an environment of their own (`bench/peers/.venv`). Each program in
`bench/peers/` measures the same: steps per second of one run whose steps follow each other, of 50 runs of 20 steps at
once, and the milliseconds from an answer to the end of the run that waited for it. A fresh database each time; the
engines take turns, so that a machine that changes its speed changes it for all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers import PostgresServer  # noqa: E402  the servers that tests throw away

PEERS = ROOT / "bench" / "peers"
ENVIRONMENT = PEERS / ".venv"
PACKAGES = (
    "dbos==3.4.0",
    "langgraph==1.2.24",
    "langgraph-checkpoint-postgres==3.2.0",
    "psycopg[binary,pool]==3.3.9",
    "absurd-sdk==0.5.1",
    "absurdctl==0.5.1",
)
PROGRAMS = {
    "signoff": "signoff_peer.py",
    "dbos": "dbos_peer.py",
    "langgraph": "langgraph_peer.py",
    "absurd": "absurd_peer.py",
}
FULL = ("1000", "50", "20", "100")
QUICK = ("200", "50", "20", "20")
"""Steps of one run; runs at once, steps of each; answers."""


def install() -> Path:
    """Install the others; return their Python."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
    return python


def measure(server: PostgresServer, name: str, python: Path, amounts: tuple[str, ...]) -> dict[str, float]:
    """Run one program on a database of its own."""
    database = f"bench_{name}"
    server.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    server.sql(f"CREATE DATABASE {database}")
    url = f"postgresql://signoff@127.0.0.1:{server.port}/{database}"
    interpreter = Path(sys.executable) if name == "signoff" else python
    command = [str(interpreter), str(PEERS / PROGRAMS[name]), url, *amounts]
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=600, env={**os.environ, "DBOS__CLOUD": ""}
    )
    if ended.returncode:
        raise SystemExit(f"{name} failed:\n{ended.stderr[-2000:]}")
    measured: dict[str, float] = json.loads(ended.stdout.strip().splitlines()[-1])
    return measured


def raw_commits(server: PostgresServer) -> float:
    """Return one-row commits per second, one after another on one connection, by pgbench."""
    server.sql("CREATE TABLE IF NOT EXISTS raw (id bigserial PRIMARY KEY, data bytea)")
    script = server.folder / "raw.sql"
    script.write_text("INSERT INTO raw (data) VALUES ('\\x" + "78" * 110 + "');\n")
    script.chmod(0o644)
    command = ["pgbench", "-h", "127.0.0.1", "-p", str(server.port), "-U", "signoff", "-n", "-T", "3", "-M", "prepared"]
    ended = subprocess.run([*command, "-f", str(script), "signoff"], check=True, capture_output=True, text=True)
    line = next(line for line in ended.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    python = install()
    server = PostgresServer()
    server.start()
    try:
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in asked.only}
        raws = []
        for _ in range(asked.rounds):
            raws.append(raw_commits(server))
            for name in asked.only:
                rounds[name].append(measure(server, name, python, QUICK if asked.quick else FULL))
    finally:
        server.remove()
    table = {
        name: {key: statistics.median(one[key] for one in measured) for key in measured[0]}
        for name, measured in rounds.items()
    }
    if asked.json:
        print(json.dumps({"raw": statistics.median(raws), **table}))
        return
    print(f"raw one-row commits {statistics.median(raws):,.0f}/s; medians of {asked.rounds} rounds")
    print(f"{'':12}{'steps/s, one run':>18}{'steps/s, 50 x 20':>18}{'answer to done':>18}")
    ours = table.get("signoff")
    for name, row in table.items():
        print(f"{name:12}{row['sequential']:18,.0f}{row['concurrent']:18,.0f}{row['answer_ms']:15.1f} ms", end="")
        if ours is not None and name != "signoff":
            one, many = ours["sequential"] / row["sequential"], ours["concurrent"] / row["concurrent"]
            print(
                f"   Signoff: {one:.1f} x, {many:.1f} x, {ours['answer_ms'] / row['answer_ms']:.2f} x the time", end=""
            )
        print()


if __name__ == "__main__":
    main()
