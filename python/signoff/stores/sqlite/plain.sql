-- Appends alone, many to many streams, as one statement and so one transaction: rows go into a view, and triggers write
-- them. All this is temporary and belongs to the writer's connection.

-- name: view
CREATE TEMP VIEW appends (id, stream, start, stop, previous, data, expect, version, last_seq, touched_at, stretch,
                          waypoint, producer, epoch, seq)
AS SELECT 0, 0, 0, 0, 0, x'', 0, 0, '', 0, 0, 0, '', 0, 0

-- name: batch
-- Rows without an id fill the statement up.
CREATE TEMP TRIGGER append_batch INSTEAD OF INSERT ON appends WHEN new.id IS NOT NULL BEGIN
  INSERT INTO batches (id, stream, start, stop, previous, data)
  VALUES (new.id, new.stream, new.start, new.stop, new.previous, new.data);
END

-- name: head
-- The last row of each stream moves its head, if that is still what the first was decided on.
CREATE TEMP TRIGGER append_head INSTEAD OF INSERT ON appends WHEN new.version IS NOT NULL BEGIN
  UPDATE streams SET version = new.version, tail = new.stop, last_seq = new.last_seq, touched_at = new.touched_at,
                     last_batch = new.id, stretch = new.stretch
  WHERE id = new.stream AND version = new.expect;
  SELECT raise(ROLLBACK, 'moved') WHERE changes() = 0;
END

-- name: waypoint
CREATE TEMP TRIGGER append_waypoint INSTEAD OF INSERT ON appends WHEN new.waypoint BEGIN
  INSERT INTO waypoints (stream, start, batch) VALUES (new.stream, new.start, new.id);
END

-- name: producer
CREATE TEMP TRIGGER append_producer INSTEAD OF INSERT ON appends WHEN new.producer IS NOT NULL BEGIN
  INSERT INTO producers (stream, producer_id, epoch, seq) VALUES (new.stream, new.producer, new.epoch, new.seq)
  ON CONFLICT (stream, producer_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq;
END

-- name: append (rows)
INSERT INTO appends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
