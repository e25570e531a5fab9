#!/usr/bin/env python3
"""Generates vectors.json: reference values for the unit tests of the statistics, one group for each function.
Needs numpy and scipy; statsmodels is used for two cross-checks when it is installed. The group confseq_frozen holds values
computed once with the reference C++ of the confidence-sequence paper; it is carried over from the vectors.json beside this file."""
import json, math, os, itertools
from decimal import Decimal, getcontext
import numpy as np, scipy.optimize
from scipy import stats
from scipy.special import gammaln
import reference as sim
from reference import lse, up, down, above, below, deflate, Noise, Evidence, compliance, RHO, RHO_ABS, A_ABS
getcontext().prec = 60
HERE = os.path.dirname(os.path.abspath(__file__)); OLD = {}
if os.path.exists(os.path.join(HERE, 'vectors.json')): OLD = json.load(open(os.path.join(HERE, 'vectors.json')))
try: from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
except ImportError: confint_proportions_2indep = None
rng = np.random.default_rng(12); V = {"_about": "Reference values for the statistical core."}

# ---- Wilson (60-digit decimal arithmetic)
def wil(x, n, c):
    z = float(stats.norm.ppf(1 - (1 - c)/2)); X, N, Z = Decimal(int(x)), Decimal(int(n)), Decimal(repr(z)); p = X/N; d = 1 + Z*Z/N; ctr = (p + Z*Z/(2*N))/d; h = Z*(p*(1 - p)/N + Z*Z/(4*N*N)).sqrt()/d
    return (0.0 if x == 0 else float(ctr - h)), (1.0 if x == n else float(ctr + h)), z
cases = set()
for c in (.8, .9, .95, .99, .999):
    for x, n in ((0,1),(1,1),(0,2),(1,2),(2,2),(0,10),(1,10),(5,10),(10,10),(0,1000),(1,1000),(1000,1000),(999,1000),(0,10**6),(1,10**6),(10**6,10**6),(100,10**6),(0,10**12),(1,10**12),(10**6,10**12),(5*10**11,10**12),(10**12-1,10**12),(10**12,10**12),(3,29),(50,100),(123,45678)): cases.add((x, n, c))
for _ in range(120):
    n = int(10**rng.uniform(0, 9)); x = int(min(n, rng.binomial(n, 10**rng.uniform(-5, 0)))); cases.add((x, n, float(rng.choice([.9, .95, .99, .999]))))
V["wilson"] = []
for x, n, c in sorted(cases, key=lambda t: (t[2], t[1], t[0])):
    lo, hi, z = wil(x, n, c); V["wilson"].append({"errors": x, "n": n, "confidence": c, "z": z, "lo": lo, "hi": hi})
    if confint_proportions_2indep: a, b = proportion_confint(x, n, alpha=1 - c, method="wilson"); assert abs(a - lo) < 1e-13 and abs(b - hi) < 1e-13
V["wilson_overlap"] = []
for xc, nc, xt, nt in ((100,100000,10,1000),(100,100000,1,1000),(99,99000,1,1000),(99,99000,4,1000),(99,99000,5,1000),(99,99000,6,1000),(99,99000,7,1000),(0,100,1,1),(0,10**6,0,10**4),(500,10**5,300,10**5),(500,10**5,430,10**5),(500,10**5,600,10**5),(1000,10**6,20,10**4),(1000,10**6,22,10**4),(10,10,10,10),(0,1,1,1),(10**6,10**12,10**6+5000,10**12),(10**6,10**12,10**6+6000,10**12)):
    for c in (.95, .99):
        a, b = wil(xc, nc, c)[:2], wil(xt, nt, c)[:2]; V["wilson_overlap"].append({"control_errors": xc, "control_n": nc, "canary_errors": xt, "canary_n": nt, "confidence": c, "control_ci": a, "canary_ci": b, "verdict": "REGRESSION" if b[0] > a[1] else ("IMPROVEMENT" if b[1] < a[0] else "NEUTRAL")})
V["newcombe_hybrid_score_difference"] = []
for x1, n1, x2, n2 in [(56,70,48,80),(9,10,3,10),(6,7,2,7),(5,56,0,29),(0,10,0,20),(0,10,0,10),(10,10,0,20),(10,10,0,10),(10,1000,99,99000),(1,100,99,9900),(0,300,3,29700),(25,30000,2970,2970000),(1,1,0,1),(500,1000,500,1000)]:
    for c in (.9, .95, .99):
        p1, p2 = x1/n1, x2/n2; (l1, u1), (l2, u2) = wil(x1, n1, c)[:2], wil(x2, n2, c)[:2]; d = p1 - p2; lo = d - math.sqrt((p1 - l1)**2 + (u2 - p2)**2); hi = d + math.sqrt((u1 - p1)**2 + (p2 - l2)**2)
        if confint_proportions_2indep: a, b = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff", alpha=1 - c); assert abs(a - lo) < 1e-12 and abs(b - hi) < 1e-12
        V["newcombe_hybrid_score_difference"].append({"x1": x1, "n1": n1, "x2": x2, "n2": n2, "confidence": c, "diff": d, "lo": lo, "hi": hi})

# ---- Mann-Whitney
def wdiff(mu, q, x, y):
    x = np.asarray(x, float); y = np.asarray(y, float); m, n = len(x), len(y); r = stats.rankdata(np.concatenate([x - mu, y])); t = np.unique(r, return_counts=True)[1].astype(float)
    dz = r[:m].sum() - m*(m + 1)/2 - m*n/2; s = math.sqrt(m*n/12*((m + n + 1) - (t**3 - t).sum()/((m + n)*(m + n - 1)))); return (dz - np.sign(dz)*.5)/s - q
def kay(x, y, conf):
    z = stats.norm.ppf((1 - conf)/2); a, b = min(x) - max(y), max(x) - min(y)
    def root(q):
        if wdiff(a, q, x, y) <= 0: return a
        if wdiff(b, q, x, y) >= 0: return b
        return scipy.optimize.brentq(lambda m: wdiff(m, q, x, y), a, b, xtol=1e-4)
    return [float(root(-z)), float(root(z))], float(scipy.optimize.brentq(lambda m: wdiff(m, 0, x, y), a, b, xtol=1e-4))
mw = OLD.get("mannwhitney", []); V["mannwhitney"] = []
sets = [(q["x"], q["y"]) for q in mw] or [([10,20,30,40],[1,2,3,4]), ([100.]*7 + [1.]*3, [1.]*10), ([100.]*8 + [1.]*2, [1.]*10), ([0,1,2,1,0,0],[0]*6), ([1,2,3,4,5],[6,7,8,9,10]), ([1,2,2,3,3,3],[2,3,3,4,4,5])]
for x, y in sets:
    x, y = [float(v) for v in x], [float(v) for v in y]; r = {"x": x, "y": y}
    for alt in ("two-sided", "greater", "less"):
        for cc in (True, False): q = stats.mannwhitneyu(x, y, alternative=alt, method="asymptotic", use_continuity=cc); r[f"asymptotic_{alt}_{'cc' if cc else 'nocc'}"] = {"U1": float(q.statistic), "p": float(q.pvalue)}
    if len(set(x + y)) == len(x + y) and len(x) <= 10:
        for alt in ("two-sided", "greater", "less"): r["exact_" + alt] = float(stats.mannwhitneyu(x, y, alternative=alt, method="exact").pvalue)
    d = np.subtract.outer(x, y).ravel(); r["hodges_lehmann_median_of_x_minus_y"] = float(np.median(d)); r["cles_p_x_gt_y_plus_half_ties"] = float((d > 0).mean() + .5*(d == 0).mean()); k = {}
    for conf in (.95, .98):
        try: ci, est = kay(x, y, conf); k[str(conf)] = {"ci": ci, "estimate": est, "xtol": 1e-4}
        except Exception as e: k[str(conf)] = {"error": "no root"}
    r["kayenta_style_root"] = k
    if "ci" in k["0.98"]:
        lo, hi = k["0.98"]["ci"]; b = .25*abs(k["0.98"]["estimate"]); mr = np.mean(x)/np.mean(y) if np.mean(x) and np.mean(y) else float("nan")
        r["kayenta_default_classification_direction_either"] = "High" if lo > b and (math.isnan(mr) or mr >= 1) else ("Low" if hi < -b and (math.isnan(mr) or mr <= 1) else "Pass")
    V["mannwhitney"].append(r)

# ---- increments, simple mixture
V["increments"] = []
for x, n, y, m, r, de in ((3,1000,27,9000,1.,0.),(0,1000,0,9000,1.,0.),(0,1000,27,9000,1.25,0.),(5,1000,0,9000,1.,0.),(12,300,27,29700,1.25,.001),(9000,300000,9100,300000,1.05,0.),(9000,300000,9100,300000,.95,-.001),(2.5,10.25,1.5,88.5,1.,0.),(40,100,35,100,.9,0.)):
    for h in (1.1, 2., 30.): V["increments"].append({"x": x, "n": n, "y": y, "m": m, "r": r, "delta": de, "rho": h, "up": up(x, n, y, m, r, de, h), "down": down(x, n, y, m, r, de, h)})
V["increments_absolute"] = []
for x, n, p0 in ((0,1000,.001),(5,1000,.001),(30,10000,.001),(700,1000,.7),(160,10000,.01),(3,12.5,.1)):
    for po in (False, True): V["increments_absolute"].append({"x": x, "n": n, "limit": p0, "poisson": po, "above_rho_1.1_1.25_1.5_2_3_5": [above(x, n, p0, h, po) for h in RHO_ABS], "below_a_.1_.25_.5_.75_.9": [below(x, n, p0, a, po) for a in A_ABS]})
V["mixture_from_rollout_start_D_1"] = []
for name, seq, r, de in [("one interval",[(3,27,1000,9000)],1.,0.),("zero errors",[(0,0,1000,9000)],1.,0.),("zero canary errors",[(0,27,1000,9000)],1.,0.),("only canary errors",[(5,0,1000,9000)],1.,0.),("ratio margin",[(6,27,1000,9000),(5,30,1000,9000)],1.25,0.),("abs margin",[(6,27,1000,9000),(5,30,1000,9000)],1.,.001),("ramp 1-10-50%",[(1,10,100,9900),(2,8,100,9900),(20,85,1000,9000),(100,52,5000,5000)],1.,0.),("99:1",[(2,101,300,29700)]*6,1.,0.),("large",[(300,1350,50000,450000)]*10,1.5,.0002)]:
    tot = [0.]*len(RHO); path = []
    for a in seq: tot = [t + up(a[0], a[2], a[1], a[3], r, de, h) for t, h in zip(tot, RHO)]; path.append(lse([t - math.log(len(RHO)) for t in tot]))
    if de == 0:                                    # independent check: conditional binomial likelihood ratio at rho = 2
        c = sum(stats.binom.logpmf(xt, xt + xc, 2*r*nt/(2*r*nt + nc)) - stats.binom.logpmf(xt, xt + xc, r*nt/(r*nt + nc)) for xt, xc, nt, nc in seq); assert abs(c - tot[3]) < 1e-6*max(1, abs(c))
    V["mixture_from_rollout_start_D_1"].append({"name": name, "intervals_x_y_n_m": seq, "r": r, "delta": de, "log_e_per_rho": tot, "log_e_path": path})
# ---- exact validity by enumeration (must be <= 1)
V["validity_expectations"] = []
for n, m, pc, r, de in ((5,20,.3,1.,0.),(5,20,.3,1.5,0.),(10,10,.5,1.2,0.),(30,70,.05,1.,.02),(30,70,.05,2.,.05),(50,50,.01,1.,0.),(3,97,.2,3.,.1),(40,40,.5,.95,-.02)):
    pt = min(1, r*pc + de); P = np.outer(stats.binom.pmf(np.arange(n + 1), n, pt), stats.binom.pmf(np.arange(m + 1), m, pc)); E = lambda f, h: float(sum(P[x, y]*math.exp(f(x, n, y, m, r, de, h)) for x in range(n + 1) for y in range(m + 1)))
    a, b = {str(h): E(up, h) for h in (1.1, 2, 10)}, {str(h): E(down, h) for h in (1.1, 2, 10)}; assert max(list(a.values()) + list(b.values())) <= 1 + 1e-12
    V["validity_expectations"].append({"n": n, "m": m, "p_control": pc, "r": r, "delta": de, "p_canary": pt, "E_up_by_rho": a, "E_down_by_rho": b})
V["deflate"] = [{"log_e": L, "nu": nu, "deflated": deflate(L, nu)} for L in (-2., 0., .5, 5., 20., 400.) for nu in (.5, 3., 10., 33., 500.)]

# ---- noise, history, evidence paths
def series(name, kind, K, seed):
    g = np.random.default_rng(seed); rows = []
    for k in range(K):
        w = {"ramp": (.01, .1, .5)[min(k//20, 2)]}.get(name, .1); n = float(g.poisson(3000*w*2)); m = float(g.poisson(3000*2*(1 - w))); p = .004; q = p
        if name in ("noisy", "ramp"): p, q = p*g.gamma(4, .25), q*g.gamma(4, .25)
        if name == "late": q = p*(3. if k >= 30 else 1.)
        if name == "worse": q = 2*p
        if name == "better": q = p/3
        if name == "gaps" and k in (3, 4, 17): n, q = 0., 0.
        if name == "gaps" and k == 9: m = 0.
        if name == "fraction": n, m = n/7, m/7; rows.append((float(g.poisson(n*q)), n, float(g.poisson(m*p)), m)); continue
        rows.append((float(g.binomial(int(n), min(q, 1))), n, float(g.binomial(int(m), p)), m))
    return rows
def hist_of(cv, seed, K=240):
    g = np.random.default_rng(seed); z = Noise(sim.BLH); rows = []
    for k in range(K):
        n, m = float(g.poisson(600)), float(g.poisson(5400)); f = (g.gamma(1/cv**2, cv**2), g.gamma(1/cv**2, cv**2)) if cv else (1., 1.); q = (float(g.poisson(n*.004*f[0])), n, float(g.poisson(m*.004*f[1])), m); z.push(*q); rows.append(q)
    return z.history(), rows
H, hrows = hist_of(.5, 77); js = lambda h: None if h is None else {"h": h["h"], "by_block_length": {str(L): {"D": h[L][0], "nu": h[L][1]} for L in h if L != "h"}}
V["history"] = [{"intervals_x_n_y_m": hrows, "block_lengths": sim.BLH, "result": js(H)}]
V["noise"] = []
for name, seed in (("plain", 1), ("noisy", 2), ("ramp", 3), ("late", 4), ("gaps", 5), ("fraction", 6)):
    rows = series(name, "up", 60, seed)
    for h in (None, H):
        z = Noise(sim.BLH if h else sim.BLOCKS); out = []
        for k, q in enumerate(rows):
            z.push(*q)
            if k + 1 in (1, 2, 7, 20, 33, 45, 60):
                for st in (0, 8, 32, 40):
                    if st <= k: D, nu = z.dispersion(st, h); out.append({"k": k + 1, "start": st, "D": D, "nu": nu})
        V["noise"].append({"name": name, "intervals_x_n_y_m": rows, "history": js(h), "dispersion": out})
V["evidence"] = []
for name, kind, r, de, hist, seed in (("plain","up",1.25,0.,None,11),("plain","up",1.,0.,H,11),("worse","up",1.,0.,None,12),("worse","up",1.25,.0005,H,12),("noisy","up",1.,0.,None,13),("noisy","up",1.,0.,H,13),("ramp","up",1.,0.,None,14),("late","up",1.25,0.,None,15),("late","up",1.25,0.,H,15),("gaps","up",1.,0.,None,16),("fraction","up",1.,0.,None,17),("better","down",.95,-.0002,None,18),("better","down",.95,0.,H,18)):
    e = Evidence(kind, r, de, k_max=80, hist=hist); rows = series(name, kind, 60, seed)
    for q in rows: e.push(*q)
    V["evidence"].append({"name": name, "kind": kind, "r": r, "delta": de, "k_max": 80, "history": js(hist), "intervals_x_n_y_m": rows, "log_e_path": e.path, "first_crossing_alpha_0.01": next((k + 1 for k, v in enumerate(e.path) if v >= math.log(101)), None)})
V["evidence_absolute"] = []
for kind, p0, q, po in (("above", .004, .012, False), ("above", .004, .004, False), ("below", .2, .1, False), ("above", .05, .2, True)):
    g = np.random.default_rng(21); rows = []; e = Evidence(kind, p0, k_max=80, poisson=po)
    for k in range(40): n = float(g.poisson(500)); rows.append((float(g.poisson(n*q) if po else g.binomial(int(n), q)), n))
    for a in rows: e.push(*a)
    V["evidence_absolute"].append({"kind": kind, "limit": p0, "poisson": po, "k_max": 80, "intervals_x_n": rows, "log_e_path": e.path})
V["compliance"] = []
for name, kind, R, de, hist, st, seed in (("plain","down",1.5,0.,None,0,31),("plain","down",2.,0.,H,0,31),("plain","down",1.,.002,None,0,31),("ramp","down",2.,0.,None,40,32),("better","down",1.25,0.,None,20,33),("plain","up",.9,0.,None,0,34),("gaps","down",2.,0.,None,0,35)):
    rows = series(name, kind, 60, seed); z = Noise(sim.BLH if hist else sim.BLOCKS); path = []
    for k, q in enumerate(rows):
        z.push(*q)
        if k >= st: path.append(compliance(kind, R, de, rows[:k+1], z, st, hist))
    V["compliance"].append({"name": name, "kind": kind, "R": R, "delta": de, "stage_start": st, "history": js(hist), "intervals_x_n_y_m": rows, "log_e_path_from_stage_start": path})
g = np.random.default_rng(41); rows = [(float(g.binomial(500, .002)), 500.) for _ in range(40)]; z = Noise(); path = []
for k, q in enumerate(rows): z.push_abs(*q, .005); path.append(compliance("below", .005, 0., rows[:k+1], z, 0))
V["compliance_absolute"] = [{"kind": "below", "limit": .005, "intervals_x_n": rows, "log_e_path": path}]

# ---- gauges, multiplicity, planning
d = np.random.default_rng(51).normal(.6, 1, (1, 20)); V["gauge"] = [{"block_means": d[0].tolist(), "planned_blocks": 24, "alpha": .01, "log_e_path": sim.gauge_log_e(d, 24)[0].tolist()}]
def eholm(e):
    out = []
    for i in range(len(e)):
        o = sorted(v for j, v in enumerate(e) if j != i); t = best = e[i]
        for k, v in enumerate(o): t += v; best = min(best, t/(k + 2))
        out.append(best)
    return out
def ebh(e, a):
    o = np.argsort(-np.array(e), kind="stable"); M = len(e); k = max([i + 1 for i in range(M) if (i + 1)*e[o[i]]/M >= 1/a], default=0); return sorted(int(i) for i in o[:k])
V["multiplicity"] = [{"e": e, "alpha": a, "mean": sum(e)/len(e), "e_holm_adjusted": eholm(e), "rejected_e_bh": ebh(e, a)} for e, a in (([100,1,1,1],.05),([80,1,1,1],.05),([45,42,1,1],.05),([40,39,1,1],.05),([60,60,0],.025),([1000,500,30,.5,.1],.01),([20]*5,.05),([19.9]*5,.05),([0,0,0],.05))]
V["planning"] = []
for p, N, w, r, R, lam, D in ((1e-3,3000,.1,1.25,1.5,2.,1.),(1e-3,30000,.01,1.,2.,2.,1.),(1e-2,30000,.5,1.,1.5,2.,38.),(1e-4,30000,.1,1.25,2.,5.,1.3)):
    n, m = N*w, N*(1 - w); gf = sim.growth_up(lam/r, lam*n*p, m*p, n, m, r); gp = sim.growth_down(R, n*p, m*p, n, m, R)
    V["planning"].append({"base_rate": p, "n": n, "m": m, "r": r, "R": R, "true_ratio": lam, "D": D, "growth_violation": gf, "intervals_to_rollback": 1 + sim.looks(gf, .01, D, sim.NEED_NU, sim.NEED_MIX_FAIL), "growth_compliance": gp, "intervals_to_promote": max(8., sim.looks(gp, .05, D, sim.NEED_NU, sim.NEED_MIX_PASS))})
V["asymptotic_cs"] = []
for n, N, al, s2 in itertools.product((10, 480, 5000, 10**6), (100, 5000), (.05, .01), (1., 2.5)):
    r1 = (-2*math.log(2*al) + math.log(-2*math.log(2*al) + 1))/N; V["asymptotic_cs"].append({"n": n, "n_opt": N, "alpha": al, "variance": s2, "one_sided_margin": math.sqrt(s2)*math.sqrt(2*(n*r1 + 1)/(n*n*r1)*math.log(1 + math.sqrt(n*r1 + 1)/(2*al)))})
V["dirichlet_multinomial"] = []
for x, th, k in (([10,90],[.1,.9],100),([20,80],[.1,.9],100),([0,5],[.01,.99],100),([3,97],[.01,.99],100),([500,480],[.5,.5],100),([30,20,50],[.2,.2,.6],100)):
    x, th = np.array(x, float), np.array(th); a = k*th; lb = lambda v: gammaln(v).sum() - gammaln(v.sum()); V["dirichlet_multinomial"].append({"counts": x.tolist(), "theta0": th.tolist(), "k": k, "log_odds": float(lb(a + x) - lb(a) - (x*np.log(th)).sum())})
V["confseq_frozen"] = OLD.get("confseq_frozen") or OLD.get("confseq") or []
class Enc(json.JSONEncoder):
    def default(s, o): return float(o) if isinstance(o, np.floating) else int(o) if isinstance(o, np.integer) else super().default(o)
json.dump(V, open(os.path.join(HERE, "vectors.json"), "w"), indent=0, cls=Enc); print({k: len(v) for k, v in V.items() if isinstance(v, list)})
