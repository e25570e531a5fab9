"""The sequential method once more, in numpy, for many rollouts at a time.

Written from the description of the method, not from the code of Serinus: `calibration.ipynb` holds
one against the other. Only what it needs for that: the limit `metric < baseline`, exposures that
are the same in all rollouts, all rollouts of one length.

Shapes: K intervals, R rollouts, S start times, J effect sizes. `failures` are K x R, `requests` K.
"""

import dataclasses
import math

import numpy as np

EFFECTS = np.array([1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100])
BLOCK_LENGTHS = (1, 2, 4, 8, 16)
HISTORY_BLOCK_LENGTHS = (1, 2, 4, 8, 16, 32, 64)
INTERVALS_BETWEEN_STARTS = 8
LEAST_BLOCKS = 8
LEAST_INTERVALS_TO_PROMOTE = 8


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


@dataclasses.dataclass
class Blocks:
    """Cumulative sums over the whole blocks of one length."""

    squares: np.ndarray
    products: np.ndarray
    control_squares: np.ndarray
    weights: np.ndarray
    weight_squares: np.ndarray


class Noise:
    """How far the counts scatter, from sums over blocks of intervals."""

    def __init__(self, canary, canary_requests, control, control_requests, lengths):
        n, m = canary_requests, control_requests
        expected = (n / m)[:, None]
        share = n / (n + m)
        self.canary = prefix(canary)
        self.control = prefix(expected * control)
        self.both = prefix(expected * (canary + control))
        self.canary_requests, self.control_requests = prefix(n), prefix(m)
        self.scatter = prefix((canary + control) * (share * (1 - share))[:, None])
        self.harmonic = n * m / (n + m)
        self.blocks = {length: self._blocks(length, n * (n + m) / m) for length in lengths}

    def _blocks(self, length, weight):
        canary = np.diff(self.canary[::length], axis=0)
        control = np.diff(self.control[::length], axis=0)
        weights = np.diff(prefix(weight)[::length])
        return Blocks(
            prefix(canary**2),
            prefix(canary * control),
            prefix(control**2),
            prefix(weights),
            prefix(weights**2),
        )

    def segment(self, begin, end, length):
        """Returns sum of squares, expected variance, effective and whole blocks of [begin, end)."""
        blocks = self.blocks[length]
        last = end.max() // length
        first = np.minimum(-(-begin // length), last)
        until = np.clip(end // length, first, last)

        def over(sums, a=first, b=until):
            return sums[b] - sums[a]

        n, m = (over(s, begin, end) for s in (self.canary_requests, self.control_requests))
        half = np.divide(0.5 * n, n + m, out=np.zeros_like(n), where=n + m > 0)[:, None]
        numerator = over(self.canary, begin, end) + half
        denominator = over(self.control, begin, end) + half
        rate_ratio = np.divide(
            numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0
        )
        squares = (
            over(blocks.squares)
            - 2 * rate_ratio * over(blocks.products)
            + rate_ratio**2 * over(blocks.control_squares)
        )
        variance = rate_ratio * over(self.both, first * length, until * length)
        weight, weight_squares = over(blocks.weights), over(blocks.weight_squares)
        effective = np.divide(
            weight**2, weight_squares, out=np.zeros_like(weight), where=weight_squares > 0
        )
        return np.maximum(squares, 0), variance, effective, until - first

    def estimate(self, segments):
        """Pools segments to a dispersion (S x R), its degrees of freedom and whole blocks (S)."""
        squares = sum(segment[0] for segment in segments)
        variance = sum(segment[1] for segment in segments)
        effective = sum(segment[2] for segment in segments)
        free = sum(np.maximum(segment[2] - 1, 0) for segment in segments)
        whole = sum(segment[3] for segment in segments)
        usable = (free > 0)[:, None] & (variance > 0)
        raw = np.divide(squares, variance, out=np.zeros_like(squares), where=usable)
        scale = np.divide(effective, free, out=np.zeros_like(free), where=free > 0)
        return raw * scale[:, None], free, whole

    def history(self):
        """Returns the summary that later rollouts take: exposure, and per length D and nu."""
        end = np.array([len(self.canary) - 1])
        found = {}
        for length in self.blocks:
            dispersion, free, whole = self.estimate([self.segment(0 * end, end, length)])
            if whole[0] >= LEAST_BLOCKS:
                found[length] = dispersion[0], free[0]
        return self.harmonic.mean(), found

    def dispersion(self, starts, now, history=None):
        """Returns D and nu (each S x R) of evidence from these starts, after `now` intervals."""
        end = np.full_like(starts, now)
        is_split = (starts > 0) & (now - starts >= (8 if history else 12))
        begin = np.where(is_split, starts, 0)
        scatter = 2 * self.scatter[now] / now
        candidates, degrees = [], []
        for length in history[1] if history else self.blocks:
            later = self.segment(begin, end, length)
            # Where nothing is split the earlier part is empty.
            earlier = self.segment(0 * begin, begin, length)
            estimate, free, whole = self.estimate([earlier, later])
            if history:
                scale = max(1.0, self.harmonic[:now].max() / history[0])
                before, known = history[1][length]
                prior = np.maximum(1 + (before - 1) * scale, 1 + 0.1**2 * scatter)
                weight = min(known, 30)
            else:
                prior, weight = 1 + 0.6**2 * scatter, 3
            pooled = (weight * prior + free[:, None] * estimate) / (weight + free)[:, None]
            if not history and length > 1:
                pooled = np.where((whole >= LEAST_BLOCKS)[:, None], pooled, -np.inf)
            candidates.append(pooled)
            degrees.append(np.broadcast_to((weight + free)[:, None], pooled.shape))
        candidates, degrees = np.stack(candidates), np.stack(degrees)
        largest = candidates.argmax(axis=0)
        chosen = np.where(candidates.max(axis=0) > 1, largest, 0)
        nu = np.take_along_axis(degrees, chosen[None], axis=0)[0]
        return np.maximum(candidates.max(axis=0), 1), nu


class Rollouts:
    """The first intervals of rollouts that may last `longest` intervals, with their noise."""

    def __init__(self, canary, canary_requests, control, control_requests, longest, history=None):
        self.counts = canary, canary_requests, control, control_requests
        self.noise = Noise(*self.counts, HISTORY_BLOCK_LENGTHS if history else BLOCK_LENGTHS)
        self.history = history
        self.longest = longest
        self.intervals, self.rollouts = canary.shape

    def violation(self):
        """Returns ln E of `canary > control` after each interval (K x R)."""
        canary, n, control, m = self.counts
        share = n / (n + m)
        growth = np.log1p((EFFECTS - 1) * share[:, None])
        both = canary + control
        steps = canary[:, :, None] * np.log(EFFECTS) - both[:, :, None] * growth[:, None, :]
        evidence = prefix(steps)
        starts = np.arange(0, self.longest, INTERVALS_BETWEEN_STARTS)
        weights = np.full(len(starts), 0.5 / max(1, len(starts) - 1))
        weights[0] = 0.5 if len(starts) > 1 else 1.0
        busiest = np.maximum.accumulate((both + 0.5) * share[:, None])
        path = np.empty((self.intervals, self.rollouts))
        for now in range(1, self.intervals + 1):
            begun = starts[starts < now]
            dispersion, nu = self._dispersion(begun, now)
            since = (evidence[now] - evidence[begun]) / dispersion[:, :, None]
            log_evidence = log_sum_exp(since, axis=2) + np.log(weights[: len(begun)])[:, None]
            terms = deflate(log_evidence - math.log(len(EFFECTS)), nu)
            if (rest := weights[len(begun) :].sum()) > 0:
                waiting = np.full((1, self.rollouts), math.log(rest))
                terms = np.concatenate([terms, waiting])
            breaker = np.maximum(100, 16 * busiest[now - 1])[:, None]
            crash = log_sum_exp(evidence[now] / breaker, axis=1) - math.log(len(EFFECTS))
            mixed = np.stack([math.log(0.9) + log_sum_exp(terms, axis=0), math.log(0.1) + crash])
            path[now - 1] = log_sum_exp(mixed, axis=0)
        return path

    def compliance(self, margin):
        """Returns ln E' of `canary < margin * control` after each interval (K x R)."""
        canary, n, control, m = self.counts
        effects = np.array([math.sqrt(margin), margin, margin**2])
        share = m / (m + margin * n)
        growth = np.log1p((effects - 1) * share[:, None])
        both = canary + control
        steps = control[:, :, None] * np.log(effects) - both[:, :, None] * growth[:, None, :]
        evidence = prefix(steps)
        path = np.empty((self.intervals, self.rollouts))
        for now in range(1, self.intervals + 1):
            dispersion, nu = self._dispersion(np.array([0]), now)
            scaled = evidence[now] / dispersion[0][:, None] + np.log([0.25, 0.5, 0.25])
            path[now - 1] = deflate(log_sum_exp(scaled, axis=1), nu[0])
        return path

    def _dispersion(self, starts, now):
        return self.noise.dispersion(starts, now, self.history)


def first_at_least(path, threshold):
    """Returns the number of intervals until a path reaches the threshold, 0 where it never does."""
    reached = path >= threshold
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, 0)
