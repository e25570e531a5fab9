#!/usr/bin/env python3
"""Reference of the method of gauges (docs/design/gauges.md) in plain Python (standard library only).

usage: gauges.py vectors > gauges.json     write the test vectors
       gauges.py check gauges.json         read them back and compare
       gauges.py plan                      the table of minutes that a stage needs
The groups kayenta_noise and kayenta_score are of `method: kayenta` (docs/design/statistics.md, 3.4).
"""
import json, math, re, statistics, sys

SD, MEMORY, NU, WEIGHT, OMEGA = 0.25, 300.0, 20.0, 1.0, 0.7    # assumed spread and memory (s); degrees of freedom; weight of the assumption; typical effect
CAP = math.log(10.0)                                            # a tenfold excess is as far as is counted
FEWEST, SPAN = 3, 120.0                                         # samples, and seconds from the first to the last
START = 600.0                                                   # seconds between starts of evidence
ENOUGH_PODS = 5                                                 # so many control pods speak for both sides
LEAST_RATIO = 1.25                                              # without measured pods no vote inside it
OWN, DISTANCE = 2.0, 0.2                                        # absolute limits: what the assumption counts of the samples' variance and of the squared distance
NEAR_ONE = 0.8                                                  # from here on a share that is better higher is judged as its complement
COLD = 1800.0                                                   # while the oldest canary pod is younger (s), pods raise the assumption of a violation and do not lower it
SHARED = 1.25                                                   # where the control breaks an absolute limit as well, the canary is judged at so many times the control
MISSING = 0.2                                                   # a larger part of samples without the other side: no data


def ln_phi(u):
    return math.log(0.5 * math.erfc(-u / math.sqrt(2))) if u > -30 else -0.5 * u * u - math.log(-u) - 0.919


def deflate(l, nu):
    return l if l <= 0 else nu / 2 * math.log1p(2 * l / nu)


def lse(v):
    m = max(v)
    return m if m == -math.inf else m + math.log(sum(math.exp(x - m) for x in v))


def mixture(mean, V, nu):
    """ln E that the true mean is above 0, for an estimate of variance V known with nu degrees of freedom"""
    if V <= 0: return 0.0
    a = OMEGA * OMEGA / V; z = max(-1e100, min(1e100, mean / math.sqrt(V)))
    q = a / (1 + a)
    return deflate(0.5 * math.log(4 / (1 + a)) + 0.5 * z * z * q + ln_phi(z * math.sqrt(q)), nu)


def excess(c, l):
    """how far the canary's value lies beyond its limit: ln(c / l) for positive values, at most CAP either way"""
    if c == l: return 0.0
    lo = min(abs(c), abs(l))
    h = CAP if lo == 0 or (c < 0) != (l < 0) else min(CAP, math.log1p(abs(c - l) / lo))
    return math.copysign(h, c - l)


# ---------------------------------------------------------------- series -> one value per sample
def by_pod(series, label=None):
    """series: {labels (a frozenset of 'name=value'): {sample index: value}} -> the same, one for each pod: series with the same `label`, else `pod`, else `instance`, are one (population below
    within each); those with neither are one together. A series without labels beside others stays what it is."""
    out = {}
    for k, s in series.items():
        d = dict(x.split('=', 1) for x in k); name = next((n for n in (label, 'pod', 'instance') if n in d), None)
        out.setdefault(frozenset(['%s=%s' % (name, d[name])] if name else ['unnamed=']) if k or len(series) == 1 else k, {})[k] = s
    return {p: dict(population(g)[0]) if p else next(iter(g.values())) for p, g in out.items()}


def young(times, warm_up, step, began=None, before=False):
    """times: a series' samples (s). -> for each whether its process is too young. began: start of the instance's first process if known, else one step before the first sample; before: it has a sample before the rollout"""
    if before and began is None: return [False] * len(times)
    b = began if began is not None else times[0] - step if times else 0.0
    return [t - b < warm_up for t in times]


def lacking(canary, control, absolute=False):
    """values of the stage's samples after warm-up (None: no value): whether more than a fifth of those in which a side has one lack the other (absolute limits: lack the canary's)"""
    has = [(x, y) for x, y in zip(canary, control) if x is not None or y is not None]
    return sum(x is None or y is None and not absolute for x, y in has) > MISSING * len(has)


def population(series, fewest=0.5):
    """series: {labels (a frozenset), one for each pod: {sample index: value}} -> ({index: mean}, flags).

    NaN and Inf are no value of that series alone. A series without labels beside others comes from `or vector(0)` or a constant: left out.
    A sample needs values of at least half of the series that are alive there: those with a value in it or in the 3 samples before it (never of later ones)."""
    flags = {'not_finite': 0, 'bare': 0}
    real = {k: s for k, s in series.items() if k or len(series) == 1}
    flags['bare'] = len(series) - len(real)
    good = {k: {t: v for t, v in s.items() if math.isfinite(v)} for k, s in real.items()}
    flags['not_finite'] = sum(len(real[k]) - len(good[k]) for k in real)
    out = {}
    for t in sorted({t for s in good.values() for t in s}):
        alive = [k for k, s in good.items() if any(t - j in s for j in range(4))]
        have = [good[k][t] for k in alive if t in good[k]]
        if have and len(have) >= fewest * len(alive): out[t] = math.fsum(have) / len(have)
    return out, flags


def pods_spread(control, canary, a, K, limit=None, higher=False):
    """control, canary: {pod: [value or None per sample]}; samples a..K-1. -> (relative variance of a pod's mean, degrees of freedom, canary pods, control pods)
    limit: an absolute limit; then fifth, whether a pod of the control is itself beyond it in the mean"""
    def means(pods):
        out = []
        for s in pods.values():
            v = [x for x in s[a:K] if x is not None]
            if v and 2 * len(v) >= K - a: out.append(math.fsum(v) / len(v))
        return out
    y, x = means(control), means(canary); SS = 0.0; df = 0
    def add(v):
        m = math.fsum(v) / len(v)
        return (math.fsum((q - m) ** 2 for q in v) / m ** 2, len(v) - 1) if m != 0 else (0.0, 0)
    if len(y) > 1: q, f = add(y); SS, df = SS + q, df + f
    if len(y) < ENOUGH_PODS and len(x) > 1: q, f = add(x); SS, df = SS + q, df + f
    return ((SS / df if df else 0.0), df, len(x), len(y)) + (() if limit is None else (any((v < limit) if higher else (v > limit) for v in y),))


def beyond(v, limit, higher=False):
    return v < limit if higher else v > limit


def absolute_limits(limit, control, higher=False):
    """the limit of a violation at each sample: where the control breaks it as well, SHARED times the control (the looser side of it)"""
    f = min if higher else max
    return [f(SHARED * y, y / SHARED) if y is not None and beyond(y, limit, higher) else limit for y in control]


def baseline_negative(control):
    """relative limits only; control: its samples so far"""
    return any(y is not None and y < 0 for y in control)


def counter_as_gauge(expression, kind=None):
    """a selector alone, or under sum, avg, min, max, of a counter; kind: the metric's type as the source tells it, or None"""
    e = expression.strip()
    while True:
        m = re.fullmatch(r'(?:sum|avg|min|max)\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\((.*)\)\s*(?:(?:by|without)\s*\([^()]*\))?', e, re.S)
        if not m: break
        e = m.group(1).strip()
    m = re.fullmatch(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{[^{}]*\})?', e)
    if not m: return False
    return kind in ('counter', 'histogram', 'summary') if kind not in (None, 'unknown') else m.group(1).endswith(('_total', '_sum', '_count', '_bucket'))


def suspected(own):
    """own: canary less its own limit (at least 1.25 times the baseline; absolute: the limit) at each sample of the stage"""
    return math.fsum(own) > 0


def judged(times):
    """whether the stage's samples are enough for `on_inconclusive`"""
    return len(times) >= FEWEST and times[-1] - times[0] >= SPAN


def complement(c, y, r, delta=0.0):
    """a share that is better higher and near 1, as its failures: v > r y - delta is 1 - v < r (1 - y) + (1 - r + delta). -> (canary, control, r, delta) of a limit `<`"""
    return [1 - v for v in c], [1 - v for v in y], r, 1 - r + delta


def near_one(unit, higher, absolute=None, control=()):
    """whether a gauge is judged as its complement; control: its samples so far (relative limits)"""
    return unit == 'fraction' and higher and (absolute if absolute is not None else math.fsum(control) / len(control) if control else 0.0) >= NEAR_ONE


# ---------------------------------------------------------------- the statistic
class Gauge:
    """c, l: the canary's value and its limit r * control + delta at the same samples (an absolute limit is delta alone); t: seconds.
    sign +1: beyond (ln scale), -1: kept (plain scale). pods: function (a, K, alone) -> pods_spread (alone: without the canary's pods), or None. history: history_of, or None.
    absolute: the limit is a number (l: absolute_limits for sign +1); number: its unit is `number`, so that whole values are counts of something; n: how many canary pods have a value at each sample.
    ages: of the oldest canary pod at each sample (s), None: old."""
    def __init__(self, c, l, t, sign=1, pods=None, history=None, delta=0.0, absolute=False, number=False, n=None, ages=None, cold_start=COLD):
        self.sign, self.t, self.pods, self.history, self.c, self.l, self.delta, self.absolute, self.number = sign, t, pods, history or {}, c, l, delta, absolute, number
        self.n, self.ages, self.cold_start = n or [1] * len(c), ages, cold_start
        self.d = [sign * (a - b) for a, b in zip(c, l)]
        self.u = [max(abs(a), abs(b)) for a, b in zip(c, l)]
        self.g = [excess(a, b) for a, b in zip(c, l)] if sign > 0 else self.d

    def squares(self, L, a, b):
        """sum of squares of the complete blocks [jL, (j+1)L) inside [a, b) around their mean, and degrees of freedom"""
        m = [math.fsum(self.g[j * L:(j + 1) * L]) / L for j in range(-(-a // L), b // L)]
        if len(m) < 2: return 0.0, 0
        q = math.fsum(m) / len(m)
        return math.fsum((x - q) ** 2 for x in m), len(m) - 1

    def spread(self, a, K):
        """(mean, V, nu) of samples a..K-1; None if there is nothing to scale by"""
        k = K - a; U = 1.0 if self.sign > 0 else math.fsum(self.u[a:K]) / k
        if U == 0: return None
        C, l = math.fsum(self.c[a:K]) / k, math.fsum(self.l[a:K]) / k; base = abs(l - self.delta)      # base = r * control
        wc, wl = (1.0, base / abs(l) if l else 1.0) if self.sign > 0 else (abs(C) / U, base / U)        # what a relative change of either side does to the mean
        mean, most = math.fsum(self.g[a:K]) / k / U, SD * SD
        if self.absolute:                                            # nothing is compared with another pod: only what the canary itself may do in time is unknown
            S2, d2 = self.squares(1, a, K); wl = 0.0                 # what it did before a start is no noise of its level
            most = min(most, OWN * S2 / U ** 2 / max(1, d2) + DISTANCE * mean * mean)
        V0 = most / (1 + (self.t[K - 1] - self.t[a]) / MEMORY)
        V, nu, L = V0, NU, 1
        if self.pods and not (self.absolute and self.sign < 0):
            q, dp, pc, pm, *over = self.pods(a, K, False)
            if dp and pc and (not self.absolute or over[0]):
                v = (WEIGHT * V0 + dp * q * (wc * wc / pc + (wl * wl / pm if pm else 0.0))) / (WEIGHT + dp)
                if self.absolute:
                    if v > V: V, nu = v, NU + dp                     # an identical pod breaks the limit too. Never lower: pods move together, the limit does not move with them
                elif v > V0 or self.sign < 0 or self.ages is None or self.ages[K - 1] >= self.cold_start: V0 = V = v      # old pods say what old pods differ by
            if not self.absolute and pc and pm >= ENOUGH_PODS and K >= 2 * k:      # what the control's pods did in earlier windows of this length
                w = [self.pods(b - k, b, True) for b in range(K, k - 1, -k)]; f = sum(x[1] for x in w)
                v = (WEIGHT * V0 + math.fsum(x[0] * x[1] for x in w) * (wc * wc / pc + wl * wl / pm)) / (WEIGHT + f)
                if f and v > V: V, nu = v, NU + f
        while L <= k:
            S1, d1 = (0.0, 0) if self.absolute else self.squares(L, 0, a); S2, d2 = self.squares(L, a, K); own = d1 + d2
            known = [((S1 + S2) / U ** 2 / own, own, True)] if own >= (1 if L == 1 else 3) else []
            if L in self.history: known.append((self.history[L][0] * (wc * wc + wl * wl), self.history[L][1], False))
            for s2, df, here in known:
                v = (WEIGHT * V0 + df * s2 * L / k) / (WEIGHT + df)
                if v > V: V, nu = v, NU + df
                elif L == 1 and here and V == V0: nu = NU + df
            L *= 2
        if self.absolute and self.number and self.sign < 0 and all(abs(x * m - round(x * m)) <= 1e-9 * max(1.0, abs(x * m)) for x, m in zip(self.c[a:K], self.n[a:K])):
            V = max(V, abs(l) / (U * U * sum(self.n[a:K])))          # counts on the limit would vary like this, though none was seen
        return mean, V, nu

    def segment(self, a, K):
        """ln E of samples a..K-1"""
        if K - a < FEWEST or self.t[K - 1] - self.t[a] < SPAN: return 0.0
        s = self.spread(a, K)
        if s is None: return 0.0
        e = mixture(*s)
        return e if math.fsum(self.d[a:K]) > 0 else min(e, 0.0)      # never against what the plain mean says

    def violation(self, K, planned, step):
        """ln E after K samples; planned: most samples that the rollout may have; step: seconds between samples, fixed at the start"""
        every = max(1, int(START // step)); starts = list(range(0, max(planned, 1), every))
        w = [0.5] + [0.5 / (len(starts) - 1)] * (len(starts) - 1) if len(starts) > 1 else [1.0]
        terms = [self.segment(s, K) + math.log(x) for s, x in zip(starts, w) if s < K]
        rest = math.fsum(x for s, x in zip(starts, w) if s >= K)
        return lse(terms + ([math.log(rest)] if rest > 0 else []))

    def kept(self, a, K, beta=0.05, own=None, inclusive=True):
        """whether samples a..K-1 show that the promotion limit is kept (a: where the stage begins).
        own: canary less the check's own limit (at least 1.25 times the baseline) at each sample: its mean must not be above 0. inclusive: `<=`, or a relative limit"""
        if K - a < FEWEST or self.t[K - 1] - self.t[a] < SPAN: return False
        if own is not None and math.fsum(own[a:K]) > 0: return False
        if self.spread(a, K) is None or self.absolute and not any(self.d[a:K]): return inclusive      # both sides are 0 throughout, or a constant on the limit: no evidence, but it keeps it
        return self.segment(a, K) >= math.log(1 / beta + 1)


def history_of(values, step, hour=3600.0):
    """{L: (relative variance of one side's mean of L samples, df)} from the control's past: one value per sample (None: missing).
    Of each hour the variance of its block means around the hour's mean; of the hours the lower median: an incident is one or two of them."""
    known = [v for v in values if v is not None]; m = statistics.median(known) if known else 0.0
    if m == 0 and known: m = math.fsum(abs(v) for v in known) / len(known)
    z = [v / m - 1 if v is not None and m != 0 else None for v in values]
    out, L, per = {}, 1, max(4, int(hour // step))
    while L <= per // 4:
        V, df = [], 0
        for j in range(0, len(z) - per + 1, per):
            b = [math.fsum(q) / L for q in (z[i:i + L] for i in range(j, j + per - L + 1, L)) if None not in q]
            if len(b) < 4: continue
            q = math.fsum(b) / len(b); V.append(math.fsum((x - q) ** 2 for x in b) / (len(b) - 1)); df += len(b) - 1
        if df >= 8: out[L] = (sorted(V)[(len(V) - 1) // 2], min(df, 30))
        L *= 2
    return out


def ratio_interval(mean, V, nu, confidence=0.99):
    """for display: canary / control, from `spread` with the limit 1 * control (sign +1)"""
    need = math.log(2 / (1 - confidence) + 1); lo, hi = 0.0, 1.0
    while mixture(hi * math.sqrt(V), V, nu) < need and hi < 1e6: hi *= 2
    for _ in range(100):
        mid = (lo + hi) / 2
        if mixture(mid * math.sqrt(V), V, nu) < need: lo = mid
        else: hi = mid
    return math.exp(mean - hi * math.sqrt(V)), math.exp(mean), math.exp(mean + hi * math.sqrt(V))


def sample_step(interval, scrape_period):
    """seconds between the samples of a gauge: the shortest multiple of the grid's interval that sees each scrape once"""
    return interval * max(1, math.ceil(scrape_period / interval - 1e-9))


def can_speak(longest_seconds, step):
    """whether a rollout of this length can have evidence at all; else the check has no share of false_rollback"""
    n = int(longest_seconds // step)
    return n >= FEWEST and (n - 1) * step >= SPAN


def voting_ratio(r, df):
    """the ratio that a rollback is judged at: a limit within 1.25 of the baseline needs pods that were measured"""
    return r if df >= 4 else max(r, LEAST_RATIO)


def work_limit(r, v_control, load_canary, load_control):
    """limit of a counter per request: beyond it also if a part of the control's use does not depend on load"""
    return r * v_control * max(1.0, load_control / load_canary)


# ---------------------------------------------------------------- planning
def minutes(signal, level, step=60.0, pods=None, most=10080, absolute=False, sd=0.0, cold=0.0):
    """first minute at which a steady signal is decided if the assumption holds; None: never within `most` minutes. absolute: with samples of deviation sd. cold: seconds in which pods lower nothing (rollback)"""
    need = math.log(1 / level + 1)
    n = FEWEST
    while n * step / 60 <= most:
        if (n - 1) * step >= SPAN:
            V = (min(SD * SD, OWN * sd * sd + DISTANCE * signal * signal) if absolute else SD * SD) / (1 + (n - 1) * step / MEMORY)
            if pods: v = (WEIGHT * V + pods[1] * pods[0]) / (WEIGHT + pods[1]); V = v if n * step >= cold else max(V, v)      # (variance of the mean, df)
            if mixture(signal, V, NU) >= need: return n * step / 60
        n += 1
    return None


# ---------------------------------------------------------------- method: kayenta
def kayenta_noise(values):
    """Kayenta adds Gaussian noise of 1e-5 of the value when both sides are constant; a judge that is a pure function takes the normal scores"""
    n = len(values); N = statistics.NormalDist()
    return [v * (1 + 1e-5 * N.inv_cdf((i + 0.5) / n)) for i, v in enumerate(values)]


def kayenta_score(results, weights=None):
    """results: [(groups, classification, critical)] -> (score, why). Classes High, Low, Pass, Nodata, NodataFailMetric, Error.
    critical: the metric is critical and, if High or Low, its effect is beyond criticalIncrease or criticalDecrease (default 1). An Error is never critical."""
    weights = weights or {}
    for _, c, critical in results:
        if critical and c not in ('Pass', 'Error'): return 0.0, 'critical'
    if results and 100 * sum(c == 'Nodata' for _, c, _ in results) / len(results) >= 50: return 0.0, 'nodata'
    by = {}
    for groups, c, _ in results:
        for g in groups: by.setdefault(g, []).append(c)
    free = [g for g in by if g not in weights]
    rest = (100 - sum(weights.values())) / len(free) if free else 0.0
    total = 0.0
    for g, cs in by.items():
        n = sum(c in ('High', 'Low', 'Pass', 'NodataFailMetric') for c in cs)
        total += (100 * sum(c == 'Pass' for c in cs) / n if n else 100.0) * weights.get(g, rest) / 100
    return round(total, 2), ''


def kayenta_verdict(score, is_end, passing=95.0, marginal=75.0):
    if score <= marginal: return 'rollback'
    return 'promote' if is_end and score >= passing else 'hold'


# ---------------------------------------------------------------- vectors
def noise(i):
    """splitmix64 finalizer -> (0, 1)"""
    m = (1 << 64) - 1; z = ((i + 1) * 0x9E3779B97F4A7C15) & m
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & m; z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & m
    return ((z ^ (z >> 31)) >> 11) / 9007199254740992.0


def path(c, l, step, planned, pods=None, history=None, a=0, delta=0.0, absolute=False, number=False, n=None, ages=None, cold_start=COLD, t=None):
    t = t or [step * (i + 1) for i in range(len(c))]
    up, down = (Gauge(c, l, t, s, pods, history, delta, absolute, number, n, ages, cold_start) for s in (1, -1))
    return {'spread': [up.spread(0, K) for K in range(3, len(c) + 1)], 'violation': [up.violation(K, planned, step) for K in range(1, len(c) + 1)],
            'kept_ln': [down.segment(a, K) if K > a else 0.0 for K in range(1, len(c) + 1)], 'kept': [down.kept(a, K) if K > a else False for K in range(1, len(c) + 1)]}


def vectors():
    out = {'constants': {'sd': SD, 'memory_seconds': MEMORY, 'nu': NU, 'weight': WEIGHT, 'omega': OMEGA, 'cap': CAP, 'fewest': FEWEST, 'span_seconds': SPAN, 'start_seconds': START, 'own': OWN, 'distance': DISTANCE, 'near_one': NEAR_ONE, 'cold_start_seconds': COLD, 'shared': SHARED, 'missing': MISSING}}
    out['excess'] = [{'canary': c, 'limit': l, 'excess': excess(c, l)} for c, l in ((2, 1), (1, 2), (1.25, 1.25), (100, 1), (0, 1), (0, 0), (1, 0), (-5, -10), (1, -1), (1e-300, 1e300), (3, 1.25))]
    out['mixture'] = [{'mean': m, 'variance': V, 'nu': nu, 'ln_e': mixture(m, V, nu)} for m, V, nu in ((0.5, 0.01, 20), (0.5, 0.0625, 20), (-0.5, 0.01, 20), (2.302585, 0.04, 22), (0, 0.01, 20), (0.1, 1e-6, 40), (-3, 1e-4, 20))]
    z = [noise(i) for i in range(400)]
    cases = {
        'noisy, x3 from the 13th sample': ([(1 + .4 * (z[i] - .5)) * (3 if i >= 12 else 1) for i in range(30)], [1.25 * (1 + .4 * (z[100 + i] - .5)) for i in range(30)], 60.0, 120),
        'gross from the start': ([9 + z[i] for i in range(6)], [1.25] * 6, 60.0, 60),
        'same, limit 1.25': ([1 + .3 * (z[i] - .5) for i in range(24)], [1.25 * (1 + .3 * (z[60 + i] - .5)) for i in range(24)], 60.0, 120),
        'constant beyond': ([900.0] * 8, [100.0] * 8, 30.0, 120),
        'constant kept': ([3.0] * 12, [100.0] * 12, 60.0, 120),
        'zero and zero': ([0.0] * 6, [0.0] * 6, 60.0, 60),
        'some and zero': ([0.3] * 6, [0.0] * 6, 60.0, 60),
        'one spike': ([1.0] * 5 + [50.0] + [1.0] * 10, [1.25] * 16, 60.0, 60),
        'leak': ([1 + .1 * i + .05 * z[i] for i in range(25)], [1.25 + .05 * z[50 + i] for i in range(25)], 60.0, 60),
        '15 s samples': ([2 + z[i] for i in range(40)], [1.25 + .3 * z[200 + i] for i in range(40)], 15.0, 240),
        '300 s samples': ([4 + z[i] for i in range(6)], [1.25 + .2 * z[300 + i] for i in range(6)], 300.0, 12),
        'negative values': ([-4 + z[i] for i in range(12)], [-8 + z[20 + i] for i in range(12)], 60.0, 24)}
    out['path'] = [dict(name=n, canary=c, limit=l, step=s, planned=p, **path(c, l, s, p)) for n, (c, l, s, p) in cases.items()]
    c, l = cases['noisy, x3 from the 13th sample'][:2]
    h = {1: (.09, 30), 2: (.07, 30), 4: (.06, 30), 8: (.05, 15), 16: (.05, 7)}   # as history_of would give
    out['path'].append(dict(name='with history', canary=c, limit=l, step=60.0, planned=120, history={str(k): v for k, v in h.items()}, **path(c, l, 60.0, 120, None, h)))
    pods = {'a%d' % j: [(.7 + .1 * j) * (1 + .3 * (z[17 * j + i] - .5)) for i in range(10)] for j in range(6)}
    can = {'b%d' % j: [2.2 * (1 + .3 * (z[200 + 11 * j + i] - .5)) for i in range(10)] for j in range(2)}
    pods['a5'][2] = None; pods['late'] = [None] * 7 + [1.0] * 3
    out['pods'] = []
    for A, B, a, K in ((pods, can, 0, 10), (pods, can, 4, 9), ({k: pods[k] for k in ('a0', 'a1', 'a2')}, can, 0, 10), ({'a0': pods['a0']}, {'b0': can['b0']}, 0, 10), ({}, can, 0, 10)):
        q, df, x, y = pods_spread(A, B, a, K); out['pods'].append({'control': A, 'canary': B, 'from': a, 'to': K, 'relative_variance': q, 'df': df, 'canary_pods': x, 'control_pods': y})
    mean = lambda P, i: (lambda v: math.fsum(v) / len(v))([s[i] for s in P.values() if s[i] is not None])
    cc, ll = [mean(can, i) for i in range(10)], [1.25 * mean(pods, i) for i in range(10)]
    f = lambda a, K, alone: pods_spread(pods, {} if alone else can, a, K)
    out['path_with_pods'] = dict(canary=cc, limit=ll, step=60.0, planned=60, control_pods=pods, canary_pods=can, r=1.25, delta=0.0, **path(cc, ll, 60.0, 60, f))
    out['path_absolute_with_pods'] = [dict(canary=cc, limit=[m] * 10, step=60.0, planned=60, control_pods=pods, canary_pods=can, delta=m, **path(cc, [m] * 10, 60.0, 60, lambda a, K, alone: pods_spread(pods, can, a, K, m), None, 0, m, True)) for m in (2.0, 1.1)]
    ab = {'success 99.5 % above 95 %': ([.005 + .004 * (z[i] - .5) for i in range(12)], .05, 60.0, 60), 'success 100 % above 99 %': ([0.0] * 8, .01, 30.0, 120), 'heap 82 % below 90 %': ([.82 + .03 * (z[40 + i] - .5) for i in range(24)], .9, 30.0, 120),
          'constant 1 % below': ([99.0] * 24, 100.0, 60.0, 60), 'constant 1 % above': ([101.0] * 30, 100.0, 60.0, 60), 'far above': ([900.0] * 6, 100.0, 30.0, 120), 'on the limit': ([100.0] * 8, 100.0, 60.0, 60), 'on the limit in the mean': ([100 + 20 * (z[80 + i] - .5) for i in range(40)], 100.0, 60.0, 60),
          'drift beyond': ([80 + 1.0 * i + z[120 + i] for i in range(45)], 100.0, 60.0, 60), 'integers': ([float(int(3 + 4 * z[160 + i])) for i in range(20)], 6.0, 15.0, 240), 'none allowed': ([0.0] * 6, 0.0, 60.0, 60), 'one lost': ([1.0] * 6, 0.0, 60.0, 60), 'bytes': ([4.9e8 + 4e6 * z[220 + i] for i in range(10)], 536870912.0, 60.0, 60)}
    out['path_absolute'] = [dict(name=n, canary=x, limit=m, step=s, planned=p, **path(x, [m] * len(x), s, p, None, None, 0, m, True)) for n, (x, m, s, p) in ab.items()]
    x, m, s, p = ab['heap 82 % below 90 %']; hh = {1: (.0004, 30), 2: (.0003, 30), 4: (.0003, 30), 8: (.0002, 20)}
    out['path_absolute'].append(dict(name='with history', canary=x, limit=m, step=s, planned=p, history={str(k): v for k, v in hh.items()}, **path(x, [m] * len(x), s, p, None, hh, 0, m, True)))
    sc, sy = [.97 + .01 * z[260 + i] for i in range(10)], [.995 + .004 * (z[280 + i] - .5) for i in range(10)]; fc, fy, fr, fd = complement(sc, sy, .99)
    out['path_absolute_number'] = [dict(name=n, canary=x, limit=m, step=30.0, planned=120, **path(x, [m] * len(x), 30.0, 120, None, None, 0, m, True, True)) for n, x, m in (('none seen, limit .5', [0.0] * 30, .5), ('integers', [float(int(3 + 4 * z[160 + i])) for i in range(20)], 6.0), ('3 below 100', [3.0] * 6, 100.0), ('not whole', [.5, 0.0] * 8, 3.0), ('none allowed', [0.0] * 6, 0.0))]
    # ---- absolute limits and the control; a late fault; whole numbers of several pods
    W = lambda f, lo: [f(i) * (1 + .04 * (z[lo + i % 300] - .5)) for i in range(70)]; late = [W(lambda i: .5 if i < 45 else q, 0) for q in (1.0, 1.3)]
    out['absolute_limits'] = [{'limit': m, 'control': y, 'higher': h, 'violation_limit': absolute_limits(m, y, h)} for m, y, h in ((1.0, [.9, 1.0, 1.2, None], False), (.9, [.95, .8], True), (-5.0, [-4.0, -6.0], False))]
    out['path_late'] = [dict(name='.5 to %g at the 46th sample, limit .9' % q, canary=v, limit=[.9] * 70, step=60.0, planned=120, **path(v, [.9] * 70, 60.0, 120, None, None, 0, .9, True)) for q, v in zip((1.0, 1.3), late)]
    out['path_environment'] = []
    for name, ux, uy in (('both x1.6 from the 11th to the 40th sample', lambda i: .8 * (1.6 if 10 <= i < 40 else 1), lambda i: .8 * (1.6 if 10 <= i < 40 else 1)), ('both, then the canary alone', lambda i: .8 * (1.6 if 10 <= i < 25 or i >= 40 else 1), lambda i: .8 * (1.6 if 10 <= i < 25 else 1)), ('canary 2.5 times a control that is over', lambda i: 3.0, lambda i: 1.2)):
        x, y = W(ux, 20), W(uy, 60); ls = absolute_limits(1.0, y); p = path(x, ls, 60.0, 120, None, None, 0, 1.0, True)
        out['path_environment'].append(dict(name=name, canary=x, control=y, limit=1.0, violation_limit=ls, step=60.0, planned=120, newest_is_shared=[beyond(v, 1.0) for v in y], spread=p['spread'], violation=p['violation'], kept=path(x, [1.0] * 70, 60.0, 120, None, None, 0, 1.0, True)['kept']))
    three = [[float(int(z[3 * i + j] * 1.6)) for j in range(3)] for i in range(40)]; x = [math.fsum(v) / 3 for v in three]
    out['path_number_of_pods'] = [dict(pods=q, canary=v, limit=m, step=60.0, planned=120, **{k: w for k, w in path(v, [m] * 40, 60.0, 120, None, None, 0, m, True, True, q).items() if k.startswith('kept')}) for v, m, q in ((x, .8, [3] * 40), (x, 1.6, [3] * 40), ([0.0] * 40, .5, [2] * 40))]
    # ---- young canary, earlier windows
    out['path_cold'] = [dict(canary=cc, limit=ll, step=60.0, planned=60, control_pods=pods, canary_pods=can, r=1.25, delta=0.0, ages=g, cold_start=s, **path(cc, ll, 60.0, 60, f, None, 0, 0.0, False, False, None, g, s)) for g, s in (([60.0 * (i + 1) for i in range(10)], 1800.0), ([60.0 * (i + 1) for i in range(10)], 420.0), ([60.0 * (i + 1) for i in range(10)], 0.0))]
    Y = {'a%d' % j: [(1 + .2 * (z[23 * j + i] - .5)) * (4 if j < 2 and 5 * j <= i < 5 * j + 5 else 1) for i in range(30)] for j in range(6)}; X = {'b': [(1 + .2 * (z[330 + i] - .5)) * (4 if i >= 20 else 1) for i in range(30)]}
    y, x = [mean(Y, i) for i in range(30)], X['b']; e = path(x, [1.25 * v for v in y], 60.0, 60, lambda a, K, alone: pods_spread(Y, {} if alone else X, a, K))
    out['path_earlier_windows'] = dict(canary=x, limit=[1.25 * v for v in y], step=60.0, planned=60, control_pods=Y, canary_pods=X, r=1.25, delta=0.0, spread_from_20=[Gauge(x, [1.25 * v for v in y], [60.0 * (i + 1) for i in range(30)], 1, lambda a, K, alone: pods_spread(Y, {} if alone else X, a, K)).spread(20, K) for K in range(23, 31)], **e)
    # ---- missing samples, pods of several series, warm-up, refusals
    x = [None if i == 4 else v for i, v in enumerate(cases['noisy, x3 from the 13th sample'][0])]; y = [None if i == 11 else 1 + .4 * (z[100 + i] - .5) for i in range(30)]; use = [i for i in range(30) if x[i] is not None and y[i] is not None]
    out['path_with_missing'] = dict(canary=x, control=y, r=1.25, step=60.0, planned=120, used=use, lacking=lacking(x, y), **path([x[i] for i in use], [1.25 * y[i] for i in use], 60.0, 120, t=[60.0 * (i + 1) for i in use]))
    out['lacking'] = [{'canary': x, 'control': y, 'absolute': b, 'lacking': lacking(x, y, b)} for x, y, b in (([1, None, 1, 1, 1], [1] * 5, False), ([1, None, None, 1, 1], [1] * 5, False), ([None, None, 1, 1, 1], [None, None, 1, 1, 1], False), ([1] * 5, [1, 1, None, None, 1], False), ([1] * 5, [1, 1, None, None, 1], True))]
    S = {('pod=a', 'core=0'): [1, 1, 1], ('pod=a', 'core=1'): [3, 3, math.nan], ('pod=b', 'core=0'): [4, 4, 4], ('instance=x', 'core=0'): [6, 6, 6], ('core=9',): [8, None, 8], ('core=8',): [10, None, None], (): [0, 0, 0]}
    ser = {frozenset(k): {i: v for i, v in enumerate(s) if v is not None} for k, s in S.items()}; o = by_pod(ser); enc = lambda v: 'NaN' if isinstance(v, float) and math.isnan(v) else 'Inf' if v == math.inf else v
    out['by_pod'] = [{'pod_label': None, 'series': [{'labels': list(k), 'values': [enc(v) for v in s]} for k, s in S.items()], 'pods': [{'pod': sorted(k), 'values': {str(t): v for t, v in s.items()}} for k, s in sorted(o.items(), key=lambda q: sorted(q[0]))], 'mean': {str(k): v for k, v in population(o)[0].items()}}]
    out['young'] = [{'times': t, 'warm_up': w, 'step': s, 'began': b, 'before': p, 'young': young(t, w, s, b, p)} for t, w, s, b, p in (([60.0, 120.0, 180.0, 240.0], 60.0, 60.0, None, False), ([60.0, 120.0, 180.0, 240.0], 150.0, 60.0, None, False), ([300.0, 600.0], 150.0, 300.0, None, False), ([60.0, 120.0, 180.0], 150.0, 60.0, None, True), ([60.0, 120.0, 180.0], 60.0, 60.0, 30.0, False), ([60.0, 120.0, 180.0], 150.0, 60.0, -30.0, True))]
    out['baseline_negative'] = [{'control': y, 'negative': baseline_negative(y)} for y in ([1.0, 0.0, None], [1.0, -.1, 2.0])]
    out['counter_as_gauge'] = [{'expression': e, 'type': k, 'counter': counter_as_gauge(e, k)} for e, k in (('process_cpu_seconds_total{job="a"}', None), ('process_cpu_seconds_total', 'counter'), ('jvm_threads_count', 'gauge'), ('jvm_threads_count', None), ('app_cpu_used', 'counter'), ('sum by (pod) (x_total)', None), ('rate(x_total[2m])', None), ('x_sum / x_count', None), ('queue', 'unknown'))]
    out['suspected'] = [{'own': v, 'suspected': suspected(v)} for v in ([.1, -.2], [.3, -.2], [0.0, 0.0], [])]
    out['judged'] = [{'times': t, 'judged': judged(t)} for t in ([60.0, 120.0], [60.0, 120.0, 180.0], [15.0, 30.0, 45.0])]
    out['complement'] = dict(canary=sc, control=sy, r=.99, delta=0.0, offset=fd, failures_canary=fc, failures_control=fy, planned=60, step=60.0, violation_limit=[1.25 * v + fd for v in fy], promotion_limit=[2 * v + fd for v in fy], violation=path(fc, [1.25 * v + fd for v in fy], 60.0, 60, None, None, 0, fd)['violation'], kept=path(fc, [2 * v + fd for v in fy], 60.0, 60, None, None, 0, fd)['kept'])
    out['on_the_limit'] = [{'constant': v, 'samples': 5, 'inclusive': i, 'kept': Gauge([v] * 5, [v] * 5, [60.0 * (j + 1) for j in range(5)], -1, None, None, v, True).kept(0, 5, .05, None, i)} for v in (0.0, 3.0) for i in (True, False)]
    out['near_one'] = [{'unit': u, 'higher': h, 'absolute': b, 'control': y, 'complement': near_one(u, h, b, y)} for u, h, b, y in (('fraction', True, .95, []), ('fraction', True, .5, []), ('fraction', False, .95, []), ('number', True, .95, []), ('fraction', True, None, [.9, .8]), ('fraction', True, None, [.3, .4]), ('fraction', True, None, []))]
    out['plan_absolute'] = [{'signal': g, 'level': a, 'step': st, 'sd': d, 'minutes': minutes(g, a, st, None, 10080, True, d)} for g, a, st, d in ((.01, .05, 60.0, 0.0), (.05, .05, 60.0, 0.0), (.05, .05, 60.0, .01), (.05, .05, 60.0, .025), (.2, .05, 60.0, 0.0), (.2, .05, 15.0, 0.0), (math.log(1.01), .005, 60.0, 0.0), (math.log(1.05), .005, 60.0, 0.0), (math.log(1.2), .005, 60.0, 0.0), (math.log(9), .005, 60.0, 0.0))]
    out['path_stage_from_9'] = dict(canary=c, limit=l, step=60.0, planned=120, stage_from=9, **path(c, l, 60.0, 120, None, None, 9))
    nan = math.nan
    S = {('pod=a',): [1, 2, nan, 4, 5], ('pod=b',): [3, 4, 5, None, 7], (): [0] * 5, ('pod=c',): [None, None, 9, 9, math.inf]}
    ser = {frozenset(k): {i: v for i, v in enumerate(s) if v is not None} for k, s in S.items()}
    o, fl = population(ser); enc = lambda v: 'NaN' if isinstance(v, float) and math.isnan(v) else 'Inf' if v == math.inf else v
    out['population'] = [{'series': [{'labels': list(k), 'values': [enc(v) for v in s]} for k, s in S.items()], 'mean': {str(k): v for k, v in o.items()}, 'flags': fl}]
    out['plan'] = [{'signal': s, 'level': a, 'step': st, 'minutes': minutes(s, a, st)} for s, a, st in ((.5, .05, 60.0), (.5, .05, 15.0), (1 - 1 / 1.875, .05, 60.0), (1 / 3, .05, 60.0), (math.log(2 / 1.25), .005, 60.0), (math.log(3 / 1.25), .005, 60.0), (math.log(5 / 1.25), .005, 60.0), (math.log(10 / 1.25), .005, 60.0), (math.log(10 / 1.25), .005, 15.0), (math.log(1.5 / 1.25), .005, 60.0))]
    H = [10 + z[i] + 3 * z[300 + i // 30] for i in range(240)]; H[7] = None
    out['plan_cold'] = [{'signal': math.log(x / 1.25), 'level': .005, 'step': 60.0, 'pods': [q, 9], 'cold_start': c, 'minutes': minutes(math.log(x / 1.25), .005, 60.0, (q, 9), cold=c)} for x, q in ((1.5, .0025), (2, .0025), (3, .0025), (2, .01)) for c in (0.0, 1800.0)]
    out['history'] = [{'values': H, 'step': 60.0, 'variance_df': {str(k): v for k, v in history_of(H, 60.0).items()}}]
    g = Gauge([1.4] * 40, [2.0] * 40, [60.0 * (i + 1) for i in range(40)], -1); out['own_limit'] = [{'canary': 1.4, 'own_limit': o, 'promotion_limit': 2.0, 'samples': 40, 'kept': g.kept(0, 40, .05, [1.4 - o] * 40)} for o in (1.25, 1.5)]
    out['ratio_interval'] = [{'mean': m, 'variance': V, 'nu': nu, 'confidence': .99, 'interval': ratio_interval(m, V, nu)} for m, V, nu in ((0.0, .01, 30), (math.log(2), .04, 22), (-.1, .0004, 40))]
    out['sample_step'] = [{'interval': a, 'scrape_period': b, 'step': sample_step(a, b)} for a, b in ((30, 15), (30, 30), (30, 45), (30, 300), (10, 15))]
    out['can_speak'] = [{'seconds': a, 'step': b, 'can': can_speak(a, b)} for a, b in ((600, 300), (900, 300), (300, 60), (120, 30), (150, 30))]
    out['voting_ratio'] = [{'r': r, 'df': d, 'ratio': voting_ratio(r, d)} for r, d in ((1.1, 0), (1.1, 4), (1.5, 0), (1.0, 3))]
    out['work_limit'] = [{'r': 1.3, 'control': 0.01, 'load_canary': a, 'load_control': b, 'limit': work_limit(1.3, 0.01, a, b)} for a, b in ((20, 90), (30, 9), (50, 50))]
    out['kayenta_noise'] = [{'values': v, 'noisy': kayenta_noise(v)} for v in ([1.0] * 5, [0.0] * 3, [100.0] * 4)]
    K = [([(['errors'], 'High', False), (['latency'], 'Pass', False), (['saturation'], 'Pass', False)], {}), ([(['errors'], 'Pass', True), (['latency'], 'Nodata', False)], {}), ([(['errors'], 'High', True), (['latency'], 'Pass', False)], {}),
         ([(['a'], 'Pass', False), (['a'], 'High', False), (['b'], 'Pass', False), (['b'], 'Nodata', False), (['b'], 'Error', False)], {'a': 70}), ([(['a'], 'Pass', False), (['a'], 'NodataFailMetric', False), (['a'], 'Low', False)], {}), ([(['a'], 'Error', True), (['b'], 'Pass', False)], {}), ([(['a'], 'Nodata', True), (['b'], 'Pass', False), (['c'], 'Pass', False)], {}), ([(['a'], 'Low', False)] + [(['a'], 'Pass', False)] * 9 + [(['b'], 'Pass', False)], {})]
    out['kayenta_score'] = [{'results': r, 'weights': w, 'score': kayenta_score(r, w)[0], 'now': kayenta_verdict(kayenta_score(r, w)[0], False), 'end': kayenta_verdict(kayenta_score(r, w)[0], True)} for r, w in K]
    return out


def close(a, b):
    if isinstance(a, dict): return set(a) == set(b) and all(close(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool): return abs(a - b) <= 1e-9 * max(1, abs(a))
    return a == b


if __name__ == '__main__':
    what = sys.argv[1] if len(sys.argv) > 1 else 'plan'
    if what == 'vectors': json.dump(vectors(), sys.stdout, indent=1)
    elif what == 'check':
        got = json.loads(json.dumps(vectors())); want = json.load(open(sys.argv[2])); bad = [k for k in want if not close(got.get(k), want[k])]
        print('equal' if not bad else 'differ: %s' % bad); sys.exit(bool(bad))
    else:
        print('minutes to show that a good canary keeps R (false_promote .05):', {R: [minutes(1 - 1 / R, .05, s) for s in (60.0, 15.0)] for R in (1.25, 1.5, 1.875, 2.0, 3.0)}, '(60 s, 15 s)')
        for sd in (0.0, .2, .5): print('absolute limit, samples of deviation %g of the distance: minutes to promote / to roll back (.005):' % sd, {d: (minutes(d, .05, 60.0, None, 10080, True, sd * d), minutes(math.log1p(d), .005, 60.0, None, 10080, True, sd * math.log1p(d))) for d in (.01, .05, .2)})
        for k in (1, 5): print('minutes to roll back at a limit of 1.25, %d checks:' % k, {x: [minutes(math.log(x / 1.25), .01 / k / 2, s) for s in (60.0, 15.0)] for x in (1.5, 2, 3, 5, 10)})
