#!/usr/bin/env python3
"""Writes special.json: values of the special functions at 40 digits and more, rounded to doubles.

Needs mpmath only. The incomplete functions are summed from their power series with positive terms, which
is slow and shares nothing with the continued fractions under test. Arguments are doubles; x of the beta
function is a multiple of 2^-40, so that 1 - x is a double too.
usage: special.py [--check]   (two minutes with gmpy2)
"""
import json, os, sys
from mpmath import mp, mpf, erfc, erfinv, exp, findroot, gamma, log, log1p, loggamma, sqrt
mp.dps = 60
HERE = os.path.dirname(os.path.abspath(__file__))


def series(first, ratio):
    """Sum of terms, each `ratio(n)` times the one before it, until they do not matter."""
    total, term, n, small = mpf(0), mpf(first), 0, mpf(10)**-(mp.dps - 5)
    while True:
        total += term
        r = ratio(n)
        term *= r
        n += 1
        if term < total*small and r < 1:
            return total


def normal(x): return erfc(-mpf(x)/sqrt(2))/2


def ln_normal(x): return log1p(-normal(-x)) if x > 0 else log(normal(x))


def normal_quantile(p):
    p = mpf(p)
    x = mpf(2)**.5*erfinv(2*p - 1) if p > mpf(10)**-8 else -sqrt(-2*log(p))
    for _ in range(12):                                           # Newton on the logarithm
        x -= (log(normal(x)) - log(p))*normal(x)/(exp(-x*x/2)/sqrt(2*mp.pi))
    return x


def gamma_lower(a, x):
    a, x = mpf(a), mpf(x)
    return exp(a*log(x) - x - loggamma(a + 1))*series(1, lambda n: x/(a + n + 1))


def gamma_tails(a, x):
    low = gamma_lower(a, x); up = 1 - low
    if up < mpf(10)**-20:                                         # from the other end, by the fraction
        a, x = mpf(a), mpf(x); f = mpf(0)
        for n in range(20000, 0, -1): f = n*(n - a)/(x + 2*n + 1 - a - f)
        up = exp(a*log(x) - x - loggamma(a))/(x + 1 - a - f)
    return low, up


def beta_lower(a, b, x):
    a, b, x = mpf(a), mpf(b), mpf(x)
    return exp(a*log(x) + b*log(1 - x) + loggamma(a + b) - loggamma(a + 1) - loggamma(b))*series(1, lambda n: x*(a + b + n)/(a + 1 + n))


def beta_tails(a, b, x):
    """The series in the smaller of x and 1 - x is the short one; 60 digits are left for the complement."""
    x, old = mpf(x), mp.dps; mp.dps = 120
    try:
        low = beta_lower(a, b, x) if x < .5 else 1 - beta_lower(b, a, 1 - x)
        return low, 1 - low
    finally: mp.dps = old


def student_upper(t, n):
    t, n = mpf(t), mpf(n); x = n/(n + t*t)
    if x < mpf(1)/2: return beta_lower(n/2, mpf(1)/2, x)/2
    old = mp.dps; mp.dps = 120
    try: return (1 - beta_lower(mpf(1)/2, n/2, t*t/(n + t*t)))/2 if t else mpf(1)/2
    finally: mp.dps = old


def solve(function, target, start):
    """Root of ln function(e^s) = ln target: the secant method, from two starts."""
    s = findroot(lambda s: log(function(exp(s))) - log(mpf(target)), (log(mpf(start)), log(mpf(start)) + mpf(10)**-3), solver='secant', tol=mpf(10)**-70, maxsteps=30, verify=False)
    return exp(s)


def f(value): return float(value)


def build():
    V = {}
    xs = [0., 1e-300, 1e-9, .1, .5, 1., 1.2815515655446004, 1.959963984540054, 2.5758293035489004, 3.3, 5., 8., 10., 14.5, 20., 25.3, 30., 34.9, 35., 35.1, 37.]
    V["normal"] = [{"x": x, "lower": f(normal(x)), "upper": f(normal(-x)), "ln_lower": f(ln_normal(x))} for a in xs for x in ((-a, a) if a else (a,))]
    V["ln_normal_cdf_far"] = [{"x": x, "ln_lower": f(log(normal(x)))} for x in (-38., -40., -100., -1e4, -1e8)]
    V["normal_quantile"] = [{"probability": p, "quantile": f(normal_quantile(p))} for p in (1e-300, 1e-100, 1e-20, 1e-10, 1e-5, .0005, .005, .01, .025, .05, .1, .25, .4, .499, .501, .6, .75, .9, .975, .995, .9995)]
    V["ln_gamma"] = [{"x": x, "value": f(loggamma(mpf(x)))} for x in (1e-300, 1e-10, .1, .5, .9, .999999, 1.000001, 1.5, 1.999, 2.001, 2.5, 3., 10., 100.5, 1e5, 1e10, 1e100)]
    G = []
    for a in (.01, .1, .5, 1., 1.5, 3., 10., 12.5, 100., 999.5, 1e4, 99999., 1e5, 1e6, 1e7):
        sd = a**.5
        for k in (-8, -4, -2, -1, -.3, 0, .3, 1, 2, 4, 8):
            x = a + k*sd
            if x > 0: low, up = gamma_tails(a, x); G.append({"shape": a, "x": x, "lower": f(low), "upper": f(up)})
    for a, x in ((.5, 1e-300), (.5, 1e-10), (1., 700.), (5., 1e-3), (5., 100.), (2e5, 1.95e5), (2e5, 2.05e5), (2e5, 1.9599e5), (2e5, 2.0401e5), (1e6, 9.8e5), (1e6, 1.02e6)):
        low, up = gamma_tails(a, x); G.append({"shape": a, "x": x, "lower": f(low), "upper": f(up)})
    V["regularized_gamma"] = G
    Q = []
    for a in (.5, 1., 1.5, 2., 10., 11., 100.5, 5000., 2e5, 1e6):
        for p in (1e-12, .0005, .005, .025, .1, .4):
            guess = max(a*(1 - 1/(9*a) + float(normal_quantile(p))/(3*a**.5))**3, (p*float(gamma(a + 1)))**(1/a) if a < 20 else 0)
            Q.append({"probability": p, "tail": "lower", "shape": a, "quantile": f(solve(lambda x: gamma_lower(a, x), p, guess))})
            guess = a*(1 - 1/(9*a) - float(normal_quantile(p))/(3*a**.5))**3
            Q.append({"probability": p, "tail": "upper", "shape": a, "quantile": f(solve(lambda x: 1 - gamma_lower(a, x), p, guess))})
    V["gamma_quantile"] = Q
    B = []
    for a, b in ((.1, .1), (.1, 5.), (.5, .5), (1., 1.), (1., 9.), (2., 3.), (.5, 40.), (11., 991.), (10., 1e6), (100., 100.), (1e3, 1e3), (1e3, 1e6), (123.5, 45678.25), (1e5, 1e5), (5e5, .5), (1e6, 1e6), (1e7, 1e7)):
        mean = a/(a + b); sd = (mean*(1 - mean)/(a + b + 1))**.5
        for k in (-6, -3, -1, -.2, 0, .2, 1, 3, 6):
            x = round((mean + k*sd)*2**40)/2**40
            if 0 < x < 1: low, up = beta_tails(a, b, x); B.append({"a": a, "b": b, "x": x, "lower": f(low), "upper": f(up)})
    V["regularized_beta"] = B
    T = []; U = []
    for n in (1., 2., 3., 4.5, 10., 29., 100., 1e3, 1e5, 1e6, 1e7, 1e8):
        for t in (0., 1e-8, .1, .7, 1., 1.3, 1.96, 2.5, 4., 8., 30.):
            if t < 8 or n < 200: up = student_upper(t, n); T.append({"t": t, "degrees_of_freedom": n, "lower": f(1 - up), "upper": f(up)})
        for p in (1e-10, .0005, .005, .025, .1, .2499, .2501, .4, .499):
            guess = abs(float(normal_quantile(p))) if n > 20 else float(abs(normal_quantile(p)))*(1 + 2/n)
            if n < 20 and p < .01: guess = float((p*n**.5*2)**(-1/n))*n**.5
            U.append({"upper_probability": p, "degrees_of_freedom": n, "quantile": f(solve(lambda t: student_upper(t, n), p, guess))})
    V["student_t"] = T; V["student_t_quantile"] = U
    # As text, which Rust parses to the nearest double; serde_json's own numbers may be an ulp off.
    rows = lambda group: ",\n".join(json.dumps({k: repr(v) if isinstance(v, float) else v for k, v in row.items()}) for row in group)
    return "{\n" + ",\n".join(f'"{name}": [\n{rows(group)}\n]' for name, group in V.items()) + "\n}\n"


if __name__ == "__main__":
    path, text = os.path.join(HERE, "special.json"), build()
    if sys.argv[1:] == ["--check"]: sys.exit(0 if open(path).read() == text else "special.json is not what special.py writes")
    open(path, "w").write(text)
