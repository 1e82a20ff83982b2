-- Documents the server keeps beside the streams: subscriptions, and the keys that sign their webhooks.
CREATE TABLE records (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  due_at INTEGER,
  state BLOB NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_due ON records (kind, due_at) WHERE due_at IS NOT NULL;
