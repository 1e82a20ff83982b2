-- Writing a group of Changes in one call. `stores/postgres/gather.py` makes the arrays.

-- Rows of subjects come first, sorted by number, new ones last and by name; then those of application streams that are
-- appended to, sorted by number. So whoever writes locks in one order. A row is written if what it was decided on is
-- still there; the numbers of the others are returned as `stale`, and nothing of theirs is written.
--   session  of the writer; one that is known to be lost is refused
--   s_       records of subjects; s_id is -1, -2, … for new ones, in the order in which they shall be numbered, s_epoch NULL for whoever writes without a lease, s_agenda tells
--            whether when it is due may have moved
--   n_       new streams of theirs
--   t_, p_   terms and parts that come or go, in order
--   f_       application streams that are appended to
--   b_, o_   batches and posts, of any row
-- An array that would be empty is NULL. The caller sees to it that plans lead through indexes (`context.py`): to have a
-- function do so takes a tenth of the time of the smallest commit.
CREATE FUNCTION signoff.commit_v1(
  session bigint,
  s_id bigint[], s_kind text[], s_name text[], s_expect bigint[], s_epoch bigint[], s_version bigint[], s_mark bigint[],
  s_sort bigint[], s_terms text[], s_queue text[], s_ready boolean[], s_wake bigint[], s_quiet boolean[],
  s_updated bigint[], s_own text[], s_appended boolean[], s_release boolean[], s_agenda boolean[], s_state bytea[],
  n_row int[], n_id bigint[], n_path text[], n_incarnation text[], n_version bigint[],
  t_row int[], t_term text[], t_gone boolean[],
  p_row int[], p_kind text[], p_name text[], p_gone boolean[], p_open boolean[], p_sort bigint[], p_terms text[],
  p_state bytea[],
  f_stream bigint[], f_expect bigint[], f_version bigint[], f_tail bigint[], f_seq text[], f_touched bigint[],
  f_ends bigint[], f_producer text[], f_producer_epoch bigint[], f_producer_seq bigint[],
  b_row int[], b_stream bigint[], b_start bigint[], b_stop bigint[], b_mark bigint[], b_data bytea[],
  o_row int[], o_path text[], o_count bigint[], o_data bytea[],
  OUT stale int[], OUT ids bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
  n int := coalesce(cardinality(s_id), 0);
  i int;
  t int := 1;
  p int := 1;
  number bigint;
  its_epoch bigint;
  due bigint;
  fresh bigint[];
BEGIN
  PERFORM pg_advisory_xact_lock_shared(session);
  IF EXISTS (SELECT 1 FROM signoff.lost_sessions WHERE lost_sessions.id = session) THEN
    RAISE EXCEPTION 'this session was given up' USING ERRCODE = 'SG001';
  END IF;
  stale := '{}';
  ids := '{}';
  IF s_id[n] < 0 THEN
    SELECT array_agg(nextval('signoff.subject_numbers')) INTO fresh FROM generate_series(1, -(SELECT min(one) FROM unnest(s_id) AS one));
  END IF;
  FOR i IN 1..n LOOP
    IF s_id[i] < 0 THEN
      INSERT INTO signoff.subjects (id, kind, name, sort, version, mark, ready, quiet, wake_at, updated_at, queue, terms, own,
                                    state)
      VALUES (fresh[-s_id[i]], s_kind[i], s_name[i], s_sort[i], s_version[i], s_mark[i], s_ready[i], s_quiet[i], s_wake[i], s_updated[i],
              s_queue[i], s_terms[i], s_own[i], s_state[i])
      ON CONFLICT DO NOTHING RETURNING subjects.id, subjects.epoch INTO number, its_epoch;
    ELSE
      UPDATE signoff.subjects
      SET version = s_version[i], mark = s_mark[i], ready = s_ready[i], quiet = s_quiet[i], wake_at = s_wake[i],
          updated_at = s_updated[i], queue = s_queue[i], terms = s_terms[i], own = s_own[i], state = s_state[i],
          lost = CASE WHEN s_appended[i] THEN 0 ELSE lost END,
          lease_owner = CASE WHEN s_release[i] THEN NULL ELSE lease_owner END
      WHERE subjects.id = s_id[i] AND version = s_expect[i]
        AND (s_epoch[i] IS NULL OR (epoch = s_epoch[i] AND lease_owner IS NOT NULL))
      RETURNING subjects.id, subjects.epoch INTO number, its_epoch;
    END IF;
    ids := ids || number;
    IF number IS NULL THEN
      stale := stale || i;
      WHILE t_row[t] = i LOOP t := t + 1; END LOOP;
      WHILE p_row[p] = i LOOP p := p + 1; END LOOP;
      CONTINUE;
    END IF;
    IF s_agenda[i] THEN
      due := CASE WHEN s_queue[i] IS NULL THEN NULL WHEN s_ready[i] THEN 0 ELSE s_wake[i] END;
      IF s_id[i] > 0 THEN
        IF s_queue[i] IS NULL THEN
          DELETE FROM signoff.agenda WHERE agenda.subject = number AND (s_release[i] OR lease_until IS NULL);
        END IF;
        UPDATE signoff.agenda
        SET queue = s_queue[i],
            due_since = CASE
                WHEN agenda.queue IS DISTINCT FROM s_queue[i] OR agenda.due_at IS DISTINCT FROM it.due_at
                  THEN coalesce(nullif(it.due_at, 0), s_updated[i])
                ELSE agenda.due_since
              END,
            due_at = it.due_at,
            lease_owner = CASE WHEN s_release[i] THEN NULL ELSE agenda.lease_owner END,
            lease_until = CASE WHEN s_release[i] THEN NULL ELSE agenda.lease_until END,
            lease_ms = CASE WHEN s_release[i] THEN NULL ELSE agenda.lease_ms END
        FROM (
          SELECT old.subject,
                 CASE WHEN s_queue[i] IS NULL THEN NULL WHEN s_release[i] OR old.lease_until IS NULL THEN due
                      ELSE old.lease_until END AS due_at
          FROM signoff.agenda AS old WHERE old.subject = number FOR UPDATE
        ) AS it
        WHERE agenda.subject = it.subject;
      END IF;
      IF s_queue[i] IS NOT NULL AND (s_id[i] < 0 OR NOT FOUND) THEN
        INSERT INTO signoff.agenda (subject, queue, due_at, due_since, epoch)
        VALUES (number, s_queue[i], due, coalesce(nullif(due, 0), s_updated[i]), its_epoch);
      END IF;
    END IF;
    WHILE t_row[t] = i LOOP
      IF t_gone[t] THEN
        DELETE FROM signoff.subject_terms
        WHERE kind = s_kind[i] AND term = t_term[t] AND sort = s_sort[i] AND subject = number;
      ELSE
        INSERT INTO signoff.subject_terms (kind, term, sort, subject)
        VALUES (s_kind[i], t_term[t], s_sort[i], number) ON CONFLICT DO NOTHING;
      END IF;
      t := t + 1;
    END LOOP;
    WHILE p_row[p] = i LOOP
      IF p_gone[p] THEN
        PERFORM signoff.drop_part_v1(number, p_kind[p], p_name[p]);
      ELSE
        PERFORM signoff.put_part_v1(number, p_kind[p], p_name[p], p_open[p], p_sort[p], p_terms[p], p_state[p]);
      END IF;
      p := p + 1;
    END LOOP;
  END LOOP;

  FOR i IN 1..coalesce(cardinality(f_stream), 0) LOOP
    UPDATE signoff.tails
    SET version = f_version[i], tail = f_tail[i], last_seq = f_seq[i], touched_at = f_touched[i]
    WHERE stream = f_stream[i] AND version = f_expect[i];
    IF NOT FOUND THEN
      stale := stale || n + i;
      CONTINUE;
    END IF;
    IF f_ends[i] IS NOT NULL THEN
      UPDATE signoff.streams SET ends_at = f_ends[i] WHERE streams.id = f_stream[i];
    END IF;
    IF f_producer[i] IS NOT NULL THEN
      INSERT INTO signoff.producers (stream, producer_id, epoch, seq)
      VALUES (f_stream[i], f_producer[i], f_producer_epoch[i], f_producer_seq[i])
      ON CONFLICT (stream, producer_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq;
    END IF;
  END LOOP;

  IF cardinality(n_row) > 0 THEN
    INSERT INTO signoff.streams (id, path, incarnation, content_type, engine, subject, version, mark)
    SELECT one.id, one.path, one.incarnation, 'application/json', true, ids[one.row], one.version, s_mark[one.row]
    FROM unnest(n_row, n_id, n_path, n_incarnation, n_version) AS one (row, id, path, incarnation, version)
    WHERE one.row <> ALL (stale);
  END IF;
  IF cardinality(b_row) <= 4 THEN
    FOR i IN 1..cardinality(b_row) LOOP
      IF b_row[i] <> ALL (stale) THEN
        INSERT INTO signoff.batches (stream, start, stop, mark, data)
        VALUES (b_stream[i], b_start[i], b_stop[i], b_mark[i], b_data[i]);
      END IF;
    END LOOP;
  ELSIF cardinality(b_row) > 0 THEN
    INSERT INTO signoff.batches (stream, start, stop, mark, data)
    SELECT one.stream, one.start, one.stop, one.mark, one.data
    FROM unnest(b_row, b_stream, b_start, b_stop, b_mark, b_data) AS one (row, stream, start, stop, mark, data)
    WHERE one.row <> ALL (stale);
  END IF;
  IF cardinality(o_row) > 0 THEN
    INSERT INTO signoff.posts (path, count, data)
    SELECT one.path, one.count, one.data
    FROM unnest(o_row, o_path, o_count, o_data) WITH ORDINALITY AS one (row, path, count, data, place)
    WHERE one.row <> ALL (stale) ORDER BY one.place;
  END IF;
END $$;

-- Put a part; one that is there keeps its place, and its sort.
CREATE FUNCTION signoff.put_part_v1(
  of_subject bigint, its_kind text, its_name text, its_open boolean, its_sort bigint, its_terms text, its_state bytea
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  old record;
  number bigint;
  known_sort bigint := its_sort;
BEGIN
  SELECT parts.id, sort, terms INTO old
  FROM signoff.parts WHERE subject = of_subject AND kind = its_kind AND name = its_name;
  IF FOUND THEN
    number := old.id;
    known_sort := old.sort;
    UPDATE signoff.parts SET open = its_open, terms = its_terms, state = its_state WHERE parts.id = number;
    IF old.terms = its_terms THEN
      RETURN;
    END IF;
    DELETE FROM signoff.part_terms
    WHERE kind = its_kind AND sort = known_sort AND part = number
      AND term IN (SELECT jsonb_array_elements_text(old.terms::jsonb));
  ELSE
    INSERT INTO signoff.parts (subject, kind, name, sort, open, terms, state)
    VALUES (of_subject, its_kind, its_name, its_sort, its_open, its_terms, its_state) RETURNING parts.id INTO number;
  END IF;
  IF its_terms <> '[]' THEN
    INSERT INTO signoff.part_terms (kind, term, sort, part)
    SELECT DISTINCT its_kind, one, known_sort, number FROM jsonb_array_elements_text(its_terms::jsonb) AS one;
  END IF;
END $$;

-- Drop a part, if it is there.
CREATE FUNCTION signoff.drop_part_v1(of_subject bigint, its_kind text, its_name text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  gone record;
BEGIN
  DELETE FROM signoff.parts WHERE subject = of_subject AND kind = its_kind AND name = its_name
  RETURNING parts.id, sort, terms INTO gone;
  IF FOUND AND gone.terms <> '[]' THEN
    DELETE FROM signoff.part_terms
    WHERE kind = its_kind AND sort = gone.sort AND part = gone.id
      AND term IN (SELECT jsonb_array_elements_text(gone.terms::jsonb));
  END IF;
END $$;

-- Write one record as a step leaves it, with what it appends to one or two streams of its own: what is written most, and
-- a third of the time of `commit_v1`. Its terms, its queue and its lease stay. Return whether it was written.
CREATE FUNCTION signoff.step_v1(
  session bigint, number bigint, expect bigint, its_epoch bigint, its_version bigint, its_mark bigint, its_ready boolean,
  its_wake bigint, its_quiet boolean, its_updated bigint, appended boolean, its_own text, its_state bytea,
  stream1 bigint, start1 bigint, stop1 bigint, data1 bytea, stream2 bigint, start2 bigint, stop2 bigint, data2 bytea
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(session);
  IF EXISTS (SELECT 1 FROM signoff.lost_sessions WHERE lost_sessions.id = session) THEN
    RAISE EXCEPTION 'this session was given up' USING ERRCODE = 'SG001';
  END IF;
  UPDATE signoff.subjects
  SET version = its_version, mark = its_mark, ready = its_ready, quiet = its_quiet, wake_at = its_wake,
      updated_at = its_updated, own = its_own, state = its_state, lost = CASE WHEN appended THEN 0 ELSE lost END
  WHERE id = number AND version = expect AND epoch = its_epoch AND lease_owner IS NOT NULL;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF stream2 IS NOT NULL THEN
    INSERT INTO signoff.batches (stream, start, stop, mark, data)
    VALUES (stream1, start1, stop1, its_mark, data1), (stream2, start2, stop2, its_mark, data2);
  ELSIF stream1 IS NOT NULL THEN
    INSERT INTO signoff.batches (stream, start, stop, mark, data) VALUES (stream1, start1, stop1, its_mark, data1);
  END IF;
  RETURN true;
END $$;
