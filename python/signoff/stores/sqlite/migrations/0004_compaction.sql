-- Live rows of compacted streams.

ALTER TABLE streams ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN rows_at INTEGER NOT NULL DEFAULT 0;

CREATE TABLE live_rows (
  stream INTEGER NOT NULL,
  position INTEGER NOT NULL,
  type TEXT NOT NULL,
  key TEXT NOT NULL,
  message BLOB NOT NULL,
  PRIMARY KEY (stream, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX live_rows_by_name ON live_rows (stream, type, key);
