//! Every statement of the store, as a constant.
//!
//! They are written for SQLite and PostgreSQL alike: `$1` parameters, `ON CONFLICT` and row values
//! that both know, truth as the numbers 0 and 1, no `rowid`, no `INSERT OR REPLACE`. What only one
//! engine understands (how a write transaction begins, pragmas, locks) stays with that engine.

/// Greater than any id as text, which begins with a hexadecimal digit: with a time, the place after
/// everything of that time.
pub(super) const AFTER_ANY_ID: &str = "g";

/// A statement that reads whole rollouts. A macro, because `concat!` takes literals only.
macro_rules! select_rollouts {
    ($($rest:literal),+) => {
        concat!(
            "SELECT id, pipeline, rollout_key, attempt, state, is_current, version, event_count, \
             created_ms, updated_ms, closed_ms, document FROM rollouts ",
            $($rest),+
        )
    };
}

/// One page of rollouts, newest first. All take the same parameters, so that one function binds
/// them: pipeline, key, state (each may be null), the least `created_ms`, the cursor's
/// `created_ms` and `id`, the limit. They differ in the leading condition, which is what the
/// planner finds an index by.
macro_rules! select_page {
    ($lead:literal) => {
        select_rollouts!(
            "WHERE ",
            $lead,
            "(CAST($1 AS TEXT) IS NULL OR pipeline = $1) \
             AND (CAST($2 AS TEXT) IS NULL OR rollout_key = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR state = $3) \
             AND created_ms >= $4 AND (created_ms, id) < ($5, $6) \
             ORDER BY created_ms DESC, id DESC LIMIT $7"
        )
    };
}

pub(super) const ROLLOUT: &str = select_rollouts!("WHERE id = $1");

pub(super) const CURRENT: &str =
    select_rollouts!("WHERE pipeline = $1 AND rollout_key = $2 AND is_current = 1");

/// Open rollouts, oldest first, after `(created_ms, id)`.
pub(super) const OPEN_AFTER: &str = select_rollouts!(
    "WHERE state = 'open' AND (created_ms, id) > ($1, $2) ORDER BY created_ms, id LIMIT $3"
);

pub(super) const PAGE: &str = select_page!("");
pub(super) const PAGE_OF_STATE: &str = select_page!("state = $3 AND ");
pub(super) const PAGE_OF_PIPELINE: &str = select_page!("pipeline = $1 AND ");
pub(super) const PAGE_OF_KEY: &str = select_page!("pipeline = $1 AND rollout_key = $2 AND ");

pub(super) const LAST_ATTEMPT: &str =
    "SELECT COALESCE(MAX(attempt), 0) FROM rollouts WHERE pipeline = $1 AND rollout_key = $2";

pub(super) const INSERT_ROLLOUT: &str = "INSERT INTO rollouts (id, pipeline, rollout_key, attempt, \
     state, is_current, version, event_count, created_ms, updated_ms, closed_ms, document) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// The version is compared once more: on an engine whose read does not lock, this is what notices.
pub(super) const UPDATE_ROLLOUT: &str = "UPDATE rollouts SET state = $3, is_current = $4, \
     version = $5, event_count = $6, updated_ms = $7, closed_ms = $8, document = $9 \
     WHERE id = $1 AND version = $2";

pub(super) const INSERT_EVENT: &str = "INSERT INTO events \
     (rollout_id, sequence, at_ms, kind, document) VALUES ($1, $2, $3, $4, $5)";

pub(super) const EVENTS_AFTER: &str = "SELECT sequence, at_ms, kind, document FROM events \
     WHERE rollout_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";

pub(super) const INSERT_INPUTS: &str = "INSERT INTO inputs (rollout_id, digest, bytes) \
     VALUES ($1, $2, $3) ON CONFLICT (rollout_id, digest) DO NOTHING";

pub(super) const INPUTS: &str = "SELECT bytes FROM inputs WHERE digest = $1 LIMIT 1";

/// The newest rollout that may be removed and is one too many, when `$1` are kept.
pub(super) const FIRST_TOO_MANY: &str = "SELECT closed_ms, id FROM rollouts \
     WHERE closed_ms IS NOT NULL AND (is_current = 0 OR state IN ('promoted', 'superseded')) \
     ORDER BY closed_ms DESC, id DESC LIMIT 1 OFFSET $1";

/// The oldest that may be removed up to and with `(closed_ms, id)`; events and inputs go with them.
pub(super) const DELETE_OVER: &str = "DELETE FROM rollouts WHERE id IN \
     (SELECT id FROM rollouts \
      WHERE closed_ms IS NOT NULL AND (is_current = 0 OR state IN ('promoted', 'superseded')) \
      AND (closed_ms, id) <= ($1, $2) ORDER BY closed_ms, id LIMIT $3)";

/// The inputs of the oldest that were rolled back up to `closed_ms` and stay.
pub(super) const DELETE_INPUTS_OF_ROLLED_BACK: &str = "DELETE FROM inputs WHERE rollout_id IN \
     (SELECT id FROM rollouts WHERE is_current = 1 AND state = 'rolled_back' AND closed_ms <= $1 \
      AND EXISTS (SELECT 1 FROM inputs WHERE inputs.rollout_id = rollouts.id) \
      ORDER BY closed_ms, id LIMIT $2)";

pub(super) const PIPELINE: &str =
    "SELECT name, updated_ms, document FROM pipelines WHERE name = $1";

/// In no order: how texts are sorted depends on the engine's language.
pub(super) const PIPELINES: &str = "SELECT name, updated_ms, document FROM pipelines";

pub(super) const PUT_PIPELINE: &str = "INSERT INTO pipelines (name, updated_ms, document) \
     VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE \
     SET updated_ms = excluded.updated_ms, document = excluded.document";

pub(super) const DELETE_PIPELINE: &str = "DELETE FROM pipelines WHERE name = $1";

/// The store's own name.
pub(super) const IDENTITY: &str = "SELECT id FROM store_identity";

pub(super) const VERSION: &str = "SELECT version FROM rollouts WHERE id = $1";

pub(super) const INSERT_PROBE: &str = "INSERT INTO probes (bytes) VALUES ($1)";
pub(super) const DELETE_PROBES: &str = "DELETE FROM probes";
