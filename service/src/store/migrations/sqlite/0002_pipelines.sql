-- Pipelines that were put over HTTP. Those of a process's folder are not here.

CREATE TABLE pipelines (
    name TEXT NOT NULL PRIMARY KEY,
    updated_ms INTEGER NOT NULL,
    -- The text as it was sent: YAML, or JSON, which YAML contains.
    document TEXT NOT NULL
) STRICT;
