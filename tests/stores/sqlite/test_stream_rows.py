"""What one transaction writes about streams."""

from __future__ import annotations

from pathlib import Path

from signoff.stores.change import Committed
from signoff.stores.sqlite.cache import WAYPOINT_EVERY
from tests.service.streams.scene import opened
from tests.stores.blind import blind
from tests.stores.sqlite.file import rows

MANY = 50


async def test_what_many_post_to_a_stream_in_one_transaction_lies_in_one_row(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'posts.db'}") as store:
        outcomes = await store.commit([blind("inbox/ann", b"%d" % n) for n in range(MANY)])
        for n, outcome in enumerate(outcomes):
            assert isinstance(outcome, Committed)
            assert outcome.batches["inbox/ann"] == (n, n + 1, b"%d" % n)
        found = await store.read("inbox/ann", MANY - 2, 1 << 20)
        assert found is not None
        assert [(batch.start, batch.end) for batch in found[1]] == [(0, MANY)]
        assert found[1][0].data == b",".join(b"%d" % n for n in range(MANY))
    assert rows(tmp_path / "posts.db", "batches") == 1


async def test_rows_of_posts_do_not_grow_beyond_what_is_read_at_once(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path / 'posts.db'}") as store:
        large = b'"%s"' % (b"x" * (WAYPOINT_EVERY // 4))
        outcomes = await store.commit([blind("inbox/ann", large) for _ in range(MANY)])
        assert all(isinstance(outcome, Committed) for outcome in outcomes)
        found = await store.read("inbox/ann", 0, 1 << 30)
        assert found is not None
        assert found[0].tail == MANY
        assert max(len(batch.data) for batch in found[1]) < 2 * WAYPOINT_EVERY
        assert b",".join(batch.data for batch in found[1]) == b",".join([large] * MANY)
