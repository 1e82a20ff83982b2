-- Write records as steps leave them, with what they append to streams of their own, all in two statements; rows as in
-- `commit_v1`, each of another record. The numbers of rows that were decided on something else are returned, and nothing
-- of theirs is written. The caller sees to it that the join goes by the order of the rows, which is that of locks.
CREATE FUNCTION signoff.steps_v1(
  session bigint,
  s_id bigint[], s_expect bigint[], s_epoch bigint[], s_version bigint[], s_mark bigint[], s_ready boolean[],
  s_wake bigint[], s_quiet boolean[], s_updated bigint[], s_appended boolean[], s_own text[], s_state bytea[],
  b_row int[], b_stream bigint[], b_start bigint[], b_stop bigint[], b_mark bigint[], b_data bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  done bigint[];
BEGIN
  PERFORM pg_advisory_xact_lock_shared(session);
  IF EXISTS (SELECT 1 FROM signoff.lost_sessions WHERE lost_sessions.id = session) THEN
    RAISE EXCEPTION 'this session was given up' USING ERRCODE = 'SG001';
  END IF;
  WITH written AS (
    UPDATE signoff.subjects
    SET version = one.version, mark = one.mark, ready = one.ready, quiet = one.quiet, wake_at = one.wake,
        updated_at = one.updated, own = one.own, state = one.state,
        lost = CASE WHEN one.appended THEN 0 ELSE subjects.lost END
    FROM unnest(s_id, s_expect, s_epoch, s_version, s_mark, s_ready, s_wake, s_quiet, s_updated, s_appended, s_own, s_state)
      WITH ORDINALITY
      AS one (id, expect, epoch, version, mark, ready, wake, quiet, updated, appended, own, state, place)
    WHERE subjects.id = one.id AND subjects.version = one.expect AND subjects.epoch = one.epoch
      AND subjects.lease_owner IS NOT NULL
    RETURNING one.place
  )
  SELECT coalesce(array_agg(written.place), '{}') INTO done FROM written;
  IF cardinality(done) = cardinality(s_id) THEN
    INSERT INTO signoff.batches (stream, start, stop, mark, data)
    SELECT * FROM unnest(b_stream, b_start, b_stop, b_mark, b_data);
    RETURN '{}';
  END IF;
  INSERT INTO signoff.batches (stream, start, stop, mark, data)
  SELECT one.stream, one.start, one.stop, one.mark, one.data
  FROM unnest(b_row, b_stream, b_start, b_stop, b_mark, b_data) AS one (row, stream, start, stop, mark, data)
  WHERE one.row = ANY (done);
  RETURN ARRAY(SELECT number FROM generate_series(1, cardinality(s_id)) AS number WHERE number <> ALL (done));
END $$;
