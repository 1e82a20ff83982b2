-- Streams that share the beginning of another, and streams that are kept for those.

ALTER TABLE streams ADD COLUMN fork_path TEXT;
ALTER TABLE streams ADD COLUMN fork_incarnation TEXT;
ALTER TABLE streams ADD COLUMN fork_at INTEGER;
ALTER TABLE streams ADD COLUMN fork_depth INTEGER;
ALTER TABLE streams ADD COLUMN refs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
