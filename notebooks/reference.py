"""The sequential method of counts once more, in numpy, for many rollouts at a time.

Written from the description of the method (docs/design/counts.md), not from the code of Serinus:
`calibration.ipynb` holds one against the other. Only what it needs for that: a limit
`metric < baseline * ratio`, one stage, exposures that are the same in all rollouts, no young
processes, pods that are not told apart.

Shapes: K intervals, R rollouts, J effect sizes. `failures` are K x R, `requests` K.
"""

import dataclasses
import math

import numpy as np
from scipy import stats

EFFECTS = np.array([1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100])
BLOCK_LENGTHS = (1, 2, 4, 8, 16, 32, 64)
INTERVALS_BETWEEN_STARTS = 8
LEAST_INTERVALS_TO_PROMOTE = 3
# One-sided 90 %, for a single look.
VETO = stats.norm.isf(0.1) ** 2 / 2


def log_sum_exp(values, axis):
    """Returns ln(sum(exp(values))) without overflow."""
    largest = values.max(axis=axis, keepdims=True)
    total = np.log(np.exp(values - largest).sum(axis=axis, keepdims=True))
    return np.squeeze(largest + total, axis=axis)


def deflate(log_evidence, degrees_of_freedom):
    """Makes the tail of positive evidence heavier where the noise is known from few blocks."""
    positive = np.maximum(log_evidence, 0)
    heavy = degrees_of_freedom / 2 * np.log1p(2 * positive / degrees_of_freedom)
    return np.where(log_evidence > 0, heavy, log_evidence)


def prefix(values):
    """Returns the sums over the first 0, 1, .. intervals."""
    values = np.asarray(values, dtype=float)
    return np.concatenate([np.zeros((1, *values.shape[1:])), values.cumsum(axis=0)])


def ratio_of(numerator, denominator):
    """Divides, with 0 where there is nothing to divide by."""
    return np.divide(
        numerator, denominator, out=np.zeros_like(numerator, dtype=float), where=denominator > 0
    )


class Noise:
    """How far counts scatter around what explains them, in blocks of several lengths.

    `residual` and `variance` are K x R, `exposure` and `weight` K. `rate` (K x R) is what a canary
    would fail at the control's rate of each interval: a second explanation, where it is given.
    """

    def __init__(self, residual, variance, exposure, weight, rate=None):
        self.variance = prefix(variance)
        self.blocks, self.parts = {}, {}
        for length in BLOCK_LENGTHS:
            d, n, w = (
                np.diff(prefix(one)[::length], axis=0) for one in (residual, exposure, weight)
            )
            n = n[:, None]
            g = np.zeros_like(d) if rate is None else np.diff(prefix(rate)[::length], axis=0)
            sums = d * d, d * n, n * n, d * g, g * g, w, w * w
            self.blocks[length] = [prefix(one) for one in sums]

    def _part(self, length, begin, end):
        last = end // length
        first = min(-(-begin // length), last)
        # It changes only when a block is complete.
        known = self.parts.get((length, first))
        if known is None or known[0] != last:
            known = last, self._between(length, first, last)
            self.parts[length, first] = known
        return known[1]

    def _between(self, length, first, last):
        dd, dn, nn, dg, gg, w, ww = (one[last] - one[first] for one in self.blocks[length])
        explained = np.maximum(ratio_of(dn * dn, nn + 0 * dn), ratio_of(dg * dg, gg))
        variance = self.variance[last * length] - self.variance[first * length]
        blocks = w * w / ww if ww > 0 else 0.0
        return np.maximum(dd - explained, 0), variance, blocks, max(blocks - 1, 0.0)

    def estimate(self, length, start, now, split):
        """Returns the dispersion (R), its degrees of freedom and the effective blocks."""
        parts = [self._part(length, 0, now)]
        if start > 0 and now - start >= split:
            parts = [self._part(length, 0, start), self._part(length, start, now)]
        squares, variance, blocks, free = (sum(one) for one in zip(*parts, strict=True))
        if free <= 0:
            return np.zeros_like(squares), free, blocks
        return ratio_of(squares, variance) * blocks / free, free, blocks

    def dispersion(self, start, now, first_prior, growth=2):
        """Returns D and nu (R) where nothing was measured before."""
        best, degrees, before = None, None, None
        for length in BLOCK_LENGTHS:
            found, free, blocks = self.estimate(length, start, now, 12)
            if length > 1 and blocks < 3 - 1e-6:
                continue
            prior = first_prior if before is None else 1 + growth * (before - 1)
            before = np.maximum(1, (3 * prior + free * found) / (3 + free))
            best, degrees = _larger(best, degrees, before, 3 + free)
        return best, degrees

    def dispersion_after(self, history, start, now, exposure, scatter):
        """Returns D and nu (R) after a history."""
        best, degrees = None, None
        factor = exposure / history.exposure
        scale = factor if factor >= 1 else math.sqrt(factor)
        for length, (measured, known) in history.by_length.items():
            found, free, _ = self.estimate(length, start, now, 8)
            least = 1 + 2 * 0.1**2 * scatter
            prior = np.maximum(1 + np.maximum(0, measured - 1) * scale, least)
            weight = np.minimum(known, 30)
            pooled = np.maximum(1, (weight * prior + free * found) / (weight + free))
            best, degrees = _larger(best, degrees, pooled, weight + free)
        return best, degrees


def _larger(best, degrees, dispersion, known):
    """Keeps the larger dispersion, with its degrees of freedom; the first of two that are equal."""
    known = np.broadcast_to(known, np.shape(dispersion))
    if best is None:
        return dispersion, known
    is_larger = dispersion > best
    return np.where(is_larger, dispersion, best), np.where(is_larger, known, degrees)


@dataclasses.dataclass
class History:
    """Noise before the rollouts: mean exposure, and by length D and nu of each rollout."""

    exposure: float
    by_length: dict

    @classmethod
    def measure(cls, canary, n, control, m, ratio=1.0):
        """Measures it between two groups of the control, of which one plays the canary."""
        expected = (ratio * n / m)[:, None]
        rows = canary - expected * control, canary + expected**2 * control
        blocks = {}
        for length in BLOCK_LENGTHS:
            d, v, exposure, weight = (
                np.diff(prefix(one)[::length], axis=0) for one in (*rows, n, n * (n + m) / m)
            )
            effective = weight.sum() ** 2 / (weight**2).sum() if len(weight) else 0.0
            if effective >= 8 - 1e-6:
                blocks[length] = d, v, exposure[:, None], weight[:, None], effective
        d, v, exposure, weight, _ = blocks[max(blocks)]
        slope, rate = np.median(d / exposure, axis=0), np.median(v / weight, axis=0)
        assert np.all(rate > 0), "too few failures for this program"
        found = {}
        for length, (d, v, exposure, weight, effective) in blocks.items():
            squares = np.sort((d - slope * exposure) ** 2 / (rate * weight), axis=0)
            cut = math.ceil(0.2 * len(squares) - 1e-9)
            winsorised = np.minimum(squares, squares[-cut - 1]).mean(axis=0)
            winsorised = winsorised / _winsor_factor(cut / len(squares))
            is_enough = v.mean(axis=0) >= 1
            mean = np.where(is_enough, winsorised, squares.mean(axis=0))
            known = np.where(is_enough, 0.8, 1.0) * (effective - 1)
            found[length] = mean * effective / (effective - 1), known
        return cls(float((n * m / (n + m)).mean()), found)


def _winsor_factor(part):
    """Returns E min(X, t) of a chi-square X of one degree, of which `part` is above t."""
    z = stats.norm.isf(part / 2)
    return math.erf(z / math.sqrt(2)) - 2 * z * stats.norm.pdf(z) + z * z * part


class Rollouts:
    """Rollouts of one stage, planned for `planned` intervals of `seconds`, with noise."""

    def __init__(self, canary, n, control, m, planned, ratio=1.0, history=None, seconds=30):
        self.canary, self.n, self.control, self.m = canary, n, control, m
        self.ratio, self.planned, self.history, self.seconds = ratio, planned, history, seconds
        self.intervals, self.rollouts = canary.shape
        self.variation = max(0.3, 0.6 * math.sqrt(30 / seconds))
        expected = (ratio * n / m)[:, None]
        residual, variance = canary - expected * control, canary + expected**2 * control
        seen = (m.cumsum()[:, None]) / (control.cumsum(axis=0) + 0.5)
        rate = n[:, None] * (control + 10) / (m[:, None] + 10 * seen)
        weight = n * (n + m) / m
        self.violating = Noise(residual, variance, n, weight, rate)
        self.complying = Noise(residual, variance, n, weight)
        self.alone = Noise(control, control, m, m)
        share = (n / (n + m))[:, None]
        live = np.arange(1, self.intervals + 1)[:, None]
        self.scatter = ((canary + control) * share * (1 - share)).cumsum(axis=0) / live
        self.exposure = np.maximum.accumulate(n * m / (n + m))

    def _dispersion(self, noise, start, now, growth):
        scatter = self.scatter[now - 1]
        if self.history:
            exposure = self.exposure[now - 1]
            return noise.dispersion_after(self.history, start, now, exposure, scatter)
        return noise.dispersion(start, now, 1 + 2 * self.variation**2 * scatter, growth)

    def _increments(self):
        """Returns ln of the likelihood ratio of each interval and effect (K x R x J)."""
        n, m = self.n, self.m
        share = self.ratio * n / (self.ratio * n + m)
        growth = np.log1p((EFFECTS - 1) * share[:, None])[:, None, :]
        both = (self.canary + self.control)[:, :, None]
        return self.canary[:, :, None] * np.log(EFFECTS) - both * growth

    def _starts(self):
        """Returns the starts with their weights: the begin, inside the stage, beyond its plan."""
        inner = range(INTERVALS_BETWEEN_STARTS, self.planned, INTERVALS_BETWEEN_STARTS)
        weights = {0: 7 / 8 * (0.5 if len(inner) else 1.0)}
        weights |= {start: 7 / 8 * 0.5 / len(inner) for start in inner}
        beyond = range(self.planned, self.intervals, INTERVALS_BETWEEN_STARTS)
        for i, start in enumerate(beyond, 1):
            weights[start] = weights.get(start, 0.0) + 1 / 8 / (i * (i + 1))
        return weights

    @staticmethod
    def _ends(start):
        """Returns after how many intervals a start inside the stage has its last value."""
        place = start // INTERVALS_BETWEEN_STARTS
        return math.inf if start == 0 else 256 * (place & -place)

    def violation(self):
        """Returns ln E that the canary is beyond its limit, after each interval (K x R)."""
        raw, weights = self._increments(), self._starts()
        share = (self.n / (self.n + self.m))[:, None]
        expected = (self.control + 0.5) * share
        flat = 0.1 * self.seconds
        cap = flat * (1 + 2 * self.variation**2 * expected)
        calm = np.maximum(100, 16 * np.maximum.accumulate(expected))
        capped = prefix(np.minimum(raw, cap[:, :, None]))
        cut = prefix(np.minimum(raw, flat))
        breaker = prefix(np.minimum(raw, 6 * calm[:, :, None]))
        kept = {"own": {}, "control": {}}
        path = np.empty((self.intervals, self.rollouts))
        for now in range(1, self.intervals + 1):
            main = self._mixture("own", capped, now, weights, kept)
            if not self.history:
                knows = self.control[:now].sum(axis=0) >= 30
                if knows.any():
                    other = self._mixture("control", cut, now, weights, kept)
                    main = np.where(knows, np.maximum(main, other), main)
            crash = log_sum_exp(breaker[now] / calm[now - 1][:, None], axis=1)
            crash = crash - math.log(len(EFFECTS))
            both = np.stack([math.log(0.9) + main, math.log(0.1) + crash])
            path[now - 1] = log_sum_exp(both, axis=0)
        return path

    def _mixture(self, whose, sums, now, weights, kept):
        begun = {start: weight for start, weight in weights.items() if start < now}
        for start, weight in begun.items():
            if now - start > self._ends(start):
                continue
            if whose == "own":
                dispersion, nu = self._dispersion(self.violating, start, now, 2)
            else:
                prior = 1 + 2 * self.variation**2 * self.scatter[now - 1]
                dispersion, nu = self.alone.dispersion(start, now, prior)
                dispersion = 1.5 * dispersion
            since = (sums[now] - sums[start]) / dispersion[:, None]
            mixed = log_sum_exp(since, axis=1) - math.log(len(EFFECTS)) + math.log(weight)
            kept[whose][start] = deflate(mixed, nu)
        terms = [kept[whose][start] for start in begun]
        if (rest := 1 - sum(begun.values())) > 1e-12:
            terms.append(np.full(self.rollouts, math.log(rest)))
        return log_sum_exp(np.stack(terms), axis=0)

    def compliance(self, margin):
        """Returns ln E' of `canary < margin * control` after each interval (K x R)."""
        effects = np.array([math.sqrt(margin), margin, margin**2])
        share = self.m / (self.m + margin * self.n)
        growth = np.log1p((effects - 1) * share[:, None])[:, None, :]
        both = (self.canary + self.control)[:, :, None]
        evidence = prefix(self.control[:, :, None] * np.log(effects) - both * growth)
        path = np.empty((self.intervals, self.rollouts))
        for now in range(1, self.intervals + 1):
            dispersion, nu = self._dispersion(self.complying, 0, now, 1)
            scaled = evidence[now] / dispersion[:, None] + np.log([0.25, 0.5, 0.25])
            path[now - 1] = deflate(log_sum_exp(scaled, axis=1), nu)
        return path

    def veto(self):
        """Returns how far the canary is visibly beyond its limit, below 0 within it (K x R)."""
        expected = (self.ratio * self.n / self.m)[:, None]
        beyond = (self.canary - expected * self.control).cumsum(axis=0) - 0.5
        variance = (self.canary + expected**2 * self.control).cumsum(axis=0)
        path = np.empty((self.intervals, self.rollouts))
        for now in range(1, self.intervals + 1):
            dispersion, nu = self._dispersion(self.complying, 0, now, 1)
            z, spread = beyond[now - 1], variance[now - 1]
            far = deflate(ratio_of(z * z, 2 * dispersion * spread), nu)
            path[now - 1] = np.where(z > 0, far, -far)
        return path


def first_at_least(path, threshold):
    """Returns the number of intervals until a path reaches the threshold, 0 where it never does."""
    reached = path >= threshold
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, 0)
