-- Leases, and what is due.

-- Take a lease on up to `most` subjects that are due, oldest first. Whoever is at one of them at this moment is not
-- waited for. For each queue what is ready and what has a time are looked up apart, so that each look ends in an index.
-- Leases go by the clock of the server (`at`), times to wake by that of whoever asks (`here`).
CREATE FUNCTION signoff.claim_v1(owner text, queues text[], at bigint, here bigint, span bigint, most int)
RETURNS TABLE (
  id bigint, kind text, name text, version bigint, state bytea, terms text, sort bigint, queue text, ready boolean,
  wake_at bigint, quiet boolean, updated_at bigint, own text, epoch bigint, lease_owner text, lease_until bigint,
  lost bigint
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  taken bigint[];
BEGIN
  WITH names AS MATERIALIZED (SELECT DISTINCT one.name FROM unnest(queues) AS one (name)),
  ready AS MATERIALIZED (
    SELECT found.subject, found.since FROM names, LATERAL (
      SELECT agenda.subject, agenda.due_since AS since
      FROM signoff.agenda JOIN signoff.subjects ON subjects.id = agenda.subject
      WHERE agenda.queue = names.name AND agenda.due_at <= 0
      ORDER BY agenda.due_since, agenda.subject LIMIT most FOR UPDATE SKIP LOCKED
    ) AS found
  ),
  timed AS MATERIALIZED (
    SELECT found.subject, found.since FROM names, LATERAL (
      SELECT agenda.subject, agenda.due_at AS since
      FROM signoff.agenda JOIN signoff.subjects ON subjects.id = agenda.subject
      WHERE agenda.queue = names.name AND agenda.due_at > 0 AND agenda.due_at <= greatest(at, here)
        AND agenda.due_at <= CASE WHEN agenda.lease_until IS NULL THEN here ELSE at END
      ORDER BY agenda.due_at, agenda.subject LIMIT most FOR UPDATE SKIP LOCKED
    ) AS found
  ),
  far AS MATERIALIZED (
    SELECT agenda.subject, 9223372036854775807 AS since
    FROM signoff.agenda JOIN signoff.subjects ON subjects.id = agenda.subject
    WHERE agenda.lease_until - 2 * agenda.lease_ms > at AND agenda.lease_until IS NOT NULL
      AND agenda.queue = ANY (queues)
    ORDER BY agenda.lease_until - 2 * agenda.lease_ms LIMIT most FOR UPDATE SKIP LOCKED
  ),
  chosen AS (
    SELECT * FROM ready UNION ALL SELECT * FROM timed UNION ALL SELECT * FROM far ORDER BY since, subject LIMIT most
  )
  SELECT array_agg(chosen.subject ORDER BY since, chosen.subject) INTO taken FROM chosen;
  IF taken IS NULL THEN
    RETURN;
  END IF;
  UPDATE signoff.agenda
  SET epoch = agenda.epoch + 1, lease_owner = owner, lease_until = at + span, lease_ms = span, due_at = at + span,
      due_since = at + span
  WHERE agenda.subject = ANY (taken);
  RETURN QUERY
  WITH moved AS (
    UPDATE signoff.subjects
    SET epoch = subjects.epoch + 1, lease_owner = owner,
        lost = subjects.lost + (subjects.lease_owner IS NOT NULL AND subjects.lease_owner <> owner)::int
    WHERE subjects.id = ANY (taken)
    RETURNING subjects.*
  )
  SELECT moved.id, moved.kind, moved.name, moved.version, moved.state, moved.terms, moved.sort, moved.queue, moved.ready,
         moved.wake_at, moved.quiet, moved.updated_at, moved.own, moved.epoch, moved.lease_owner, at + span, moved.lost
  FROM moved ORDER BY array_position(taken, moved.id);
END $$;

-- Extend leases to `until`; return which of them, by their places, are held.
CREATE FUNCTION signoff.renew_v1(owner text, kinds text[], names text[], epochs bigint[], until bigint)
RETURNS SETOF bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off
AS $$
BEGIN
  RETURN QUERY
  WITH asked AS MATERIALIZED (
    SELECT one.place, one.epoch, subjects.id
    FROM unnest(kinds, names, epochs) WITH ORDINALITY AS one (kind, name, epoch, place)
    JOIN signoff.subjects ON subjects.kind = one.kind AND subjects.name = one.name
  ),
  locked AS MATERIALIZED (
    SELECT agenda.subject FROM signoff.agenda WHERE agenda.subject IN (SELECT asked.id FROM asked)
    ORDER BY agenda.subject FOR UPDATE
  )
  UPDATE signoff.agenda SET lease_until = until, due_at = until, due_since = until
  FROM asked JOIN locked ON locked.subject = asked.id
  WHERE agenda.subject = asked.id AND agenda.epoch = asked.epoch AND agenda.lease_owner = owner
    AND agenda.queue IS NOT NULL
  RETURNING asked.place;
END $$;

-- Have a subject wake at a time, if there is one; its version stays.
CREATE FUNCTION signoff.wake_v1(its_kind text, its_name text, at bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  it record;
  due bigint;
BEGIN
  UPDATE signoff.subjects SET wake_at = at WHERE kind = its_kind AND name = its_name
  RETURNING id, queue, ready INTO it;
  IF it.queue IS NULL THEN
    RETURN;
  END IF;
  due := CASE WHEN it.ready THEN 0 ELSE at END;
  UPDATE signoff.agenda SET due_at = coalesce(lease_until, due), due_since = coalesce(nullif(coalesce(lease_until, due), 0), at)
  WHERE subject = it.id;
END $$;

-- Give leases up; each subject is ready at once. One that is no longer held is left alone.
CREATE FUNCTION signoff.release_v1(owner text, kinds text[], names text[], epochs bigint[])
RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
  it record;
BEGIN
  FOR it IN
    SELECT subjects.id, subjects.queue, subjects.updated_at
    FROM signoff.subjects JOIN unnest(kinds, names, epochs) AS one (kind, name, epoch)
      ON subjects.kind = one.kind AND subjects.name = one.name AND subjects.epoch = one.epoch
    WHERE subjects.lease_owner = owner ORDER BY subjects.id FOR UPDATE OF subjects
  LOOP
    UPDATE signoff.subjects SET ready = true, lease_owner = NULL WHERE subjects.id = it.id;
    IF it.queue IS NULL THEN
      DELETE FROM signoff.agenda WHERE agenda.subject = it.id;
    ELSE
      UPDATE signoff.agenda
      SET lease_owner = NULL, lease_until = NULL, lease_ms = NULL, due_at = 0, due_since = it.updated_at
      WHERE agenda.subject = it.id;
    END IF;
  END LOOP;
END $$;
