-- A rollout in whose place its caller began another one. It stays what its key means until a call
-- that may start begins anew, and it may be removed when it is old.
--
-- Only the list of names changes, and nothing that is stored: so the text of the table is replaced,
-- as SQLite's documentation of ALTER TABLE describes for constraints. To copy the table would take
-- minutes and as much room again where many inputs are kept.

PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(
    sql,
    'CHECK (state IN (''open'', ''promoted'', ''rolled_back'', ''cancelled'', ''closed''))',
    'CHECK (state IN (''open'', ''promoted'', ''rolled_back'', ''cancelled'', ''superseded'', ''closed''))'
)
WHERE type = 'table' AND name = 'rollouts';
PRAGMA writable_schema = RESET;

DROP INDEX rollouts_removable;
CREATE INDEX rollouts_removable ON rollouts (closed_ms, id)
    WHERE closed_ms IS NOT NULL AND (is_current = 0 OR state IN ('promoted', 'superseded'));
