"""The method of gauges, written again in numpy from its description in docs/design/gauges.md.

It shares no code with Serinus. `GaugeRollouts` are many rollouts of one check, of one stage, with
pods and without a past; all numbers come by rollout. Of an absolute limit below which the canary
should be, or of one relative to the control.
"""

import math

import numpy as np
from scipy import special

from reference import deflate, log_sum_exp

CAP = math.log(10)
SECONDS_BETWEEN_STARTS = 600


def excess(value, limit):
    """Returns how many times its limit a value is, as a logarithm, at most ln 10 either way."""
    beyond, smaller = value - limit, np.minimum(np.abs(value), np.abs(limit))
    is_counted = (smaller > 0) & ((value < 0) == (limit < 0))
    part = np.divide(np.abs(beyond), smaller, out=np.full_like(beyond, 9.0), where=is_counted)
    return np.sign(beyond) * np.minimum(CAP, np.log1p(part))


def log_evidence(mean, variance, known):
    """Returns ln E that a mean is above 0 which is known with a variance, 0 with one of 0."""
    is_known = variance > 0
    variance = np.where(is_known, variance, 1.0)
    a = 0.49 / variance
    f, z = a / (1 + a), mean / np.sqrt(variance)
    mixed = 0.5 * np.log(4 / (1 + a)) + z * z * f / 2 + special.log_ndtr(z * np.sqrt(f))
    return np.where(is_known, deflate(mixed, known), 0.0)


class Segment:
    """What the samples a, a + 1, .. K - 1 of a series say: its mean and its blocks."""

    def __init__(self, series):
        self.series = series

    def squares(self, length, begin, end):
        """Returns squares around their mean of the complete blocks between, and how many less 1."""
        first, last = -(-begin // length), end // length
        if last - first < 2:
            return 0.0, 0
        part = self.series[:, first * length : last * length]
        means = part.reshape(len(part), last - first, length).mean(axis=2)
        return ((means - means.mean(axis=1, keepdims=True)) ** 2).sum(axis=1), last - first - 1


class GaugeRollouts:
    """Rollouts: canary and control are rollouts x pods x samples, the canary begins with them.

    `limit` is a number, or of a relative check None with its `ratio`.
    """

    def __init__(self, canary, control, step, *, ratio=None, limit=None, cold_start=1800):
        self.canary, self.control, self.step = canary, control, step
        self.x, self.y = canary.mean(axis=1), control.mean(axis=1)
        self.limit, self.cold_start = limit, cold_start
        self.samples = self.x.shape[1]
        self.is_absolute = limit is not None
        if self.is_absolute:
            # What the control does as well is the environment's.
            self.beyond = np.where(self.y > limit, 1.25 * self.y, limit)
            self.kept, self.own = np.full_like(self.y, limit), np.full_like(self.y, limit)
        else:
            wide = max(ratio, 1.25)
            at = ratio if self._pods(0, self.samples)[1] >= 4 else wide
            self.beyond = at * self.y
            self.kept, self.own = max(2, 1.25 * ratio) * self.y, wide * self.y

    def _pods(self, begin, end):
        """Returns what pods differ by, q, and its degrees of freedom."""
        sides = [self.control[:, :, begin:end].mean(axis=2)]
        if sides[0].shape[1] < 5:
            sides.append(self.canary[:, :, begin:end].mean(axis=2))
        squares, free = 0.0, 0
        for means in (side for side in sides if side.shape[1] > 1):
            middle = means.mean(axis=1, keepdims=True)
            squares = squares + (((means - middle) / middle) ** 2).sum(axis=1)
            free += means.shape[1] - 1
        return squares, free

    def _variance(self, scaled, mean, weights, begin, end, is_violation):
        """Returns V and nu of the mean of the scaled samples between (8.3)."""
        count, blocks = end - begin, Segment(scaled)
        seconds = (count - 1) * self.step
        most = np.full(len(self.x), 0.0625)
        if self.is_absolute:
            own, free = blocks.squares(1, begin, end)
            most = np.minimum(most, 2 * own / max(1, free) + mean**2 / 5)
        assumed = most / (1 + seconds / 300)
        of_canary, of_control = weights
        pods = of_canary**2 / self.canary.shape[1] + of_control**2 / self.control.shape[1]
        candidates = []
        squares, free = self._pods(begin, end)
        if free and not self.is_absolute:
            found = (assumed + squares * pods) / (1 + free)
            is_cold = is_violation and end * self.step < self.cold_start
            assumed = np.maximum(assumed, found) if is_cold else found
            if self.control.shape[1] >= 5 and end >= 2 * count:
                windows = [self._pods(at - count, at) for at in range(end, count - 1, -count)]
                squares, free = (sum(one) for one in zip(*windows, strict=True))
                candidates.append(((assumed + squares * pods) / (1 + free), free))
        elif free and is_violation:
            means = self.control[:, :, begin:end].mean(axis=2)
            found = (assumed + squares * pods) / (1 + free)
            candidates.append((np.where((means > self.limit).any(axis=1), found, 0.0), free))
        length, of_samples = 1, 0
        while length <= count:
            squares, free = blocks.squares(length, begin, end)
            if not self.is_absolute:
                before = blocks.squares(length, 0, begin)
                squares, free = squares + before[0], free + before[1]
            if length == 1:
                of_samples = free
            if free >= (1 if length == 1 else 3):
                candidates.append(((assumed + squares * length / count) / (1 + free), free))
            length *= 2
        variance, known = assumed, np.full(len(self.x), 20.0 + of_samples)
        for found, free in candidates:
            is_larger = found > variance
            variance = np.where(is_larger, found, variance)
            known = np.where(is_larger, 20.0 + free, known)
        return variance, known

    def _since(self, begin, end):
        """Returns ln E of the violation of the samples between."""
        if end - begin < 3 or (end - begin - 1) * self.step < 120:
            return np.zeros(len(self.x))
        x, limit = self.x[:, begin:end], self.beyond[:, begin:end]
        scaled = self._excess
        mean = scaled[:, begin:end].mean(axis=1)
        weights = 1.0, 0.0 if self.is_absolute else 1.0
        found = log_evidence(mean, *self._variance(scaled, mean, weights, begin, end, True))
        return np.where((x - limit).sum(axis=1) > 0, found, np.minimum(found, 0))

    def violation(self, looks, planned):
        """Returns ln E that the canary is beyond its limit, looks x rollouts."""
        self._excess = excess(self.x, self.beyond)
        every = max(1, SECONDS_BETWEEN_STARTS // self.step)
        inner = range(every, planned, every)
        weights = {0: 7 / 16} | {start: 7 / 16 / len(inner) for start in inner}
        path = []
        for now in looks:
            begun = {start: weight for start, weight in weights.items() if start < now}
            terms = [math.log(w) + self._since(start, now) for start, w in begun.items()]
            rest = 1 - sum(begun.values())
            terms.append(np.full(len(self.x), math.log(rest)))
            path.append(log_sum_exp(np.stack(terms), axis=0))
        return np.stack(path)

    def promotion(self, looks):
        """Returns ln E that a promotion's limit is kept, minus infinity where it may not be."""
        path = []
        for now in looks:
            x, limit = self.x[:, :now], self.kept[:, :now]
            unit = np.maximum(np.abs(x), np.abs(limit)).mean(axis=1)
            scaled = (limit - x) / unit[:, None]
            mean = scaled.mean(axis=1)
            of_control = 0.0 if self.is_absolute else limit.mean(axis=1) / unit
            weights = x.mean(axis=1) / unit, of_control
            found = log_evidence(mean, *self._variance(scaled, mean, weights, 0, now, False))
            is_kept = (x - self.own[:, :now]).sum(axis=1) <= 0
            is_long = now >= 3 and (now - 1) * self.step >= 120
            path.append(np.where(is_kept & is_long, found, -np.inf))
        return np.stack(path)
