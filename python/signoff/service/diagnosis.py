"""What facts about a store and its runs mean, and what to do about them. Nothing is asked here: see `doctor.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from signoff.counts import counted
from signoff.errors import StoreError
from signoff.timestamps import rfc3339

SLOW_MS: Final = 200
"""A commit that takes longer is worth a remark."""

STALLED_MS: Final = 2_000
"""A commit that takes longer holds up everybody."""

LONG_MS: Final = 60_000
"""A run that is ready for longer is not being taken care of."""

FAR_MS: Final = 600_000
"""A lease that ends later than this was reckoned by another clock."""

SKEW_MS: Final = 1_000
WRONG_CLOCK_MS: Final = 5_000
"""How far two clocks may be apart before it is worth a remark, and before deadlines are missed."""

Level = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class SeenWorker:
    """A worker that has announced itself.

    Attributes:
        until: milliseconds at which its announcement ends unless it is renewed.
    """

    owner: str
    workflows: tuple[str, ...]
    until: int


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run that could be claimed, and since when (milliseconds)."""

    run_id: str
    workflow: str
    since: int


@dataclass(frozen=True, slots=True)
class ToldTarget:
    """Somebody who is told of requests.

    Attributes:
        since, why: since when (milliseconds) it does not take what it is told, and why; None: it does.
        given_up: how many events it was not told at last.
    """

    id: str
    paused: bool
    since: int | None
    why: str
    given_up: int


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What was seen.

    Attributes:
        now: milliseconds, by the clock of whoever looked.
        backend, schema, survives: as the store describes itself.
        commit_ms: how long a small commit took, in milliseconds.
        ready: runs that could be claimed.
        blocked, failed: how many runs, by the code of the reason.
        workers: those whose announcement has not ended.
        far_leases: ids of runs whose lease ends much later than any that was taken by this clock.
        unplaced: posts on their way to inboxes and listings.
        most: no count above is larger; a count that is as large may stand for more.
        wrong: what is wrong with how the store's servers are set up, as the store says it.
        told: who is told of requests.
    """

    now: int
    backend: str
    schema: int
    survives: str
    commit_ms: float
    ready: tuple[WaitingRun, ...] = ()
    blocked: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    workers: tuple[SeenWorker, ...] = ()
    far_leases: tuple[str, ...] = ()
    unplaced: int = 0
    most: int = 1_000
    wrong: tuple[str, ...] = ()
    told: tuple[ToldTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that was looked at.

    Attributes:
        check: what it is about, stable for programs.
        level: `ok`; `note`: worth knowing; `wrong`: somebody should do something.
        says: what was found, and what it means.
        todo: what to do; None: nothing.
        count: how many there are, where that is what was looked at.
    """

    check: str
    level: Level
    says: str
    todo: str | None = None
    count: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        return {"check": self.check, "level": self.level, "says": self.says, "todo": self.todo, "count": self.count}


def judge(facts: HealthFacts) -> list[HealthFinding]:
    """Return what facts mean, in the order in which to read it."""
    return [
        _durability(facts),
        *(HealthFinding("settings", "wrong", fault) for fault in facts.wrong),
        _commit(facts),
        HealthFinding("schema", "ok", f"The schema is version {facts.schema}, as this version of Signoff has it."),
        _leases(facts),
        *_workers(facts),
        _queue(facts),
        _blocked(facts),
        _failed(facts),
        _posts(facts),
        *_notifications(facts),
    ]


def judge_store(error: StoreError) -> HealthFinding:
    """Return what it means that nothing can be seen, because the store cannot be used."""
    return HealthFinding("store", "wrong", error.detail, "Look at the store; runs go on when it can be used again.")


def judge_clocks(difference_ms: int, tolerance_ms: int) -> HealthFinding:
    """Return what the difference between two clocks means: the server's minus ours.

    Args:
        tolerance_ms: how much of it may come from the time the answer was under way.
    """
    apart = max(abs(difference_ms) - tolerance_ms, 0)
    said = f"The server's clock and this machine's are {apart / 1000:.1f} s apart"
    if apart <= SKEW_MS:
        return HealthFinding("clock", "ok", "The server's clock and this machine's agree.")
    todo = "Set both clocks by NTP."
    if apart <= WRONG_CLOCK_MS:
        return HealthFinding("clock", "note", f"{said}; deadlines and timers go by the server's.", todo)
    return HealthFinding(
        "clock", "wrong", f"{said}. If machines that share a store differ so, timers fire and leases end early.", todo
    )


def _durability(facts: HealthFacts) -> HealthFinding:
    match facts.survives:
        case "power":
            says = f"The store ({facts.backend}) can be reached, and what it has accepted survives a loss of power."
            return HealthFinding("store", "ok", says)
        case "process":
            says = (
                f"The store ({facts.backend}) can be reached; what it has accepted survives the process, but not a loss"
            )
            return HealthFinding(
                "store", "note", f"{says} of power.", "Have it sync to the disk, if runs must not be lost."
            )
    return HealthFinding(
        "store",
        "note",
        f"The store ({facts.backend}) keeps nothing beyond the end of its process.",
        "For runs that must not be lost: a store such as sqlite:///signoff.db.",
    )


def _commit(facts: HealthFacts) -> HealthFinding:
    said = f"A commit took {facts.commit_ms:.1f} ms"
    if facts.commit_ms <= SLOW_MS:
        return HealthFinding("commit", "ok", f"{said}.")
    todo = "Look at the disk (full, slow, on a network?) and at who else writes to the store."
    level: Level = "note" if facts.commit_ms <= STALLED_MS else "wrong"
    return HealthFinding("commit", level, f"{said}: each step of each run takes at least that long.", todo)


def _leases(facts: HealthFacts) -> HealthFinding:
    count = len(facts.far_leases)
    if not count:
        return HealthFinding("leases", "ok", "No lease is further ahead than it could be.", count=0)
    said = f"{_runs(count, facts.most)} (such as {facts.far_leases[0]}) held longer than any lease lasts"
    return HealthFinding(
        "leases",
        "wrong",
        f"{said}: a clock was set back, or is wrong on one machine.",
        "Compare the clocks of the machines that run workers.",
        count,
    )


def _workers(facts: HealthFacts) -> Iterator[HealthFinding]:
    count = len(facts.workers)
    if not count:
        yield HealthFinding(
            "workers", "note", "No worker is running.", "Start one: signoff worker APP, or signoff dev APP.", 0
        )
    for worker in facts.workers:
        ends = rfc3339(worker.until)
        says = (
            f"The worker {worker.owner} knows {', '.join(worker.workflows) or 'no workflow'} (heard of until {ends})."
        )
        yield HealthFinding("workers", "ok", says, count=count)
    known = {name for worker in facts.workers for name in worker.workflows}
    unknown: dict[str, int] = {}
    for run in facts.ready:
        if run.workflow not in known:
            unknown[run.workflow] = unknown.get(run.workflow, 0) + 1
    for name, waiting in sorted(unknown.items()):
        yield HealthFinding(
            "unknown_workflow",
            "wrong",
            f"{_runs(waiting, facts.most)} waiting for the workflow {name}, which no running worker knows.",
            f"Start a worker with {name}, or end them: signoff terminate --all --workflow {name}.",
            waiting,
        )


def _queue(facts: HealthFacts) -> HealthFinding:
    if not facts.ready:
        return HealthFinding("queue", "ok", "No run waits for a worker.", count=0)
    oldest = min(facts.ready, key=lambda run: run.since)
    waits = max(facts.now - oldest.since, 0)
    said = f"{_runs(len(facts.ready), facts.most)} ready; {oldest.run_id} has been for {waits / 1000:.1f} s"
    if waits <= LONG_MS:
        return HealthFinding("queue", "ok", f"{said}.", count=len(facts.ready))
    todo = "Start more workers, or raise --concurrency; look at what their logs say."
    return HealthFinding("queue", "wrong", f"{said}: workers are missing, or do not keep up.", todo, len(facts.ready))


def _blocked(facts: HealthFacts) -> HealthFinding:
    count = sum(facts.blocked.values())
    if not count:
        return HealthFinding("blocked", "ok", "No run is blocked.", count=0)
    said = f"{_runs(count, facts.most)} blocked: {_by_code(facts.blocked)}. They lose nothing, and wait for other code."
    todo = "See why: signoff list --status blocked, signoff show RUN. Deploy code that agrees, or signoff retry RUN."
    return HealthFinding("blocked", "wrong", said, todo, count)


def _failed(facts: HealthFacts) -> HealthFinding:
    count = sum(facts.failed.values())
    if not count:
        return HealthFinding("failed", "ok", "No run has failed.", count=0)
    todo = "See why: signoff list --status failed, signoff show RUN. To end one for good: signoff terminate RUN."
    return HealthFinding("failed", "note", f"{_runs(count, facts.most)} failed: {_by_code(facts.failed)}.", todo, count)


def _posts(facts: HealthFacts) -> HealthFinding:
    if not facts.unplaced:
        return HealthFinding("posts", "ok", "Inboxes and listings are up to date.", count=0)
    said = f"{counted(facts.unplaced, 'message')} on the way to inboxes and listings"
    if facts.unplaced < facts.most:
        return HealthFinding("posts", "ok", f"{said}.", count=facts.unplaced)
    return HealthFinding(
        "posts", "wrong", f"{said}: what people see is behind.", "See that a server is running.", facts.unplaced
    )


def _notifications(facts: HealthFacts) -> Iterator[HealthFinding]:
    for target in facts.told:
        if target.paused:
            says, todo = f"{target.id} is paused: it is not told of requests.", f"signoff notify resume {target.id}"
            yield HealthFinding("notifications", "note", says, todo)
        elif target.since is not None:
            lasts = max(facts.now - target.since, 0)
            says = f"{target.id} has not taken what it is told of requests for {lasts / 1000:.0f} s: {target.why}."
            todo = "No run waits for it, and it is tried again. See signoff notify list; or signoff notify skip."
            yield HealthFinding("notifications", "wrong" if lasts > LONG_MS else "note", says, todo)
        if target.given_up:
            says = f"{target.id} was never told of {counted(target.given_up, 'event')}: given up."
            todo = f"To tell it after all: signoff notify retry {target.id}"
            yield HealthFinding("notifications", "note", says, todo, target.given_up)
    if facts.told and all(one.since is None and not one.paused and not one.given_up for one in facts.told):
        says = f"{counted(len(facts.told), 'target')} of notifications: what happens to requests is told."
        yield HealthFinding("notifications", "ok", says, count=len(facts.told))


def _runs(count: int, most: int) -> str:
    if count >= most:
        return f"{count} runs or more are"
    return f"{counted(count, 'run')} {'is' if count == 1 else 'are'}"


def _by_code(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count}" for code, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))
