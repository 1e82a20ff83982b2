"""Rows as the contract's records."""

from __future__ import annotations

from typing import Any

import orjson

from signoff.stores.base import InputRecord, RunRecord
from signoff.streams.stream import Fork, Head, ProducerMark

Row = tuple[Any, ...]


def run_record(row: Row) -> RunRecord:
    """Read a run: run_id … wake_at, tags, state, epoch, lease_owner, lease_until, lost; what follows is ignored."""
    run_id, workflow, status, created_at, updated_at, journal_tail, public_tail, *rest = row
    ready, wake_at, tags, state, epoch, lease_owner, lease_until, lost = rest[:8]
    return RunRecord(
        run_id=run_id,
        workflow=workflow,
        status=status,
        created_at=created_at,
        updated_at=updated_at,
        journal_tail=journal_tail,
        public_tail=public_tail,
        ready=bool(ready),
        wake_at=wake_at,
        tags=tuple(orjson.loads(tags)),
        state=state,
        epoch=epoch,
        lease_owner=lease_owner,
        lease_until=lease_until,
        lost=lost,
    )


def input_record(row: Row) -> InputRecord:
    """Read a request: run_id, key, status, audience, created_at, deadline, state; what follows is ignored."""
    run_id, key, status, audience, *rest = row[:7]
    return InputRecord(run_id, key, status, tuple(orjson.loads(audience)), *rest)


def head(row: Row) -> Head:
    """Read a stream's head, as `read.sql` selects it."""
    _, _, path, incarnation, version, tail, content_type, closed, engine, *rest, by, by_epoch, by_seq = row
    created_at, base, last_seq, ttl_s, expires_at, touched_at, refs, deleted, *fork, compacted, rows_at = rest
    return Head.of(
        path=path,
        incarnation=incarnation,
        version=version,
        tail=tail,
        content_type=content_type,
        closed=bool(closed),
        engine=bool(engine),
        created_at=created_at,
        base=base,
        closed_by=ProducerMark(by, by_epoch, by_seq) if by is not None else None,
        last_seq=last_seq,
        ttl_s=ttl_s,
        expires_at=expires_at,
        touched_at=touched_at,
        fork=Fork(*fork) if fork[0] is not None else None,
        refs=refs,
        deleted=bool(deleted),
        compacted=bool(compacted),
        rows_at=rows_at,
    )
