//! The special functions against tables of mpmath values (`data/special.py`), and their identities.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stand outside of test functions"
)]
#![expect(clippy::float_cmp, reason = "ends and mirror images are exact")]

use serde_json::Value;
use serinus_analysis::special::{
    SpecialError, Tail, Tails, chi_square_quantile, gamma_quantile, ln_gamma, ln_normal_cdf,
    normal_quantile, normal_tails, regularized_beta, regularized_gamma, student_t_quantile,
    student_t_tails,
};

/// A group of the table, which must have as many rows as said.
fn table(name: &str, expected_count: usize) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("data/special.json")).unwrap();
    let rows = all[name].as_array().unwrap().clone();
    assert_eq!(rows.len(), expected_count, "number of rows in {name}");
    rows
}

/// A number, kept as text so that it is read to the nearest double.
fn number(row: &Value, key: &str) -> f64 {
    row[key]
        .as_str()
        .unwrap_or_else(|| panic!("no number {key} in {row}"))
        .parse()
        .unwrap()
}

/// The largest relative error so far, with its row.
#[derive(Default)]
struct Worst {
    error: f64,
    row: String,
}

impl Worst {
    fn compare(&mut self, actual: f64, expected: f64, row: &Value) {
        // Below that a double has fewer digits.
        let error = (actual - expected).abs() / expected.abs().max(1e-290);
        assert!(!error.is_nan(), "{actual} in {row}");
        if error > self.error {
            self.error = error;
            self.row = format!("{actual:e} for {expected:e} in {row}");
        }
    }

    fn assert_within(&self, tolerance: f64) {
        assert!(self.error <= tolerance, "{:e}: {}", self.error, self.row);
    }
}

#[test]
fn normal_tails_are_those_of_mpmath() {
    let mut worst = Worst::default();
    let mut worst_logarithm = Worst::default();
    for row in table("normal", 41) {
        let x = number(&row, "x");
        let tails = normal_tails(x).unwrap();
        worst.compare(tails.lower, number(&row, "lower"), &row);
        worst.compare(tails.upper, number(&row, "upper"), &row);
        worst_logarithm.compare(ln_normal_cdf(x).unwrap(), number(&row, "ln_lower"), &row);
    }
    for row in table("ln_normal_cdf_far", 5) {
        let value = ln_normal_cdf(number(&row, "x")).unwrap();
        worst_logarithm.compare(value, number(&row, "ln_lower"), &row);
    }
    worst.assert_within(1e-15);
    worst_logarithm.assert_within(1e-15);
}

#[test]
fn normal_quantiles_are_those_of_mpmath() {
    let mut worst = Worst::default();
    for row in table("normal_quantile", 21) {
        let (probability, expected) = (number(&row, "probability"), number(&row, "quantile"));
        worst.compare(
            normal_quantile(probability, Tail::Lower).unwrap(),
            expected,
            &row,
        );
        worst.compare(
            normal_quantile(probability, Tail::Upper).unwrap(),
            -expected,
            &row,
        );
    }
    worst.assert_within(1e-15);
}

#[test]
fn ln_gamma_is_that_of_mpmath() {
    let mut worst = Worst::default();
    for row in table("ln_gamma", 17) {
        worst.compare(
            ln_gamma(number(&row, "x")).unwrap(),
            number(&row, "value"),
            &row,
        );
    }
    worst.assert_within(1e-15);
}

#[test]
fn regularized_gamma_is_that_of_mpmath() {
    let mut worst = Worst::default();
    for row in table("regularized_gamma", 149) {
        let tails = regularized_gamma(number(&row, "shape"), number(&row, "x")).unwrap();
        worst.compare(tails.lower, number(&row, "lower"), &row);
        worst.compare(tails.upper, number(&row, "upper"), &row);
    }
    worst.assert_within(1e-13);
}

#[test]
fn gamma_quantiles_are_those_of_mpmath() {
    let mut worst = Worst::default();
    for row in table("gamma_quantile", 120) {
        let tail = if row["tail"] == "lower" {
            Tail::Lower
        } else {
            Tail::Upper
        };
        let (probability, shape) = (number(&row, "probability"), number(&row, "shape"));
        let quantile = gamma_quantile(probability, tail, shape).unwrap();
        worst.compare(quantile, number(&row, "quantile"), &row);
        let chi_square = chi_square_quantile(probability, tail, 2.0 * shape).unwrap();
        worst.compare(chi_square, 2.0 * number(&row, "quantile"), &row);
    }
    worst.assert_within(1e-14);
}

#[test]
fn regularized_beta_is_that_of_mpmath() {
    let mut worst = Worst::default();
    for row in table("regularized_beta", 124) {
        let (a, b, x) = (number(&row, "a"), number(&row, "b"), number(&row, "x"));
        let tails = regularized_beta(a, b, x, 1.0 - x).unwrap();
        worst.compare(tails.lower, number(&row, "lower"), &row);
        worst.compare(tails.upper, number(&row, "upper"), &row);
    }
    worst.assert_within(2e-13);
}

#[test]
fn student_t_is_that_of_mpmath() {
    let mut worst = Worst::default();
    for row in table("student_t", 122) {
        let (t, degrees_of_freedom) = (number(&row, "t"), number(&row, "degrees_of_freedom"));
        let tails = student_t_tails(t, degrees_of_freedom).unwrap();
        worst.compare(tails.lower, number(&row, "lower"), &row);
        worst.compare(tails.upper, number(&row, "upper"), &row);
        assert_eq!(
            student_t_tails(-t, degrees_of_freedom).unwrap().upper,
            tails.lower
        );
    }
    worst.assert_within(1e-13);
}

#[test]
fn student_t_quantiles_are_those_of_mpmath() {
    let mut worst = Worst::default();
    for row in table("student_t_quantile", 108) {
        let probability = number(&row, "upper_probability");
        let degrees_of_freedom = number(&row, "degrees_of_freedom");
        let expected = number(&row, "quantile");
        let upper = student_t_quantile(probability, Tail::Upper, degrees_of_freedom).unwrap();
        let lower = student_t_quantile(probability, Tail::Lower, degrees_of_freedom).unwrap();
        worst.compare(upper, expected, &row);
        worst.compare(lower, -expected, &row);
    }
    worst.assert_within(1e-14);
}

/// Points across the domain, far beyond what an analysis needs.
const SHAPES: [f64; 9] = [0.5, 1.0, 2.5, 11.0, 1e2, 1e4, 1e6, 1e7, 1e8];

#[test]
fn symmetric_shapes_have_half_below_the_middle() {
    for a in SHAPES {
        let tails = regularized_beta(a, a, 0.5, 0.5).unwrap();
        assert!((tails.lower - 0.5).abs() < 1e-14, "{a}: {tails:?}");
        assert!((tails.upper - 0.5).abs() < 1e-14, "{a}: {tails:?}");
    }
}

/// That a function falls or rises, but for the rounding of its last digits, and that both tails add
/// up to 1.
fn assert_monotone(name: &str, points: &[f64], tails: impl Fn(f64) -> Result<Tails, SpecialError>) {
    let mut before = Tails {
        lower: 0.0,
        upper: 1.0,
    };
    for point in points {
        let now = tails(*point).unwrap_or_else(|error| panic!("{name} at {point}: {error}"));
        assert!(
            (0.0..=1.0).contains(&now.lower) && (0.0..=1.0).contains(&now.upper),
            "{now:?}"
        );
        assert!(
            (now.lower + now.upper - 1.0).abs() < 1e-13,
            "{name} at {point}: {now:?}"
        );
        assert!(
            now.lower >= before.lower * (1.0 - 1e-11),
            "{name} at {point}: {now:?} {before:?}"
        );
        assert!(
            now.upper <= before.upper * (1.0 + 1e-11),
            "{name} at {point}: {now:?} {before:?}"
        );
        before = now;
    }
}

#[test]
fn tails_are_monotone_and_add_up() {
    let steps: Vec<f64> = (-400..=400).map(|step| f64::from(step) / 50.0).collect();
    assert_monotone("normal", &steps, normal_tails);
    for shape in SHAPES {
        assert_monotone("student t", &steps, |t| student_t_tails(t, shape));
        let near: Vec<f64> = steps
            .iter()
            .map(|step| shape + step * shape.sqrt())
            .filter(|x| *x >= 0.0)
            .collect();
        assert_monotone("gamma", &near, |x| regularized_gamma(shape, x));
        for other in SHAPES {
            let mean = shape / (shape + other);
            let deviation = (mean * (1.0 - mean) / (shape + other + 1.0)).sqrt();
            let near: Vec<f64> = steps
                .iter()
                .map(|step| mean + step * deviation)
                .filter(|x| (0.0..=1.0).contains(x))
                .collect();
            let name = format!("beta {shape} {other}");
            assert_monotone(&name, &near, |x| regularized_beta(shape, other, x, 1.0 - x));
        }
    }
}

#[test]
fn exchanging_the_shapes_exchanges_the_tails() {
    for (a, b, x) in [
        (0.5, 3.0, 0.25),
        (11.0, 991.0, 1.0 / 128.0),
        (1e6, 1e3, 1023.0 / 1024.0),
    ] {
        let tails = regularized_beta(a, b, x, 1.0 - x).unwrap();
        let swapped = regularized_beta(b, a, 1.0 - x, x).unwrap();
        assert!((tails.lower / swapped.upper - 1.0).abs() < 1e-14);
        assert!((tails.upper / swapped.lower - 1.0).abs() < 1e-14);
    }
}

#[test]
fn quantiles_go_back() {
    for probability in [1e-200, 1e-12, 1e-3, 0.025, 0.2, 0.25, 0.4, 0.5 - 1e-9] {
        for (tail, other) in [(Tail::Lower, Tail::Upper), (Tail::Upper, Tail::Lower)] {
            let side = |tails: Tails| {
                if tail == Tail::Lower {
                    tails.lower
                } else {
                    tails.upper
                }
            };
            let z = normal_quantile(probability, tail).unwrap();
            // A point known to an ulp gives its probability to z^2 ulp.
            let within = 1e-15 * (z * z).max(10.0);
            let back = side(normal_tails(z).unwrap());
            assert!(
                (back / probability - 1.0).abs() < within,
                "normal {probability} {back}"
            );
            for shape in SHAPES {
                let t = student_t_quantile(probability, tail, shape).unwrap();
                let back = side(student_t_tails(t, shape).unwrap());
                let error = (back / probability - 1.0).abs();
                assert!(
                    error < 1e-11 || t.is_infinite(),
                    "t {shape} {probability} {tail:?}: {back} at {t}"
                );
                let x = gamma_quantile(probability, tail, shape).unwrap();
                let back = side(regularized_gamma(shape, x).unwrap());
                let error = (back / probability - 1.0).abs();
                // Near the mean of a large shape, an ulp of x is sqrt(shape) ulp of a deviation.
                let is_tiny = x < 1e-290;
                assert!(
                    error < 1e-12 * shape.sqrt().max(10.0) || is_tiny,
                    "gamma {shape} {probability} {tail:?}: {back} at {x}"
                );
                let mirrored = gamma_quantile(1.0 - probability, other, shape).unwrap();
                assert!(probability < 1e-3 || (mirrored / x - 1.0).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn student_t_is_normal_for_endless_degrees_of_freedom() {
    for degrees_of_freedom in [1e16, 1e17, 1e300, f64::INFINITY] {
        let t = student_t_quantile(0.025, Tail::Upper, degrees_of_freedom).unwrap();
        let z = normal_quantile(0.025, Tail::Upper).unwrap();
        assert!((t / z - 1.0).abs() < 1e-14, "{degrees_of_freedom}: {t}");
    }
}

#[test]
fn the_ends_are_exact() {
    assert_eq!(
        normal_quantile(0.0, Tail::Lower).unwrap(),
        f64::NEG_INFINITY
    );
    assert_eq!(normal_quantile(0.0, Tail::Upper).unwrap(), f64::INFINITY);
    assert_eq!(
        student_t_quantile(0.0, Tail::Upper, 3.0).unwrap(),
        f64::INFINITY
    );
    assert_eq!(
        student_t_quantile(1.0, Tail::Upper, 3.0).unwrap(),
        f64::NEG_INFINITY
    );
    assert_eq!(student_t_quantile(0.5, Tail::Upper, 3.0).unwrap(), 0.0);
    assert_eq!(gamma_quantile(0.0, Tail::Lower, 3.0).unwrap(), 0.0);
    assert_eq!(
        gamma_quantile(1.0, Tail::Lower, 3.0).unwrap(),
        f64::INFINITY
    );
    assert_eq!(
        gamma_quantile(0.0, Tail::Upper, 3.0).unwrap(),
        f64::INFINITY
    );
    let nothing = Tails {
        lower: 0.0,
        upper: 1.0,
    };
    let everything = Tails {
        lower: 1.0,
        upper: 0.0,
    };
    assert_eq!(regularized_beta(2.0, 3.0, 0.0, 1.0).unwrap(), nothing);
    assert_eq!(regularized_beta(2.0, 3.0, 1.0, 0.0).unwrap(), everything);
    assert_eq!(regularized_gamma(2.0, 0.0).unwrap(), nothing);
    assert_eq!(regularized_gamma(2.0, f64::INFINITY).unwrap(), everything);
    assert_eq!(normal_tails(f64::INFINITY).unwrap(), everything);
    assert_eq!(student_t_tails(f64::NEG_INFINITY, 2.0).unwrap(), nothing);
    // Beyond the doubles: about 1e400 and 1e-500.
    assert_eq!(
        student_t_quantile(1e-200, Tail::Upper, 0.5).unwrap(),
        f64::INFINITY
    );
    assert_eq!(gamma_quantile(1e-10, Tail::Lower, 0.02).unwrap(), 0.0);
    assert_eq!(ln_normal_cdf(f64::NEG_INFINITY).unwrap(), f64::NEG_INFINITY);
    assert_eq!(ln_normal_cdf(f64::INFINITY).unwrap(), 0.0);
}

#[test]
fn the_power_tail_of_student_t_meets_the_beta_function() {
    // One degree of freedom is Cauchy's distribution: the upper tail is atan(1/t)/pi.
    for t in [1e14, 0.99e15, 1.01e15, 1e16, 1e200, 1e300] {
        let tails = student_t_tails(t, 1.0).unwrap();
        let expected = 1.0 / (std::f64::consts::PI * t);
        assert!(
            (tails.upper / expected - 1.0).abs() < 1e-12,
            "{t:e}: {tails:?}"
        );
    }
}

#[test]
fn what_is_outside_the_domain_is_an_error() {
    let wild = [f64::NAN, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE];
    for value in wild {
        assert!(regularized_beta(value, 1.0, 0.5, 0.5).is_err());
        assert!(regularized_beta(1.0, value, 0.5, 0.5).is_err());
        assert!(regularized_beta(1.0, 1.0, value, 0.5).is_err());
        assert!(regularized_beta(1.0, 1.0, 0.5, value).is_err());
        assert!(regularized_gamma(value, 1.0).is_err());
        assert!(regularized_gamma(1.0, value).is_err());
        assert!(gamma_quantile(value, Tail::Lower, 1.0).is_err());
        assert!(gamma_quantile(0.5, Tail::Lower, value).is_err());
        assert!(normal_quantile(value, Tail::Upper).is_err());
        assert!(student_t_quantile(value, Tail::Upper, 1.0).is_err());
        assert!(student_t_quantile(0.5, Tail::Upper, value).is_err());
        assert!(student_t_tails(0.5, value).is_err());
    }
    assert!(
        regularized_beta(1.0, 1.0, 0.5, 0.6).is_err(),
        "x + y must be 1"
    );
    assert!(regularized_beta(f64::INFINITY, 1.0, 0.5, 0.5).is_err());
    assert!(regularized_gamma(f64::INFINITY, 1.0).is_err());
    assert!(normal_quantile(1.5, Tail::Upper).is_err());
    assert!(normal_tails(f64::NAN).is_err() && ln_normal_cdf(f64::NAN).is_err());
    assert!(ln_gamma(f64::NAN).is_err() && student_t_tails(f64::NAN, 1.0).is_err());
}
