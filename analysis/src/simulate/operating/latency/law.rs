//! How long requests take.

/// The law of one kind of requests, at scale 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// With a median of 1, and this standard deviation of the logarithm.
    LogNormal(f64),
    /// Slower than `x` with the chance `(1 + x)^-tail`.
    Lomax(f64),
    /// Slower than `x` with the chance `exp(-x^shape)`: exponential for 1.
    Weibull(f64),
    /// The sum of two exponential ones.
    TwoExponentials,
}

impl Shape {
    /// The share of requests that take longer.
    fn beyond(self, latency: f64) -> f64 {
        if latency <= 0.0 {
            return 1.0;
        }
        match self {
            Self::LogNormal(sigma) => {
                let standard = libm::log(latency) / sigma;
                0.5 * libm::erfc(standard / std::f64::consts::SQRT_2)
            }
            Self::Lomax(tail) => libm::pow(1.0 + latency, -tail),
            Self::Weibull(shape) => libm::exp(-libm::pow(latency, shape)),
            Self::TwoExponentials => (1.0 + latency) * libm::exp(-latency),
        }
    }
}

/// One kind of requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Their share.
    pub share: f64,
    /// Their law.
    pub shape: Shape,
    /// How many times as long they take as at scale 1.
    pub times: f64,
}

impl Part {
    /// Of all requests this share, so many times as slow.
    pub const fn new(share: f64, shape: Shape, times: f64) -> Self {
        Self {
            share,
            shape,
            times,
        }
    }
}

const NONE: Part = Part::new(0.0, Shape::Weibull(1.0), 1.0);

/// The law of all requests of a population: up to three kinds, the slowest last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latencies {
    parts: [Part; 3],
    /// No request takes longer than so many seconds, whatever the scale.
    ceiling_seconds: f64,
}

impl Latencies {
    /// One kind.
    pub const fn one(shape: Shape) -> Self {
        Self::of([Part::new(1.0, shape, 1.0), NONE, NONE])
    }

    /// Three kinds.
    pub const fn of(parts: [Part; 3]) -> Self {
        Self {
            parts,
            ceiling_seconds: f64::INFINITY,
        }
    }

    /// `ln.S`.
    pub const fn log_normal(sigma: f64) -> Self {
        Self::one(Shape::LogNormal(sigma))
    }

    /// `hit.SxT`: this share misses a cache and takes so many times as long.
    pub const fn hit(misses: f64, times: f64) -> Self {
        let body = Shape::LogNormal(0.3);
        Self::two((body, 1.0), (misses, body, times))
    }

    /// `to.Sx100`: this share ends by a timeout.
    pub const fn timeouts(share: f64) -> Self {
        let all_at_once = Shape::LogNormal(0.02);
        Self::two((Shape::LogNormal(0.5), 1.0), (share, all_at_once, 100.0))
    }

    /// A body, and a share that is slower.
    pub const fn two((shape, times): (Shape, f64), slow: (f64, Shape, f64)) -> Self {
        let (share, slow_shape, slow_times) = slow;
        Self::of([
            Part::new(1.0 - share, shape, times),
            Part::new(share, slow_shape, slow_times),
            NONE,
        ])
    }

    /// `three`: 80 % at 1, 17 % at 6, 3 % at 40.
    pub const fn three() -> Self {
        let shape = Shape::LogNormal(0.3);
        Self::of([
            Part::new(0.8, shape, 1.0),
            Part::new(0.17, shape, 6.0),
            Part::new(0.03, shape, 40.0),
        ])
    }

    /// All so many times as slow.
    #[must_use]
    pub const fn times(self, times: f64) -> Self {
        let [a, b, c] = self.parts;
        Self {
            parts: [
                Part::new(a.share, a.shape, a.times * times),
                Part::new(b.share, b.shape, b.times * times),
                Part::new(c.share, c.shape, c.times * times),
            ],
            ..self
        }
    }

    /// None takes longer than so many seconds.
    #[must_use]
    pub const fn at_most(self, ceiling_seconds: f64) -> Self {
        Self {
            ceiling_seconds,
            ..self
        }
    }

    /// The share of requests that take longer than so many seconds, at this scale.
    pub fn beyond(&self, seconds: f64, scale: f64) -> f64 {
        if seconds >= self.ceiling_seconds {
            return 0.0;
        }
        let of = |part: &Part| part.share * part.shape.beyond(seconds / (scale * part.times));
        self.parts
            .iter()
            .filter(|part| part.share > 0.0)
            .map(of)
            .sum()
    }

    /// The quantile in seconds, at scale 1.
    pub fn quantile(&self, quantile: f64) -> f64 {
        /// Between a millionth and a million, to sixteen digits.
        const STEPS: usize = 80;
        let (mut low, mut high) = (-14.0, 14.0);
        for _ in 0..STEPS {
            let middle = 0.5 * (low + high);
            if self.beyond(libm::exp(middle), 1.0) > 1.0 - quantile {
                low = middle;
            } else {
                high = middle;
            }
        }
        libm::exp(0.5 * (low + high))
    }

    /// The slowest kind by itself, with its share: what comes in clusters; and what is left.
    pub(super) fn apart(&self) -> (Self, Self) {
        let last = self.parts.iter().rposition(|part| part.share > 0.0);
        let only = |is_kept: &dyn Fn(usize) -> bool| {
            let mut parts = self.parts;
            for (place, part) in parts.iter_mut().enumerate() {
                if !is_kept(place) {
                    *part = NONE;
                }
            }
            Self { parts, ..*self }
        };
        (
            only(&|place| Some(place) != last),
            only(&|place| Some(place) == last),
        )
    }
}
