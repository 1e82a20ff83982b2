-- Subjects that move on, many of them, as one statement and so one transaction: rows go into a view, and its triggers
-- write them. All this is temporary and belongs to the writer's connection.

-- name: moves
-- What a row is, `what` says: 1 a batch, 2 the tail of a stream that was posted to, 3 the record of a subject; 0 fills a
-- statement up. NULL takes ten times as long to bind, so -1 stands for it.
CREATE TEMP VIEW moves (what, id, a, b, c, d, e, f, g, h, i, j, k, l, m)
AS SELECT 0, 0, 0, 0, 0, 0, 0, 0, 0, '', x'', 0, 0, 0, ''

-- name: batch_trigger
CREATE TEMP TRIGGER move_batch INSTEAD OF INSERT ON moves WHEN new.what = 1 BEGIN
  INSERT INTO batches (id, stream, start, stop, previous, mark, data)
  VALUES (new.id, new.a, new.b, new.c, nullif(new.d, -1), new.e, new.i);
  INSERT INTO waypoints (stream, start, batch) SELECT new.a, new.b, new.id WHERE new.f = 0;
END

-- name: tail_trigger
CREATE TEMP TRIGGER move_tail INSTEAD OF INSERT ON moves WHEN new.what = 2 BEGIN
  UPDATE tails SET tail = new.a, last_batch = new.b, distance = new.c
  WHERE stream = new.id AND tail = new.d AND last_batch IS nullif(new.e, -1);
  SELECT raise(ROLLBACK, 'moved') WHERE changes() = 0;
END

-- name: subject_trigger
-- A record is moved on if nothing of what was reckoned with has changed: its version, its lease and when it is due, and
-- how far its streams have grown.
CREATE TEMP TRIGGER move_subject INSTEAD OF INSERT ON moves WHEN new.what = 3 BEGIN
  UPDATE subjects SET version = new.b, mark = new.c, ready = new.d, wake_at = nullif(new.e, -1), quiet = new.f,
                      updated_at = new.g, streams = new.h, state = new.i
  WHERE id = new.id AND version = new.a AND epoch = new.j AND lease_until IS nullif(new.k, -1)
    AND due_at IS nullif(new.l, -1) AND streams = new.m;
  SELECT raise(ROLLBACK, 'moved') WHERE changes() = 0;
END

-- name: move (rows)
INSERT INTO moves VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
