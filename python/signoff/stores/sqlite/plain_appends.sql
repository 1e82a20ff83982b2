-- Appends alone, many to many streams, as one statement and so one transaction: rows go into a view, and its trigger
-- writes them. All this is temporary and belongs to the writer's connection.

-- name: appends
CREATE TEMP VIEW appends (id, stream, start, stop, previous, data, expect, version, last_seq, touched_at, distance,
                          ends_at, mark)
AS SELECT 0, 0, 0, 0, 0, x'', 0, 0, '', 0, 0, 0, 0

-- name: append_trigger
-- A row moves its stream's tail, if that is still what the append was decided on. Rows with the id 0 fill a statement
-- up. No `Stream-Seq` is 0, and so is an end that stays, since NULL takes ten times as long to bind.
CREATE TEMP TRIGGER append INSTEAD OF INSERT ON appends WHEN new.id > 0 BEGIN
  INSERT INTO batches (id, stream, start, stop, previous, data, mark)
  VALUES (new.id, new.stream, new.start, new.stop, new.previous, new.data, new.mark);
  UPDATE tails SET version = new.version, tail = new.stop, last_seq = nullif(new.last_seq, 0),
                   touched_at = new.touched_at, last_batch = new.id, distance = new.distance
  WHERE stream = new.stream AND version = new.expect;
  SELECT raise(ROLLBACK, 'moved') WHERE changes() = 0;
  INSERT INTO waypoints (stream, start, batch) SELECT new.stream, new.start, new.id WHERE new.distance = 0;
END

-- name: end_trigger
-- A trigger of its own, so that streams without a time to live do not pay for it.
CREATE TEMP TRIGGER append_end INSTEAD OF INSERT ON appends WHEN new.ends_at <> 0 BEGIN
  UPDATE streams SET ends_at = new.ends_at WHERE id = new.stream;
END

-- name: produced
-- The same for appends of which some come from producers, which takes longer.
CREATE TEMP VIEW produced (id, stream, start, stop, previous, data, expect, version, last_seq, touched_at, distance,
                           ends_at, mark, producer, epoch, seq)
AS SELECT *, '', 0, 0 FROM appends

-- name: produced_trigger
CREATE TEMP TRIGGER append_produced INSTEAD OF INSERT ON produced WHEN new.id > 0 BEGIN
  INSERT INTO appends
  VALUES (new.id, new.stream, new.start, new.stop, new.previous, new.data, new.expect, new.version, new.last_seq,
          new.touched_at, new.distance, new.ends_at, new.mark);
  INSERT INTO producers (stream, producer_id, epoch, seq)
  SELECT new.stream, new.producer, new.epoch, new.seq WHERE new.producer IS NOT NULL
  ON CONFLICT (stream, producer_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq;
END

-- name: append (rows)
INSERT INTO appends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: append_produced (rows)
INSERT INTO produced VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
