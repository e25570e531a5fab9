-- Times are milliseconds since 1970, identifiers are UUIDs as text in lower case, documents are
-- JSON text. INTEGER, because a STRICT table has no BIGINT; it holds 64 bits all the same.

CREATE TABLE rollouts (
    id TEXT NOT NULL PRIMARY KEY,
    pipeline TEXT NOT NULL,
    rollout_key TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('open', 'promoted', 'rolled_back', 'cancelled', 'closed')),
    is_current INTEGER NOT NULL CHECK (is_current IN (0, 1)),
    version INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    -- Last: a filter on the columns above does not read the pages of a long document.
    document TEXT NOT NULL,
    UNIQUE (pipeline, rollout_key, attempt),
    CHECK (is_current = 0 OR state NOT IN ('cancelled', 'closed'))
) STRICT;

-- A key means one rollout at a time, whatever the program above believes.
CREATE UNIQUE INDEX rollouts_current ON rollouts (pipeline, rollout_key) WHERE is_current = 1;
CREATE INDEX rollouts_newest ON rollouts (created_ms, id);
CREATE INDEX rollouts_newest_of_pipeline ON rollouts (pipeline, created_ms, id);
CREATE INDEX rollouts_newest_of_state ON rollouts (state, created_ms, id);
CREATE INDEX rollouts_closed ON rollouts (closed_ms, id)
    WHERE is_current = 0 AND closed_ms IS NOT NULL;

CREATE TABLE events (
    rollout_id TEXT NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (rollout_id, sequence)
) STRICT;

CREATE TABLE inputs (
    rollout_id TEXT NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (rollout_id, digest)
) STRICT;

CREATE INDEX inputs_by_digest ON inputs (digest);

-- Always empty between two transactions: what a readiness check writes to see that it can.
CREATE TABLE probes (
    bytes BLOB NOT NULL
) STRICT;
