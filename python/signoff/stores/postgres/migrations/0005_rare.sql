-- What is rare: deletions, and what is left of them; and sessions that were lost.

-- Begin to write, unless this session was given up.
CREATE FUNCTION signoff.begin_v1(session bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(session);
  IF EXISTS (SELECT 1 FROM signoff.lost_sessions WHERE lost_sessions.id = session) THEN
    RAISE EXCEPTION 'this session was given up' USING ERRCODE = 'SG001';
  END IF;
END $$;

-- Give a session up: what it has begun is waited for, and what it begins from now on is refused.
CREATE FUNCTION signoff.fence_v1(session bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(session);
  INSERT INTO signoff.lost_sessions (id) VALUES (session) ON CONFLICT DO NOTHING;
  DELETE FROM signoff.lost_sessions WHERE lost_at < now() - interval '7 days';
END $$;

-- Delete a record with its parts, its terms and its place in a queue.
CREATE FUNCTION signoff.delete_subject_v1(number bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  it record;
BEGIN
  WITH gone AS (
    DELETE FROM signoff.parts WHERE parts.subject = number RETURNING parts.id, parts.kind, parts.sort, parts.terms
  )
  DELETE FROM signoff.part_terms
  USING gone, jsonb_array_elements_text(gone.terms::jsonb) AS one
  WHERE part_terms.kind = gone.kind AND part_terms.term = one AND part_terms.sort = gone.sort
    AND part_terms.part = gone.id;
  DELETE FROM signoff.agenda WHERE agenda.subject = number;
  DELETE FROM signoff.subjects WHERE subjects.id = number RETURNING subjects.kind, subjects.sort, subjects.terms INTO it;
  DELETE FROM signoff.subject_terms
  WHERE subject_terms.kind = it.kind AND subject_terms.sort = it.sort AND subject_terms.subject = number
    AND subject_terms.term IN (SELECT jsonb_array_elements_text(it.terms::jsonb));
END $$;

-- Remember a deletion, and so many of the last ones.
CREATE FUNCTION signoff.note_deletion_v1(its_name text, its_mark bigint, most int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  number bigint;
BEGIN
  INSERT INTO signoff.deletions (name, mark) VALUES (its_name, its_mark) RETURNING id INTO number;
  DELETE FROM signoff.deletions WHERE id <= number - most;
END $$;

-- Drop a piece of what deleted streams held: so many rows, or the one that brings their total to so many bytes. Whoever
-- is at one of them is not waited for. Return whether something may be left.
CREATE FUNCTION signoff.purge_v1(most int, bytes bigint) RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  one bigint;
  rows int := most;
  size bigint := bytes;
  gone int;
  freed bigint;
BEGIN
  WHILE rows > 0 AND size > 0 LOOP
    SELECT stream INTO one FROM signoff.doomed ORDER BY stream LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
      RETURN EXISTS (SELECT 1 FROM signoff.doomed);
    END IF;
    WITH piece AS (
      SELECT start, sum(length(data)) OVER (ORDER BY start) - length(data) AS ahead
      FROM (SELECT start, data FROM signoff.batches WHERE stream = one ORDER BY start LIMIT rows) AS first
    ),
    dropped AS (
      DELETE FROM signoff.batches
      WHERE stream = one AND start = ANY (ARRAY(SELECT piece.start FROM piece WHERE piece.ahead < size))
      RETURNING length(data) AS length
    )
    SELECT count(*), coalesce(sum(length), 0) INTO gone, freed FROM dropped;
    IF gone = 0 THEN
      DELETE FROM signoff.live_rows WHERE stream = one AND position = ANY (
        ARRAY(SELECT first.position FROM signoff.live_rows AS first WHERE first.stream = one LIMIT rows));
      GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
    IF gone = 0 THEN
      DELETE FROM signoff.producers WHERE stream = one AND producer_id = ANY (
        ARRAY(SELECT first.producer_id FROM signoff.producers AS first WHERE first.stream = one LIMIT rows));
      GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
    IF gone = 0 THEN
      DELETE FROM signoff.doomed WHERE stream = one;
      gone := 10;
    END IF;
    rows := rows - gone;
    size := size - freed;
  END LOOP;
  RETURN true;
END $$;
