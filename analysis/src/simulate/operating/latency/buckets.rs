//! The bounds of histograms.

/// The bounds of a histogram, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buckets {
    /// The default of the Prometheus client libraries.
    ///
    /// Source: <https://pkg.go.dev/github.com/prometheus/client_golang/prometheus#pkg-variables>, `DefBuckets`.
    Default,
    /// Those of Envoy, by which Istio tells how long requests take.
    ///
    /// Source: <https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/metrics/v3/stats.proto>,
    /// `histogram_bucket_settings`.
    Istio,
    /// Those that the conventions of OpenTelemetry advise for the duration of HTTP requests.
    ///
    /// Source: <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>, `http.server.request.duration`.
    OpenTelemetry,
    /// Four.
    Sparse,
    /// A native histogram of schema 3: eight buckets for each doubling, from a millisecond to a minute.
    ///
    /// Source: <https://prometheus.io/docs/specs/native_histograms/>, "Standard exponential schemas".
    NativeSchema3,
}

const DEFAULT: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const ISTIO: [f64; 19] = [
    0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 600.0, 1800.0, 3600.0,
];
const OPEN_TELEMETRY: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
const SPARSE: [f64; 4] = [0.1, 0.3, 1.2, 5.0];
/// `2^-10` is a millisecond, `2^6` a minute.
const NATIVE: std::ops::RangeInclusive<i32> = -80..=48;

impl Buckets {
    /// The finite bounds, ascending.
    pub fn bounds(self) -> Vec<f64> {
        match self {
            Self::Default => DEFAULT.to_vec(),
            Self::Istio => ISTIO.to_vec(),
            Self::OpenTelemetry => OPEN_TELEMETRY.to_vec(),
            Self::Sparse => SPARSE.to_vec(),
            Self::NativeSchema3 => NATIVE
                .map(|index| libm::exp2(f64::from(index) / 8.0))
                .collect(),
        }
    }
}
