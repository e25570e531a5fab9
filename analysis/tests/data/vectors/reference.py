#!/usr/bin/env python3
"""Reference implementation and simulation harness of the statistical core.

Part 1  scalar reference: plain Python, one interval at a time; the Rust code must agree with it (vectors.json).
Part 2  the same statistic over many simulated rollouts at once (numpy), used for the operating characteristics.
usage: reference.py check | main NOISE [R] | robust [R] | late [R] | ramp [R] | history [R] | high [R] | promote [R] |
       stage [R] | family [R] | crash [R] | absolute [R] | gauge [R] | plan
NOISE is iid or bb (beta-binomial, cv 0.5) or low (iid, 1500 requests per interval).
"""
import math, sys, time
import numpy as np
from scipy.stats import norm

# ====================================================================== constants
ALPHA, BETA = 0.01, 0.05
RHO = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0]       # effect grid of relative limits
RHO_ABS = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0]                      # effect grid of absolute limits, violation
A_ABS = [0.1, 0.25, 0.5, 0.75, 0.9]                            # effect grid of absolute limits, compliance
START_EVERY, W_FIRST = 8, 0.5                                  # start mixture
NU_PRIOR, CV_PRIOR = 3.0, 0.6                                  # noise assumed without history
NU_CAP, CV_MIN = 30.0, 0.1                                     # most degrees of freedom a history may bring; least noise believed
BLOCKS, MIN_BLOCKS = [1, 2, 4, 8, 16], 8
SPLIT_MIN, SPLIT_MIN_HIST = 12, 8                              # intervals after a start before its own fit is used
W_BREAKER, D_BREAKER, K_BREAKER = 0.1, 100.0, 16.0

# ====================================================================== part 1: scalar reference
def lse(v):
    m = max(v)
    return m if m == -math.inf else m + math.log(sum(math.exp(a - m) for a in v))

def up(x, n, y, m, r, delta, rho):
    """log e-value for 'canary rate > r * control rate + delta' (delta may be negative)"""
    g = math.log1p((rho - 1) * (r*n / (r*n + m)))
    return x*math.log(rho) - (x + y)*g - (rho*math.exp(-g) - 1)*delta*n

def down(x, n, y, m, r, delta, rho):
    """log e-value for 'canary rate < r * control rate + delta'"""
    g = math.log1p((rho - 1) * (m / (m + r*n)))
    return y*math.log(rho) - (x + y)*g - math.expm1(-g)*delta*n

def above(x, n, p0, rho, poisson=False):
    return x*math.log(rho) - n*((rho - 1)*p0 if poisson else math.log1p((rho - 1)*p0))

def below(x, n, p0, a, poisson=False):
    return x*math.log1p(-a) + n*(a*p0 if poisson else -math.log1p(-a*p0))

def deflate(L, nu):
    return nu/2*math.log1p(2*L/nu) if L > 0 else L

def pass_grid(R, delta):
    """grid and weights for the compliance evidence of a relative limit, direction 'down' (lower is better)"""
    return ([1.1, 4/3, 2.0, 4.0, 10.0], [0.2]*5) if delta > 0 else ([math.sqrt(R), R, R*R], [0.25, 0.5, 0.25])

class Noise:
    """dispersion bookkeeping of one check. Relative: push(x,n,y,m). Absolute limit p0: push_abs(x,n,p0)."""
    def __init__(s, blocks=BLOCKS):
        s.blocks = list(blocks); s.k = 0; s.X = [0.]; s.V = [0.]; s.T = [0.]; s.W = [0.]; s.Q = 0.; s.PH = [(0., 0.)]
        s.hmax = 0.; s.bmax = 0.; s.hsum = 0.; s.live = 0; s.p0 = None; s.S = {L: [(0., 0., 0., 0., 0.)] for L in s.blocks}
    def _push(s, u, v, t, w, q, h, b):
        s.k += 1; s.X.append(s.X[-1] + u); s.V.append(s.V[-1] + v); s.T.append(s.T[-1] + t); s.W.append(s.W[-1] + w)
        s.Q += q; s.hmax = max(s.hmax, h); s.bmax = max(s.bmax, b); s.hsum += h; s.live += h > 0
        for L in s.blocks:
            if s.k % L == 0:
                U, V, W = (c[s.k] - c[s.k-L] for c in (s.X, s.V, s.W)); o = s.S[L][-1]
                s.S[L].append((o[0] + U*U, o[1] + U*V, o[2] + V*V, o[3] + W, o[4] + W*W))
    def push(s, x, n, y, m):
        if n <= 0 or m <= 0: s.PH.append(s.PH[-1]); return s._push(0., 0., 0., 0., 0., 0., 0.)
        e = n/m; phi = n/(n + m); s.PH.append((s.PH[-1][0] + n, s.PH[-1][1] + m))
        s._push(x, e*y, e*(x + y), n*(n + m)/m, (x + y)*phi*(1 - phi), n*m/(n + m), (y + 0.5)*phi)
    def push_abs(s, x, n, p0):
        s.p0 = p0; s.PH.append((0., 0.))
        if n <= 0: return s._push(0., 0., 0., 0., 0., 0., 0.)
        s._push(x, n, n, n, n*p0/2, n, n*p0/2)
    def segment(s, L, a, b):
        i0 = -(-a//L); i1 = max(b//L, i0); lim = len(s.S[L]) - 1; i0 = min(i0, lim); i1 = min(i1, lim)
        if s.p0 is None:
            dn = s.PH[b][0] - s.PH[a][0]; dm = s.PH[b][1] - s.PH[a][1]; c = dn/(dn + dm) if dn + dm > 0 else 0.; c1 = c2 = c/2
        else: c1, c2 = 0.5, 0.5/s.p0
        den = s.V[b] - s.V[a] + c2; rh = (s.X[b] - s.X[a] + c1)/den if den > 0 else 0.
        d = [p - q for p, q in zip(s.S[L][i1], s.S[L][i0])]
        SS = max(0., d[0] - 2*rh*d[1] + rh*rh*d[2]); VV = rh*(s.T[i1*L] - s.T[i0*L]); B = d[3]**2/d[4] if d[4] > 0 else 0.
        return SS, VV, B, max(B - 1, 0.), i1 - i0
    def dispersion(s, start=0, hist=None):
        """(D, nu) for evidence that starts after interval `start`. hist = {'h': h0, L: (D0, nu0), ...} or None"""
        best = None; smin = SPLIT_MIN if hist is None else SPLIT_MIN_HIST
        for L in s.blocks:
            if hist is not None and L not in hist: continue
            if start == 0 or s.k - start < smin: SS, VV, B, df, nb = s.segment(L, 0, s.k)
            else: SS, VV, B, df, nb = (p + q for p, q in zip(s.segment(L, 0, start), s.segment(L, start, s.k)))
            Dh = SS/VV*B/df if df > 0 and VV > 0 else 0.
            if hist is not None:
                D0, n0 = hist[L]; n0 = min(n0, NU_CAP); ok = True; D0 = max(1 + (D0 - 1)*max(1., s.hmax/hist['h']), 1 + 2*CV_MIN**2*s.Q/max(s.live, 1))
            else: D0, n0 = 1 + 2*CV_PRIOR**2*s.Q/max(s.live, 1), NU_PRIOR; ok = L == 1 or nb >= MIN_BLOCKS
            D = (n0*D0 + df*Dh)/(n0 + df)
            if ok and (best is None or max(D, 1.) > best[0]): best = (max(D, 1.), n0 + df)
        return best
    def history(s):
        """summary of a control-versus-control series, to be used as hist for a later rollout"""
        o = {'h': s.hsum/max(s.live, 1)}
        for L in s.blocks:
            SS, VV, B, df, nb = s.segment(L, 0, s.k)
            if nb >= MIN_BLOCKS and df > 0 and VV > 0: o[L] = (SS/VV*B/df, df)
        return o

class Evidence:
    """violation evidence: log E after every interval. kind = 'up' | 'down' (relative) | 'above' | 'below' (absolute)"""
    def __init__(s, kind, r, delta=0.0, k_max=480, hist=None, poisson=False, noise=None):
        s.kind, s.r, s.delta, s.k_max, s.hist, s.poisson = kind, r, delta, k_max, hist, poisson
        s.grid = {'up': RHO, 'down': RHO, 'above': RHO_ABS, 'below': A_ABS}[kind]
        s.starts = [0] + list(range(START_EVERY, k_max, START_EVERY)); w = (1 - W_FIRST)/max(len(s.starts) - 1, 1)
        s.w = [W_FIRST if len(s.starts) > 1 else 1.0] + [w]*(len(s.starts) - 1)
        s.noise = noise or Noise(BLOCKS if hist is None else [L for L in hist if L != 'h']); s.L = [[0.]*len(s.grid)]; s.path = []
    def push(s, x, n, y=None, m=None):
        if s.kind in ('up', 'down'):
            s.noise.push(x, n, y, m); f = up if s.kind == 'up' else down
            inc = [f(x, n, y, m, s.r, s.delta, h) for h in s.grid] if n > 0 and m > 0 else [0.]*len(s.grid)
        else:
            s.noise.push_abs(x, n, s.r); f = above if s.kind == 'above' else below
            inc = [f(x, n, s.r, h, s.poisson) if n > 0 else 0. for h in s.grid]
        s.L.append([a + b for a, b in zip(s.L[-1], inc)]); k = s.noise.k; terms = []; rest = 0.; J = len(s.grid)
        for st, w in zip(s.starts, s.w):
            if st >= k: rest += w; continue
            D, nu = s.noise.dispersion(st, s.hist)
            terms.append(deflate(lse([(a - b)/D for a, b in zip(s.L[k], s.L[st])]) - math.log(J) + math.log(w), nu))
        if rest > 0: terms.append(math.log(rest))
        Db = max(D_BREAKER, K_BREAKER*s.noise.bmax); brk = lse([a/Db for a in s.L[k]]) - math.log(J)
        e = lse([math.log(1 - W_BREAKER) + lse(terms), math.log(W_BREAKER) + brk]); s.path.append(e); return e

def compliance(kind, R, delta, rows, noise, stage_start, hist=None, poisson=False):
    """log E' now: evidence, from the intervals after stage_start only, that the limit is respected.
    kind 'down': canary rate < R*control + delta; 'up': canary rate > R*control + delta; 'below'/'above': absolute limit R"""
    if kind == 'down': grid, w = pass_grid(R, delta); f = lambda q, h: down(*q, R, delta, h)
    elif kind == 'up': grid, w = pass_grid(1/R, -delta); f = lambda q, h: up(*q, R, delta, h)
    elif kind == 'below': grid, w = A_ABS, [1/len(A_ABS)]*len(A_ABS); f = lambda q, h: below(q[0], q[1], R, h, poisson)
    else: grid, w = RHO_ABS, [1/len(RHO_ABS)]*len(RHO_ABS); f = lambda q, h: above(q[0], q[1], R, h, poisson)
    D, nu = noise.dispersion(stage_start, hist); live = [q for q in rows[stage_start:] if q[1] > 0 and (len(q) < 3 or q[3] > 0)]
    return deflate(lse([sum(f(q, h) for q in live)/D + math.log(v) for h, v in zip(grid, w)]), nu)

# planning (section 12)
def inverse_deflate(G, nu): return nu/2*math.expm1(2*G/nu)
def growth_up(lam, mu_x, mu_y, n, m, r):
    """expected log-evidence per interval for a canary at lam times the tolerated rate (delta = 0)"""
    phi = r*n/(r*n + m); return mu_x*math.log(lam) - (mu_x + mu_y)*math.log1p((lam - 1)*phi)
def growth_down(lam, mu_x, mu_y, n, m, R):
    psi = m/(m + R*n); return mu_y*math.log(lam) - (mu_x + mu_y)*math.log1p((lam - 1)*psi)
NEED_MIX_FAIL, NEED_MIX_PASS, NEED_NU = 4.4, 0.8, 40.0     # calibrated: mode plan
def looks(g, level, D, nu, mix):
    """median number of intervals until evidence 1/level + 1; nu = degrees of freedom at the decision (>= 30 with history)"""
    need = inverse_deflate(math.log(1/level + 1), nu) + mix
    return need*D/g if g > 0 else math.inf

# ====================================================================== part 2: many rollouts at once
RHO_, BLH = np.array(RHO), [1, 2, 4, 8, 16, 32, 64]
def tdef(L, nu): return np.where(L > 0, nu/2*np.log1p(2*np.maximum(L, 0)/nu), L)
def vlse(q, ax):
    m = q.max(ax, keepdims=True); return (m + np.log(np.exp(q - m).sum(ax, keepdims=True))).squeeze(ax)

class VNoise:
    @staticmethod
    def absolute(x, n, p0, blocks):
        s = VNoise.__new__(VNoise); R, K = x.shape; s.R, s.K, s.p0 = R, K, p0; n = np.broadcast_to(n, (R, K)).astype(float); Z = np.zeros((R, 1)); cs = lambda a: np.hstack([Z, a.cumsum(1)])
        s.X = cs(x.astype(float)); s.V = s.T = s.N = s.M = cs(n); s.Q = cs(n*p0/2); s.h = np.maximum.accumulate(n, 1); s.hmean = n.mean(); s.b = s.h*p0/2; s.P = {}
        s._blocks(blocks, s.V); return s
    def __init__(s, x, y, n, m, blocks):
        R, K = x.shape; s.R, s.K = R, K; n = np.broadcast_to(n, (R, K)).astype(float); m = np.broadcast_to(m, (R, K)).astype(float)
        Z = np.zeros((R, 1)); cs = lambda a: np.hstack([Z, a.cumsum(1)]); e = n/m; ph = n/(n + m)
        s.X, s.V, s.T, s.N, s.M, W = cs(x.astype(float)), cs(e*y), cs(e*(x + y)), cs(n), cs(m), cs(n*(n + m)/m)
        s.p0 = None; s.Q = cs((x + y)*ph*(1 - ph)); h = n*m/(n + m); s.h = np.maximum.accumulate(h, 1); s.hmean = h.mean(); s.b = np.maximum.accumulate((y + .5)*ph, 1); s.P = {}
        s._blocks(blocks, W)
    def _blocks(s, blocks, W):
        K = s.K; cs = lambda a: np.hstack([np.zeros((s.R, 1)), a.cumsum(1)])
        for L in blocks:
            i = np.arange(0, K + 1, L); U, V, Wb = np.diff(s.X[:, i]), np.diff(s.V[:, i]), np.diff(W[:, i]); s.P[L] = [cs(U*U), cs(U*V), cs(V*V), cs(Wb), cs(Wb*Wb)]
    def seg(s, L, a, b):
        a, b = np.broadcast_arrays(np.atleast_1d(a), np.atleast_1d(b)); i0 = -(-a//L); i1 = np.maximum(b//L, i0); lim = s.P[L][0].shape[1] - 1; i0 = np.minimum(i0, lim); i1 = np.minimum(i1, lim)
        dn = s.N[:, b] - s.N[:, a]; dm = s.M[:, b] - s.M[:, a]; ph = dn/np.maximum(dn + dm, 1e-9)
        c1, c2 = (.5*ph, .5*ph) if s.p0 is None else (.5, .5/s.p0)
        rh = (s.X[:, b] - s.X[:, a] + c1)/np.maximum(s.V[:, b] - s.V[:, a] + c2, 1e-300); P = [c[:, i1] - c[:, i0] for c in s.P[L]]
        SS = np.maximum(P[0] - 2*rh*P[1] + rh*rh*P[2], 0); VV = rh*(s.T[:, i1*L] - s.T[:, i0*L]); B = P[3]**2/np.maximum(P[4], 1e-300)
        return SS, VV, B, np.maximum(B - 1, 0), np.broadcast_to(i1 - i0, SS.shape)
    def disp(s, Sa, k1, bef, hist):
        """D, nu (R, len(Sa)) after k1 intervals for starts Sa; bef[L] = segments [0, start)"""
        best = None; sm = SPLIT_MIN if hist is None else SPLIT_MIN_HIST
        for L in s.P:
            if hist is not None and L not in hist: continue
            a = s.seg(L, Sa, k1); w = s.seg(L, 0, k1); one = ((k1 - Sa) < sm) | (Sa == 0)
            SS, VV, B, df, nb = (np.where(one, w[i], a[i] + bef[L][i][:, :len(Sa)]) for i in range(5))
            Dh = np.where((df > 0) & (VV > 0), SS/np.maximum(VV, 1e-300)*B/np.maximum(df, 1e-300), 0)
            if hist is not None:
                D0, n0 = hist[L]; n0 = np.minimum(n0, NU_CAP); ok = np.ones_like(one); D0 = np.maximum(1 + (D0 - 1)*np.maximum(1, s.h[:, [k1-1]]/hist['h']), 1 + 2*CV_MIN**2*s.Q[:, [k1]]/k1)
            else: D0, n0 = 1 + 2*CV_PRIOR**2*s.Q[:, [k1]]/k1, NU_PRIOR; ok = (nb >= MIN_BLOCKS) | (L == 1)
            Dc = (n0*D0 + df*Dh)/(n0 + df); nn = np.broadcast_to(n0 + df, Dc.shape)
            if best is None: best, nu = np.where(ok, np.maximum(Dc, 1), 1.), nn
            else: u = ok & (Dc > best); best = np.where(u, Dc, best); nu = np.where(u, nn, nu)
        return best, nu

def evid(x, y, n, m, r=1.0, delta=0.0, hist=None, kind='up', k_max=None, rho=RHO_):
    """log E (R, K) of the violation evidence of a relative limit"""
    R, K = x.shape; d = VNoise(x, y, n, m, BLOCKS if hist is None else [L for L in hist if L != 'h']); Z = np.zeros((R, 1))
    n_ = np.broadcast_to(n, (R, K)).astype(float); m_ = np.broadcast_to(m, (R, K)).astype(float); A = np.empty((R, K + 1, len(rho)))
    for j, h in enumerate(rho):
        g = np.log1p((h - 1)*(r*n_ if kind == 'up' else m_)/(r*n_ + m_))
        inc = x*np.log(h) - (x + y)*g - (h*np.exp(-g) - 1)*delta*n_ if kind == 'up' else y*np.log(h) - (x + y)*g - np.expm1(-g)*delta*n_
        A[:, :, j] = np.hstack([Z, inc.cumsum(1)])
    return _mix(d, A, hist, k_max)

def evid_abs(x, n, p0, kind='above', hist=None, poisson=False, k_max=None):
    """log E (R, K) of the violation evidence of an absolute limit p0"""
    R, K = x.shape; d = VNoise.absolute(x, n, p0, BLOCKS if hist is None else [L for L in hist if L != 'h']); grid = RHO_ABS if kind == 'above' else A_ABS; A = np.empty((R, K + 1, len(grid)))
    for j, h in enumerate(grid):
        c = ((h - 1)*p0 if poisson else np.log1p((h - 1)*p0)) if kind == 'above' else (-h*p0 if poisson else np.log1p(-h*p0))
        A[:, :, j] = d.X*(np.log(h) if kind == 'above' else np.log1p(-h)) - d.V*c
    return _mix(d, A, hist, k_max)

def _mix(d, A, hist, k_max):
    R, K = d.R, d.K
    S = np.array([0] + list(range(START_EVERY, k_max or K, START_EVERY))); lw = np.log(np.array([W_FIRST] + [(1 - W_FIRST)/(len(S) - 1)]*(len(S) - 1)))
    bef = {L: d.seg(L, 0, np.minimum(S, K)) for L in d.P}; out = np.empty((R, K)); lj = np.log(A.shape[2])
    for k in range(1, K + 1):
        Sa = S[S < k]; D, nu = d.disp(Sa, k, bef, hist); q = A[:, [k], :] - A[:, Sa, :]; rest = np.exp(lw[len(Sa):]).sum()
        brk = vlse(q[:, 0, :]/np.maximum(D_BREAKER, K_BREAKER*d.b[:, [k-1]]), 1) - lj
        g = tdef(vlse(q/D[:, :, None], 2) - lj + lw[:len(Sa)], nu); mm = np.maximum(g.max(1), 0)
        out[:, k-1] = np.logaddexp(np.log(1 - W_BREAKER) + mm + np.log(np.exp(g - mm[:, None]).sum(1) + rest*np.exp(-mm)), np.log(W_BREAKER) + brk)
    return out

def comply(x, y, n, m, Rm, s0=0, hist=None, delta=0.0):
    """log E' (R, K - s0) of the compliance evidence since the start of the stage"""
    R, K = x.shape; d = VNoise(x, y, n, m, BLOCKS if hist is None else [L for L in hist if L != 'h']); Sa = np.array([s0]); bef = {L: d.seg(L, 0, Sa) for L in d.P}
    n_ = np.broadcast_to(n, (R, K)).astype(float); m_ = np.broadcast_to(m, (R, K)).astype(float); DN = [d.disp(Sa, k, bef, hist) for k in range(s0 + 1, K + 1)]
    D = np.hstack([a for a, _ in DN]); nu = np.hstack([b for _, b in DN]); T = []
    for h, w in zip(*pass_grid(Rm, delta)):
        g = np.log1p((h - 1)*m_/(m_ + Rm*n_)); T.append((y*np.log(h) - (x + y)*g - np.expm1(-g)*delta*n_)[:, s0:].cumsum(1)/D + np.log(w))
    return tdef(vlse(np.stack(T, 2), 2), nu)

def comply_abs(x, n, p0, kind='below', s0=0, hist=None, poisson=False):
    R, K = x.shape; d = VNoise.absolute(x, n, p0, BLOCKS if hist is None else [L for L in hist if L != 'h']); Sa = np.array([s0]); bef = {L: d.seg(L, 0, Sa) for L in d.P}
    DN = [d.disp(Sa, k, bef, hist) for k in range(s0 + 1, K + 1)]; D = np.hstack([a for a, _ in DN]); nu = np.hstack([b for _, b in DN]); grid = A_ABS if kind == 'below' else RHO_ABS; T = []
    for h in grid:
        c = (-h*p0 if poisson else np.log1p(-h*p0)) if kind == 'below' else ((h - 1)*p0 if poisson else np.log1p((h - 1)*p0))
        T.append(((d.X - d.X[:, [s0]])*(np.log1p(-h) if kind == 'below' else np.log(h)) - (d.V - d.V[:, [s0]])*c)[:, s0+1:]/D - np.log(len(grid)))
    return tdef(vlse(np.stack(T, 2), 2), nu)

def history(x, y, n, m, blocks=BLH):
    d = VNoise(x, y, n, m, blocks); K = x.shape[1]; o = {'h': d.hmean}
    for L in blocks:
        if K//L >= MIN_BLOCKS:
            SS, VV, B, df, nb = d.seg(L, 0, K); o[L] = (np.where(VV > 0, SS/np.maximum(VV, 1e-300)*B/df, 0), df)
    return o

# ---------------------------------------------------------------- data and rivals
def arm(rng, n, p, R, K, cv=0.0, ar=0.0, mult=None, burst=False):
    """error counts of one arm: p constant, beta noise with coefficient of variation cv, AR(1) log-normal noise, or bursts"""
    base = np.full((R, K), p) if mult is None else np.full((R, K), p)*mult
    if burst: base = base*np.where(rng.random((R, K)) < .02, 20, 1)
    elif cv > 0 and ar == 0:
        a = np.maximum((1 - base)/cv**2 - base, 1e-9); base = rng.beta(a, a*(1 - base)/base)
    elif cv > 0:
        s2 = np.log1p(cv**2); e = rng.standard_normal((R, K)); g = np.empty((R, K)); g[:, 0] = e[:, 0]
        for k in range(1, K): g[:, k] = ar*g[:, k-1] + np.sqrt(1 - ar*ar)*e[:, k]
        base = base*np.exp(np.sqrt(s2)*g - s2/2)
    return rng.binomial(n, np.minimum(base, 1.0))

def first(hit): return np.where(hit.any(1), hit.argmax(1) + 1, 10**9)
LF, LP = np.log(1/ALPHA + 1), np.log(1/BETA + 1)
fire = lambda E: first(E >= LF)
share = lambda f, K: (f <= K).mean()
med = lambda f, K, off=0: '-' if np.median(f) > K else str(int(np.median(f)) - off)

def oracle(d0, d1, nt, nc):
    """intervals a fixed-horizon one-sided 1% test needs for 90% power when its critical value is known from A/A runs"""
    th = nt/(nt + nc)
    def z(x, y): X = x.cumsum(1); M = (x + y).cumsum(1); return (X - M*th)/np.sqrt(np.maximum(M*th*(1 - th), 1e-9))
    pw = (z(*d1) > np.quantile(z(*d0), .99, axis=0)).mean(0); return int(np.argmax(pw >= .9) + 1) if (pw >= .9).any() else None

def wilson_peek(x, y, nt, nc, c=.99):
    t = np.arange(1, x.shape[1] + 1); z = norm.ppf(.5 + c/2)
    def w(e, n, s): p = e/n; return (p + z*z/(2*n) + s*z*np.sqrt(p*(1 - p)/n + z*z/(4*n*n)))/(1 + z*z/n)
    return first(w(x.cumsum(1), nt*t, -1) > w(y.cumsum(1), nc*t, 1))

# ---------------------------------------------------------------- experiments
CELLS = [(p, w) for p in (1e-4, 1e-3, 1e-2) for w in (.01, .1, .5)]
def main_table(noise, R=300, K=480, seed=1):
    rng = np.random.default_rng(seed); cv = .5 if noise == 'bb' else 0.; N = 1500 if noise == 'low' else 30000; agg = {}
    print(f"## {noise}: {N} requests per interval over both arms, {K} intervals, R={R}, alpha={ALPHA}, r=1; FRR | x2 detected/median | x5 detected/median | oracle K90 x2, x5")
    for p, w in CELLS:
        n = int(round(N*w)); m = N - n; g = lambda a, q, k=K: arm(rng, a, min(q, 1), R, k, cv)
        h = history(g(n, p), g(m, p), n, m); d = {mu: (g(n, p*mu), g(m, p)) for mu in (1, 2, 5)}; o = {mu: oracle(d[1], d[mu], n, m) for mu in (2, 5)}
        for name, fn in (('wilson', lambda x, y: wilson_peek(x, y, n, m)), ('no history', lambda x, y: fire(evid(x, y, n, m))), ('history', lambda x, y: fire(evid(x, y, n, m, hist=h)))):
            f = {mu: fn(*d[mu]) for mu in d}; a = agg.setdefault(name, [[], [], []]); a[0].append(share(f[1], K)); a[1].append(np.mean([share(f[2], K), share(f[5], K)]))
            a[2] += [np.log(np.median(f[mu])/o[mu]) for mu in (2, 5) if o[mu] and np.median(f[mu]) <= K]
            print(f"{p:.0e} {w:4.2f} {name:10s} | {share(f[1], K):.4f} | {share(f[2], K):.3f}/{med(f[2], K):>3s} | {share(f[5], K):.3f}/{med(f[5], K):>3s} | {o[2]}, {o[5]}", flush=True)
    for k, a in agg.items(): print(f"SUMMARY {noise} {k:10s} FRR worst {max(a[0]):.4f} mean {np.mean(a[0]):.4f}; detected {np.mean(a[1]):.3f}; median delay / K90, geometric mean {np.exp(np.mean(a[2])):.2f} (n={len(a[2])})")

SC = [('iid', 1e-3, .1, {}), ('beta cv .5', 1e-2, .5, dict(cv=.5)), ('beta cv .5', 1e-2, .1, dict(cv=.5)), ('beta cv 1', 1e-2, .5, dict(cv=1.)), ('beta cv 1', 1e-3, .1, dict(cv=1.)),
      ('AR .8 cv .3', 1e-3, .1, dict(cv=.3, ar=.8)), ('AR .8 cv .3', 1e-3, .5, dict(cv=.3, ar=.8)), ('AR .95 cv .3', 1e-3, .1, dict(cv=.3, ar=.95)), ('AR .95 cv .3', 1e-3, .5, dict(cv=.3, ar=.95)), ('bursts', 1e-3, .1, dict(burst=True)), ('bursts', 1e-3, .5, dict(burst=True))]
def robust(R=400, K=240, seed=3):
    rng = np.random.default_rng(seed); print("## A/A false rollback, 240 intervals: wilson | no history | no history, r=1.25 | history 480 intervals | history 2880 intervals | history 2880, r=1.25")
    for name, p, w, kw in SC:
        n = int(30000*w); m = 30000 - n; g = lambda a, k: arm(rng, a, p, R, k, **kw); x, y = g(n, K), g(m, K); h = history(g(n, 480), g(m, 480), n, m); H = history(g(n, 2880), g(m, 2880), n, m)
        print(f"{name:13s} {p:.0e} {w} | " + " ".join(f"{share(f, K):.4f}" for f in (wilson_peek(x, y, n, m), fire(evid(x, y, n, m)), fire(evid(x, y, n, m, r=1.25)), fire(evid(x, y, n, m, hist=h)), fire(evid(x, y, n, m, hist=H)), fire(evid(x, y, n, m, r=1.25, hist=H)))), flush=True)

def late(R=80, K=240, seed=5):
    rng = np.random.default_rng(seed); t = np.arange(1, K + 1); print("## regression starts late: median extra intervals, no history | history 480")
    for p, w, cv in ((1e-3, .1, 0.), (1e-3, .1, .5), (1e-2, .5, 0.), (1e-2, .5, .5)):
        n = int(30000*w); m = 30000 - n; h = history(arm(rng, n, p, R, 480, cv), arm(rng, m, p, R, 480, cv), n, m)
        for on in (60, 120):
            for mu in (2, 3, 10):
                x = arm(rng, n, p, R, K, cv, mult=np.where(t > on, mu, 1.)); y = arm(rng, m, p, R, K, cv)
                print(f"{p:.0e} {w} cv {cv} onset {on} x{mu}: {med(fire(evid(x, y, n, m)), K, on)} | {med(fire(evid(x, y, n, m, hist=h)), K, on)}", flush=True)

def ramped(rng, R, p, cv, ar, mus, shares=(.01, .05, .25, .5), per=60, N=30000):
    n = np.repeat([int(N*w) for w in shares], per)
    return np.hstack([arm(rng, int(N*w), p*mu, R, per, cv, ar) for w, mu in zip(shares, mus)]), np.hstack([arm(rng, N - int(N*w), p, R, per, cv, ar) for w in shares]), n, N - n
def ramp(R=300, seed=7):
    rng = np.random.default_rng(seed); print("## ramp 1-5-25-50 %, 60 intervals each, A/A false rollback: no history | history taken at 1 % | history taken at 50 %; then x2 from the last stage on, median extra intervals")
    for p, cv, ar in ((1e-3, 0, 0), (1e-3, .5, 0), (1e-2, .5, 0), (1e-3, .3, .8)):
        g = lambda a, RR: arm(rng, a, p, RR, 480, cv, ar); o = []
        for RR, mus in ((R, (1, 1, 1, 1)), (60, (1, 1, 1, 2))):
            x, y, n, m = ramped(rng, RR, p, cv, ar, mus); h1 = history(g(300, RR), g(29700, RR), 300, 29700); h2 = history(g(15000, RR), g(15000, RR), 15000, 15000)
            f = [fire(evid(x, y, n, m)), fire(evid(x, y, n, m, hist=h1)), fire(evid(x, y, n, m, hist=h2))]; o.append(" ".join(f"{share(q, 240):.4f}" if RR == R else med(q, 240, 180) for q in f))
        print(f"p {p:.0e} cv {cv} ar {ar}: " + " || ".join(o), flush=True)

def hist_mismatch(R=400, K=240, seed=9):
    rng = np.random.default_rng(seed); print("## history quieter than the rollout: A/A false rollback")
    for p, w in ((1e-2, .5), (1e-2, .1), (1e-3, .1)):
        n = int(30000*w); m = 30000 - n
        for ch, c in ((.5, .5), (.3, .5), (0., .3), (.1, .5)):
            h = history(arm(rng, n, p, R, 480, ch), arm(rng, m, p, R, 480, ch), n, m); x, y = arm(rng, n, p, R, K, c), arm(rng, m, p, R, K, c)
            print(f"p {p:.0e} w {w} history cv {ch} rollout cv {c}: {share(fire(evid(x, y, n, m, hist=h)), K):.4f}", flush=True)

def high(R=300, K=120, seed=8):
    rng = np.random.default_rng(seed); print("## high traffic A/A: no history | history | true dispersion")
    for N, p, w, cv in ((300000, 1e-2, .5, .5), (3000000, 1e-3, .5, .5), (3000000, 1e-2, .5, .3), (3000000, 1e-2, .1, .5), (3000000, 1e-2, .5, 1.)):
        n = int(N*w); m = N - n; g = lambda a, k: arm(rng, a, p, R, k, cv); x, y = g(n, K), g(m, K); h = history(g(n, 480), g(m, 480), n, m)
        print(f"N {N:.0e} p {p:.0e} w {w} cv {cv}: {share(fire(evid(x, y, n, m)), K):.4f} | {share(fire(evid(x, y, n, m, hist=h)), K):.4f} | {np.median(h[1][0]):.0f}", flush=True)

def promote(R=500, K=480, seed=6):
    rng = np.random.default_rng(seed); t = np.arange(1, K + 1); print("## promote: median interval at true ratio 1 (no history iid, bb | history iid, bb) and share promoted when the true ratio equals the margin (same order)")
    for Rm in (1.25, 1.5, 2.0):
        for p, w in ((1e-4, .1), (1e-3, .01), (1e-3, .1), (1e-3, .5), (1e-2, .1)):
            n = int(30000*w); m = 30000 - n; a, b = [], []
            for hs in (False, True):
                for cv in (0., .5):
                    h = history(arm(rng, n, p, R, 480, cv), arm(rng, m, p, R, 480, cv), n, m) if hs else None
                    for mu, o in ((1., a), (Rm, b)):
                        f = first((comply(arm(rng, n, p*mu, R, K, cv), arm(rng, m, p, R, K, cv), n, m, Rm, hist=h) >= LP) & (t >= 8)); o.append(med(f, K) if mu == 1 else f"{share(f, K):.3f}")
            print(f"margin {Rm} p {p:.0e} w {w}: {' '.join(a)} ; {' '.join(b)}", flush=True)

def stage(R=500, seed=60):
    rng = np.random.default_rng(seed); print("## canary good in stage 1, x mu in stage 2 (60 intervals each), margin 2: share promoted in stage 2 with evidence since rollout start | since stage start")
    for p, w1, w2, cv in ((1e-3, .1, .25, 0.), (1e-3, .1, .5, .5), (1e-2, .05, .25, .5)):
        for mu in (1., 2., 3.):
            n = np.repeat([int(30000*w1), int(30000*w2)], 60); m = 30000 - n; x = np.hstack([arm(rng, n[0], p, R, 60, cv), arm(rng, n[-1], p*mu, R, 60, cv)]); y = np.hstack([arm(rng, m[0], p, R, 60, cv), arm(rng, m[-1], p, R, 60, cv)])
            q = [first(E >= LP) for E in (comply(x, y, n, m, 2.)[:, 67:], comply(x, y, n, m, 2., s0=60)[:, 7:])]; print(f"p {p:.0e} {w1}->{w2} cv {cv} x{mu}: " + " | ".join(f"{share(f, 53):.3f}" for f in q), flush=True)

def family(R=3000, seed=5):
    rng = np.random.default_rng(seed); K, M = 160, 20; n, m = 3000, 27000; p = 1e-3; G = R//M; print(f"## 20 checks, p=1e-3, 10 % share, {G} rollouts: P(rollback)/median, Wilson on any | weighted mean of E | one check alone at alpha")
    for cv in (0, .5):
        for mu in (1, 2, 5):
            x, y = arm(rng, n, p, R, K, cv), arm(rng, m, p, R, K, cv); h = history(arm(rng, n, p, R, 480, cv), arm(rng, m, p, R, 480, cv), n, m)
            if mu > 1: x[::M] = arm(rng, n, p*mu, G, K, cv)
            E = evid(x, y, n, m, hist=h).reshape(G, M, K); wl = wilson_peek(x, y, n, m).reshape(G, M).min(1); f = [wl, fire(vlse(E - np.log(M), 1)), fire(E[:, 0])]
            print(f"cv {cv} x{mu}: " + " | ".join(f"{share(q, K):.3f}/{med(q, K)}" for q in f), flush=True)

def crash(R=150, seed=44):
    rng = np.random.default_rng(seed); K = 100; t = np.arange(1, K + 1); print("## crash to 20 % errors (p=1e-3, beta cv .5), median extra intervals: no history | history")
    for w in (.01, .1, .5, .9):
        n = int(30000*w); m = 30000 - n; h = history(arm(rng, n, 1e-3, R, 480, .5), arm(rng, m, 1e-3, R, 480, .5), n, m)
        for on in (0, 60):
            x = arm(rng, n, 1e-3, R, K, .5, mult=np.where(t > on, 200, 1.)); y = arm(rng, m, 1e-3, R, K, .5); print(f"share {w} onset {on}: {med(fire(evid(x, y, n, m)), K, on)} | {med(fire(evid(x, y, n, m, hist=h)), K, on)}", flush=True)

def absolute(R=300, K=240, seed=12):
    rng = np.random.default_rng(seed); t = np.arange(1, K + 1); print("## absolute limit p0, no history: rollback share at p=p0 | x2, x5 median | promote share at p=p0 | median at p0/2, p0/10")
    for p0, n in ((1e-3, 300), (1e-3, 3000), (1e-3, 15000), (1e-2, 3000), (.2, 300)):
        for cv in (0., .5):
            g = lambda mu: arm(rng, n, min(p0*mu, 1), R, K, cv); F = lambda mu: first(evid_abs(g(mu), n, p0) >= LF); P = lambda mu: first((comply_abs(g(mu), n, p0) >= LP) & (t >= 8))
            print(f"p0 {p0} n {n} cv {cv}: {share(F(1), K):.4f} | {med(F(2), K)}, {med(F(min(5, .9/p0)), K)} | {share(P(1), K):.4f} | {med(P(.5), K)}, {med(P(.1), K)}", flush=True)

def gauge_log_e(d, B_plan, alpha=ALPHA):
    """d (R, B): block means of canary - limit; log evidence that the mean is above 0, after every block"""
    B = np.arange(1, d.shape[1] + 1); mu = d.cumsum(1)/B; v = ((d**2).cumsum(1) - B*mu*mu)/np.maximum(B - 1, 1); z = np.where(v > 0, np.sqrt(B)*mu/np.sqrt(np.maximum(v, 1e-300)), 0)
    rho2 = (-2*np.log(2*alpha) + np.log(-2*np.log(2*alpha) + 1))/max(B_plan/4, 5); c = B*rho2 + 1
    return np.where(B >= 4, tdef(.5*np.log(4/c) + z*z*B*rho2/(2*c) + norm.logcdf(z*np.sqrt(B*rho2/c)), np.maximum(B - 1, 1)), 0)
def gauge(R=2000, K=480, L=20, seed=8):
    rng = np.random.default_rng(seed); print("## gauges, AR(1) differences with sd 1, blocks of 20 intervals: false rollback | shift .5, 1, 2 sd detected/median interval")
    for phi in (0, .5, .9, .95):
        def gen(sh):
            e = rng.standard_normal((R, K)); g = np.empty((R, K)); g[:, 0] = e[:, 0]
            for k in range(1, K): g[:, k] = phi*g[:, k-1] + np.sqrt(1 - phi*phi)*e[:, k]
            return (g + sh)[:, :K//L*L].reshape(R, K//L, L).mean(2)
        f = [first(gauge_log_e(gen(sh), K//L) >= LF) for sh in (0, .5, 1, 2)]; print(f"phi {phi}: {share(f[0], K//L):.4f} | " + " ".join(f"{share(q, K//L):.3f}/{int(np.median(np.where(q < 10**9, q*L, 10**9)))}" for q in f[1:]), flush=True)

def plan(R=150, K=480, seed=13):
    rng = np.random.default_rng(seed); print("## planning formula against simulation (history): predicted | simulated median; violation x2 (r=1, 1.25) and compliance at ratio 1, margin 1.5, 2")
    for p, w in ((1e-4, .1), (1e-4, .5), (1e-3, .01), (1e-3, .1), (1e-2, .01), (1e-2, .5)):
        n = int(30000*w); m = 30000 - n
        for cv in (0., .5):
            g = lambda a, q, k=K: arm(rng, a, q, R, k, cv); h = history(g(n, p), g(m, p), n, m); D = max(1., float(np.median(h[1][0]))); o = []
            for r in (1., 1.25):
                G = growth_up(2/r, 2*n*p, m*p, n, m, r); a = 1 + looks(G, ALPHA, D, NEED_NU, NEED_MIX_FAIL); f = fire(evid(g(n, 2*p), g(m, p), n, m, r=r, hist=h)); o.append(f"{a:.0f}|{med(f, K)}")
            for Rm in (1.5, 2.):
                G = growth_down(Rm, n*p, m*p, n, m, Rm); a = max(8, looks(G, BETA, D, NEED_NU, NEED_MIX_PASS)); f = first((comply(g(n, p), g(m, p), n, m, Rm, hist=h) >= LP) & (np.arange(1, K + 1) >= 8)); o.append(f"{a:.0f}|{med(f, K)}")
            print(f"p {p:.0e} w {w} cv {cv} D {D:.1f}: " + "  ".join(o), flush=True)

def check():
    rng = np.random.default_rng(0); worst = 0
    for p, cv, shares in ((1e-3, .5, (.1, .1)), (1e-2, .5, (.01, .5)), (1e-4, 0., (.5, .25))):
        x, y, n, m = ramped(rng, 3, p, cv, 0, (1, 2), shares, 50); g = lambda a: arm(rng, a, p, 3, 240, cv); w = int(30000*shares[0]); hx, hy = g(w), g(30000 - w); H = history(hx, hy, w, 30000 - w)
        for kind, r, de in (('up', 1.25, 0.), ('down', .95, -.001)):
            for use in (False, True):
                V = evid(x, y, n, m, r, de, H if use else None, kind, k_max=120) if False else evid(x, y, n, m, r, de, H if use else None, kind)
                for i in range(3):
                    hi = None
                    if use:
                        z = Noise(BLH)
                        for a, b in zip(hx[i], hy[i]): z.push(float(a), w, float(b), 30000 - w)
                        hi = z.history()
                    e = Evidence(kind, r, de, k_max=100, hist=hi)
                    for k in range(100): e.push(float(x[i, k]), float(n[k]), float(y[i, k]), float(m[k]))
                    worst = max(worst, np.abs(np.array(e.path) - V[i]).max())
        P = comply(x, y, n, m, 2., s0=50)
        for i in range(3):
            nz = Noise(); rows = [(float(x[i, k]), float(n[k]), float(y[i, k]), float(m[k])) for k in range(100)]
            for k, q in enumerate(rows):
                nz.push(*q)
                if k >= 50: worst = max(worst, abs(compliance('down', 2., 0., rows[:k+1], nz, 50) - P[i, k-50]))
    x = arm(rng, 2000, 2e-3, 3, 60, .5); V = evid_abs(x, 2000, 1e-3); C = comply_abs(x, 2000, 4e-3)
    for i in range(3):
        e = Evidence('above', 1e-3, k_max=60); nz = Noise(); rows = [(float(v), 2000.) for v in x[i]]
        for k, q in enumerate(rows): e.push(*q); nz.push_abs(*q, 4e-3); worst = max(worst, abs(compliance('below', 4e-3, 0., rows[:k+1], nz, 0) - C[i, k]))
        worst = max(worst, np.abs(np.array(e.path) - V[i]).max())
    print("largest difference between the scalar and the vectorised form", worst)

if __name__ == "__main__":
    a = sys.argv; t0 = time.time(); R = {'R': int(a[-1])} if a[-1].isdigit() else {}
    F = dict(check=check, robust=robust, late=late, ramp=ramp, history=hist_mismatch, high=high, promote=promote, stage=stage, family=family, crash=crash,
             absolute=absolute, gauge=gauge, plan=plan)
    if a[1] == 'main': main_table(a[2], **R)
    else: F[a[1]](**R)
    print(f"# {a[1]} took {time.time() - t0:.0f} s")
