-- Appends alone, many to many streams, as one statement and so one transaction: rows go into a view, and its trigger
-- writes them. All this is temporary and belongs to the writer's connection.

-- name: appends
CREATE TEMP VIEW appends (id, stream, start, stop, previous, data, expect, version, last_seq, touched_at, stretch)
AS SELECT 0, 0, 0, 0, 0, x'', 0, 0, '', 0, 0

-- name: append_trigger
-- A row moves its stream's head, if that still is what the append was decided on. Rows without an id fill a statement up.
CREATE TEMP TRIGGER append INSTEAD OF INSERT ON appends WHEN new.id IS NOT NULL BEGIN
  INSERT INTO batches (id, stream, start, stop, previous, data)
  VALUES (new.id, new.stream, new.start, new.stop, new.previous, new.data);
  UPDATE streams SET version = new.version, tail = new.stop, last_seq = new.last_seq, touched_at = new.touched_at,
                     last_batch = new.id, stretch = new.stretch
  WHERE id = new.stream AND version = new.expect;
  SELECT raise(ROLLBACK, 'moved') WHERE changes() = 0;
END

-- name: more_appends
-- The same for appends of which some come from producers or are waypoints, which takes longer.
CREATE TEMP VIEW more_appends (id, stream, start, stop, previous, data, expect, version, last_seq, touched_at, stretch,
                               waypoint, producer, epoch, seq)
AS SELECT *, 0, '', 0, 0 FROM appends

-- name: more_trigger
CREATE TEMP TRIGGER append_more INSTEAD OF INSERT ON more_appends WHEN new.id IS NOT NULL BEGIN
  INSERT INTO appends
  VALUES (new.id, new.stream, new.start, new.stop, new.previous, new.data, new.expect, new.version, new.last_seq,
          new.touched_at, new.stretch);
  INSERT INTO waypoints (stream, start, batch) SELECT new.stream, new.start, new.id WHERE new.waypoint;
  INSERT INTO producers (stream, producer_id, epoch, seq)
  SELECT new.stream, new.producer, new.epoch, new.seq WHERE new.producer IS NOT NULL
  ON CONFLICT (stream, producer_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq;
END

-- name: append (rows)
INSERT INTO appends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: append_more (rows)
INSERT INTO more_appends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
