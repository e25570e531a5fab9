-- What may be removed when it is old: also rollouts that were promoted and are what their key means.

DROP INDEX rollouts_closed;
CREATE INDEX rollouts_removable ON rollouts (closed_ms, id)
    WHERE closed_ms IS NOT NULL AND (is_current = 0 OR state = 'promoted');
-- Those that stay because a rollback is final, of which only the inputs are removed.
CREATE INDEX rollouts_over_of_state ON rollouts (state, closed_ms, id) WHERE is_current = 1;
