-- How long a lease is, so that one reckoned by a clock that was set back is found; and how often one was lost.

ALTER TABLE runs ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN lease_ms INTEGER;
CREATE INDEX runs_leased ON runs (lease_until - 2 * lease_ms) WHERE lease_until IS NOT NULL;
