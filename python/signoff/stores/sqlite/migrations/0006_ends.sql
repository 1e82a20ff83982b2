-- Streams by the time at which their life is over, so that those of which nobody asks are found too.

ALTER TABLE streams ADD COLUMN ends_at INTEGER;
UPDATE streams SET ends_at = strftime('%s', upper(expires_at)) * 1000 WHERE expires_at IS NOT NULL;
CREATE INDEX streams_by_end ON streams (coalesce(ends_at, touched_at + ttl_s * 1000 + ttl_s * 1000 / 16))
WHERE deleted = 0 AND (ttl_s IS NOT NULL OR ends_at IS NOT NULL);
