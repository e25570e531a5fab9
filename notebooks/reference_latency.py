"""The method of latency quantiles, written again in numpy from its description.

That is docs/design/latency.md. It shares no code with Serinus. `LatencyRollouts` are many rollouts
of one stage of a check `latency_q < baseline * ratio` whose quantile lies between bounds, neither
in the first bucket nor beyond the last bound. Arrays are intervals x rollouts, of requests by
bucket intervals x rollouts x buckets.
"""

import math

import numpy as np
from scipy import stats

from reference import BLOCK_LENGTHS, EFFECTS, VETO, deflate, log_sum_exp, prefix, ratio_of

MEMORY, LEAST, PRIOR = 200, 1, 5
CLEARED = 1.05
COMPLIANCE_EFFECTS = 1 / np.array([1.5, 3, 10])
INTERVALS_BETWEEN_STARTS, LEAST_INTERVALS = 8, 3


def normal(share):
    """Returns z with this share above it."""
    return stats.norm.isf(np.clip(share, 1e-12, 1 - 1e-12))


def tails(rows):
    """Returns how many requests are slower than the lower end of each bucket, and 0 at the end."""
    beyond = rows[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return np.concatenate([beyond, np.zeros_like(beyond[..., :1])], axis=-1)


def shares(beyond):
    """Returns the shares S of a law by what is beyond the edges of its buckets."""
    found = (beyond + 0.5) / (beyond[..., :1] + 1)
    found[..., 0], found[..., -1] = 1, 0
    return found


def at(values, place):
    """Returns the values at a place by rollout."""
    return np.take_along_axis(values, place[:, None], axis=1)[:, 0]


class Edges:
    """The edges of buckets: 0, the bounds, infinity."""

    def __init__(self, bounds):
        self.all = np.array([0, *bounds, np.inf])

    def quantile(self, law, slow):
        """Returns the quantile, its bucket, and the part of the bucket that is slower."""
        bucket = (law[:, 1:] <= slow).argmax(axis=1)
        assert np.all(bucket > 0) and np.all(bucket < len(self.all) - 2)
        high, low = at(law, bucket), at(law, bucket + 1)
        z = normal(slow), normal(high), normal(low)
        part = np.clip((z[0] - z[1]) / (z[2] - z[1]), 0, 1)
        lower, upper = self.all[bucket], self.all[bucket + 1]
        return lower * (upper / lower) ** part, bucket, (slow - low) / (high - low)

    def weight(self, law, place):
        """Returns the bucket of a place, and the part of the bucket that is slower."""
        bucket = np.searchsorted(self.all, place, side="left") - 1
        assert np.all(bucket > 0) and np.all(bucket < len(self.all) - 2)
        high, low = at(law, bucket), at(law, bucket + 1)
        lower, upper = self.all[bucket], self.all[bucket + 1]
        part = np.log(place / lower) / np.log(upper / lower)
        z = (1 - part) * normal(high) + part * normal(low)
        is_flat = high - low <= 1e-12
        found = (stats.norm.sf(z) - low) / np.where(is_flat, 1, high - low)
        linear = (upper - place) / (upper - lower)
        found = np.where(is_flat, linear, np.clip(found, 0, 1))
        return bucket, np.where(place >= upper, 0.0, found)


def slower(row, bucket, part):
    """Returns how many requests of a row are slower than a place."""
    return at(tails(row), bucket + 1) + part * at(row, bucket)


class Noise:
    """How far counts scatter around the control's rate, in blocks of several lengths."""

    def __init__(self, residual, variance, exposure, weight):
        self.variance, self.blocks = prefix(variance), {}
        for length in BLOCK_LENGTHS:
            parts = residual, exposure, weight
            d, n, w = (np.diff(prefix(one)[::length], axis=0) for one in parts)
            self.blocks[length] = [prefix(one) for one in (d * d, d * n, n * n, w, w * w)]

    def _between(self, length, begin, end):
        last = end // length
        first = min(-(-begin // length), last)
        dd, dn, nn, w, ww = (one[last] - one[first] for one in self.blocks[length])
        squares = np.maximum(dd - ratio_of(dn * dn, nn), 0)
        variance = self.variance[last * length] - self.variance[first * length]
        blocks = ratio_of(w * w, ww)
        return squares, variance, blocks, np.maximum(blocks - 1, 0)

    def dispersion(self, start, now, first_prior, growth):
        """Returns D and nu of the intervals before `now`, apart before and after the start."""
        best = np.full_like(first_prior, -np.inf)
        degrees, before = np.zeros_like(best), None
        for length in BLOCK_LENGTHS:
            parts = [(0, now)] if not start or now - start < 12 else [(0, start), (start, now)]
            found = [self._between(length, *part) for part in parts]
            squares, variance, blocks, free = (sum(one) for one in zip(*found, strict=True))
            here = ratio_of(squares, variance) * ratio_of(blocks, free)
            prior = first_prior if before is None else 1 + growth * (before - 1)
            found = np.maximum(1, (3 * prior + free * here) / (3 + free))
            counts = (blocks >= 3 - 1e-6) | (length == 1)
            before = found if before is None else np.where(counts, found, before)
            is_larger = counts & (found > best)
            best, degrees = np.where(is_larger, found, best), np.where(is_larger, 3 + free, degrees)
        return best, degrees


class LatencyRollouts:
    """Rollouts of a stage that lasts `planned` intervals; of the first the canary is young."""

    def __init__(self, canary, control, bounds, *, slow, ratio, planned, young, seconds=30):
        self.slow, self.planned, self.seconds, self.young = slow, planned, seconds, young
        self.variation = max(0.3, 0.6 * math.sqrt(30 / seconds))
        self.intervals, self.rollouts, _ = control.shape
        counts = [
            self._read(canary, control, Edges(bounds), ratio, now)
            if now >= young
            else np.zeros((5, self.rollouts))
            for now in range(self.intervals)
        ]
        self.x, self.n, self.y, self.m, self.x2 = np.array(counts).transpose(1, 0, 2)
        e = ratio_of(self.n, self.m)
        self.residual, self.variance = self.x - e * self.y, (1 - slow) * (self.x + e * e * self.y)
        self.noise = Noise(
            self.residual, self.variance, self.n, ratio_of(self.n * (self.n + self.m), self.m)
        )
        share = ratio_of(self.n, self.n + self.m)
        live = np.maximum((self.n > 0).cumsum(axis=0), 1)
        scatter = (1 - slow) * (self.x + self.y) * share * (1 - share)
        self.prior = 1 + 2 * self.variation**2 * scatter.cumsum(axis=0) / live
        self.expected = (1 - slow) * (self.y + 0.5) * share

    def _read(self, canary, control, edges, ratio, now):
        """Returns x, n, y, m and x2 of the interval `now`, read by what was before it (7.2)."""
        newest = control[:now].sum(axis=2)[::-1].cumsum(axis=0) * self.slow
        is_full = newest >= MEMORY
        window = np.where(is_full.any(axis=0), is_full.argmax(axis=0) + 1, now)
        is_in = np.arange(now)[:, None] >= now - window
        before = tails((control[:now] * is_in[:, :, None]).sum(axis=0))
        assert np.all(before[:, 0] * self.slow >= LEAST)
        law = shares(before)
        judged = is_in & (np.arange(now)[:, None] >= self.young)
        of_canary = tails((canary[:now] * judged[:, :, None]).sum(axis=0))
        prior = PRIOR / self.slow * before / before[:, :1]
        of_canary = shares(of_canary + prior)
        quantile, bucket, part = edges.quantile(law, self.slow)
        limit, kept = ratio * quantile, max(2, 1.25 * ratio) * quantile
        next_bound = edges.all[np.searchsorted(edges.all, limit, side="left")]
        last_bound = edges.all[np.searchsorted(edges.all, kept, side="right") - 1]
        beyond = edges.weight(of_canary, np.minimum(CLEARED * limit, next_bound))
        is_same = beyond[0] == bucket
        beyond = beyond[0], np.where(is_same, np.minimum(beyond[1], part), beyond[1])
        within = edges.weight(of_canary, np.maximum(kept / CLEARED, last_bound))
        return (
            slower(canary[now], *beyond),
            canary[now].sum(axis=1),
            slower(control[now], bucket, part),
            control[now].sum(axis=1),
            slower(canary[now], *within),
        )

    def _growth(self, events, effects):
        """Returns ln of the likelihood ratio of each interval and effect."""
        slow, n, m = self.slow, self.n[..., None], self.m[..., None]
        worse = slow * effects / (1 - slow + slow * effects)
        middle = slow + (worse - slow) * ratio_of(n, n + m)
        x, y = events[..., None], self.y[..., None]
        of_canary = x * np.log(worse / middle) + (n - x) * np.log((1 - worse) / (1 - middle))
        of_control = y * np.log(slow / middle) + (m - y) * np.log((1 - slow) / (1 - middle))
        return of_canary + of_control

    def violation(self):
        """Returns ln E that the canary is beyond its limit, after each interval."""
        raw = self._growth(self.x, EFFECTS)
        cap = 0.1 * self.seconds * (1 + 2 * self.variation**2 * self.expected)
        calm = np.maximum(100, 16 * np.maximum.accumulate(self.expected))
        capped = prefix(np.minimum(raw, cap[..., None]))
        breaker = prefix(np.minimum(raw, 6 * calm[..., None]))
        inner = range(INTERVALS_BETWEEN_STARTS, self.planned, INTERVALS_BETWEEN_STARTS)
        weights = {0: 7 / 16} | {start: 7 / 16 / len(inner) for start in inner}
        path = []
        for now in range(1, self.intervals + 1):
            begun = {start: weight for start, weight in weights.items() if start < now}
            terms = []
            for start, weight in begun.items():
                spread, nu = self.noise.dispersion(start, now, self.prior[now - 1], 2)
                since = log_sum_exp((capped[now] - capped[start]) / spread[:, None], axis=1)
                terms.append(deflate(since - math.log(len(EFFECTS)) + math.log(weight), nu))
            terms.append(np.full(self.rollouts, math.log(1 - sum(begun.values()))))
            main = log_sum_exp(np.stack(terms), axis=0)
            crash = log_sum_exp(breaker[now] / calm[now - 1][:, None], axis=1)
            crash = crash - math.log(len(EFFECTS))
            both = np.stack([math.log(0.9) + main, math.log(0.1) + crash])
            path.append(log_sum_exp(both, axis=0))
        return np.stack(path)

    def promotion(self):
        """Returns ln E that a promotion's limit is kept, minus infinity where it may not be."""
        grown = prefix(self._growth(self.x2, COMPLIANCE_EFFECTS))
        beyond, variance = self.residual.cumsum(axis=0) - 0.5, self.variance.cumsum(axis=0)
        path = []
        for now in range(1, self.intervals + 1):
            spread, nu = self.noise.dispersion(0, now, self.prior[now - 1], 1)
            found = log_sum_exp(grown[now] / spread[:, None], axis=1)
            found = deflate(found - math.log(len(COMPLIANCE_EFFECTS)), nu)
            z = beyond[now - 1]
            far = deflate(ratio_of(z * z, 2 * spread * variance[now - 1]), nu)
            is_suspect = (z > 0) & (far >= VETO)
            is_seen = (self.n[:now] > 0).sum(axis=0) >= LEAST_INTERVALS
            path.append(np.where(is_seen & ~is_suspect, found, -np.inf))
        return np.stack(path)
