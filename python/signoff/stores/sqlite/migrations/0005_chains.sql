-- Batches know the one before them; waypoints take the place of the index by stream.

ALTER TABLE streams ADD COLUMN last_batch INTEGER;
ALTER TABLE streams ADD COLUMN stretch INTEGER NOT NULL DEFAULT 0;
DROP INDEX batches_by_stream;
ALTER TABLE batches RENAME TO old_batches;

CREATE TABLE batches (
  id INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  start INTEGER NOT NULL,
  stop INTEGER NOT NULL,
  previous INTEGER,
  data BLOB NOT NULL
) STRICT;
CREATE TABLE waypoints (
  stream INTEGER NOT NULL,
  start INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  PRIMARY KEY (stream, start)
) STRICT, WITHOUT ROWID;

INSERT INTO batches (id, stream, start, stop, previous, data)
SELECT id, stream, start, stop, lag(id) OVER (PARTITION BY stream ORDER BY start), data FROM old_batches;
INSERT INTO waypoints (stream, start, batch)
SELECT stream, start, id
FROM (SELECT stream, start, id, row_number() OVER (PARTITION BY stream ORDER BY start) AS number FROM old_batches)
WHERE number % 16 = 0;
UPDATE streams SET last_batch = last.id
FROM (SELECT stream, max(id) AS id FROM old_batches GROUP BY stream) AS last WHERE streams.id = last.stream;
DROP TABLE old_batches;
