-- Placing posts.

-- Place up to `most` posts that are committed, in the order of their senders. One at a time places; `placed` is NULL
-- if somebody else is at it. Those for one stream become one batch, or a few if they are much together.
CREATE FUNCTION signoff.place_v1(lock bigint, most int, together int, OUT placed int, OUT paths text[])
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  numbers bigint[];
  their_paths text[];
  counts bigint[];
  contents bytea[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(lock) THEN
    RETURN;
  END IF;
  WITH gone AS (
    DELETE FROM signoff.posts WHERE id = ANY (ARRAY(SELECT first.id FROM signoff.posts AS first ORDER BY first.id LIMIT most))
    RETURNING posts.id, posts.path, posts.count, posts.data
  )
  SELECT array_agg(gone.id ORDER BY gone.id), array_agg(gone.path ORDER BY gone.id), array_agg(gone.count ORDER BY gone.id),
         array_agg(gone.data ORDER BY gone.id)
  INTO numbers, their_paths, counts, contents FROM gone;
  placed := coalesce(cardinality(numbers), 0);
  paths := '{}';
  IF placed = 0 THEN
    RETURN;
  END IF;
  SELECT array_agg(DISTINCT one) INTO paths FROM unnest(their_paths) AS one;
  IF (SELECT count(*) FROM signoff.streams WHERE streams.path = ANY (paths)) < cardinality(paths) THEN
    WITH made AS (
      INSERT INTO signoff.streams (id, path, incarnation, content_type, engine)
      SELECT nextval('signoff.stream_numbers'), one, md5(random()::text || clock_timestamp()::text || one),
             'application/json', true
      FROM unnest(paths) AS one
      WHERE NOT EXISTS (SELECT 1 FROM signoff.streams WHERE streams.path = one) ORDER BY one
      ON CONFLICT DO NOTHING RETURNING streams.id
    )
    INSERT INTO signoff.tails (stream, version, tail, touched_at)
    SELECT made.id, 1 + floor(random() * 4611686018427387000)::bigint, 0, 0 FROM made;
  END IF;
  WITH sent AS MATERIALIZED (
    SELECT one.path, one.count, one.data, one.place,
           sum(one.count) OVER before - one.count AS ahead,
           (sum(length(one.data)) OVER before - length(one.data)) / together AS piece
    FROM unnest(their_paths, counts, contents) WITH ORDINALITY AS one (path, count, data, place)
    WHERE one.count > 0
    WINDOW before AS (PARTITION BY one.path ORDER BY one.place)
  ),
  pieces AS (
    SELECT sent.path, min(sent.ahead) AS ahead, sum(sent.count) AS count,
           string_agg(sent.data, ','::bytea ORDER BY sent.place) AS data
    FROM sent GROUP BY sent.path, sent.piece
  ),
  locked AS MATERIALIZED (
    SELECT tails.stream, streams.path, tails.tail
    FROM signoff.streams JOIN signoff.tails ON tails.stream = streams.id
    WHERE streams.path = ANY (paths) ORDER BY tails.stream FOR UPDATE OF tails
  ),
  moved AS (
    UPDATE signoff.tails SET tail = tails.tail + total.count
    FROM locked JOIN (SELECT sent.path, sum(sent.count) AS count FROM sent GROUP BY sent.path) AS total
      ON total.path = locked.path
    WHERE tails.stream = locked.stream
  )
  INSERT INTO signoff.batches (stream, start, stop, mark, data)
  SELECT locked.stream, locked.tail + pieces.ahead, locked.tail + pieces.ahead + pieces.count, 0, pieces.data
  FROM pieces JOIN locked ON locked.path = pieces.path;
END $$;
