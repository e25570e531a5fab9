//! The parameters of a request: times, durations, and what is missing.

use axum::Form;
use axum::extract::{FromRequest, Query, Request};
use axum::http::Method;
use promql_parser::util::parse_duration;

use super::promql::{QueryError, Steps};

/// The most points of one series that a range query may ask for.
const MAX_POINTS: i64 = 11_000;

/// Times beyond this, about the year 33,000, are refused: sums with them must not overflow.
const MAX_TIME_MS: f64 = 1e15;

/// Names and values of a request, first those of a form, then those of the address.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the parameters of a request.
    ///
    /// # Errors
    ///
    /// [`QueryError::BadData`] if address or form cannot be read.
    pub(super) async fn read(request: Request) -> Result<Self, QueryError> {
        let bad = |what: &str| QueryError::BadData(format!("error parsing form values: {what}"));
        let Query(from_address) = Query::<Vec<(String, String)>>::try_from_uri(request.uri())
            .map_err(|_| bad("the address is not urlencoded"))?;
        let mut pairs = Vec::new();
        if request.method() == Method::POST {
            Form(pairs) = Form::from_request(request, &())
                .await
                .map_err(|rejection| bad(&rejection.to_string()))?;
        }
        pairs.extend(from_address);
        Ok(Self(pairs))
    }

    /// Returns the first value of a parameter, empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|pair| pair.0 == name)
            .map_or("", |pair| pair.1.as_str())
    }

    /// Returns every value of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |pair| pair.0 == name)
            .map(|pair| pair.1.as_str())
    }

    /// Returns the time of an instant query, the present if there is none.
    ///
    /// # Errors
    ///
    /// [`QueryError::BadData`] if it is no time.
    pub(super) fn instant_ms(&self, now_ms: i64) -> Result<i64, QueryError> {
        match self.get("time") {
            "" => Ok(now_ms),
            text => time_ms(text).ok_or_else(|| {
                invalid(
                    "time",
                    &format!("Invalid time value for 'time': {}", not_a_time(text)),
                )
            }),
        }
    }

    /// Returns the steps of a range query.
    ///
    /// # Errors
    ///
    /// [`QueryError::BadData`] in Prometheus's words if start, end or step is missing or wrong,
    /// or if there were too many steps.
    pub(super) fn steps(&self) -> Result<Steps, QueryError> {
        let time = |name: &str| {
            let text = self.get(name);
            time_ms(text).ok_or_else(|| invalid(name, &not_a_time(text)))
        };
        let (start_ms, end_ms) = (time("start")?, time("end")?);
        if end_ms < start_ms {
            return Err(invalid(
                "end",
                "end timestamp must not be before start time",
            ));
        }
        let text = self.get("step");
        let step_ms = duration_ms(text).ok_or_else(|| {
            invalid(
                "step",
                &format!("cannot parse {text:?} to a valid duration"),
            )
        })?;
        if step_ms <= 0 {
            return Err(invalid(
                "step",
                "zero or negative query resolution step widths are not accepted. Try a positive \
                 integer",
            ));
        }
        if (end_ms - start_ms) / step_ms > MAX_POINTS {
            return Err(QueryError::BadData(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the \
                 query resolution (?step=XX)"
                    .to_owned(),
            ));
        }
        Ok(Steps::range(start_ms, end_ms, step_ms))
    }
}

fn invalid(parameter: &str, message: &str) -> QueryError {
    QueryError::BadData(format!("invalid parameter \"{parameter}\": {message}"))
}

fn not_a_time(text: &str) -> String {
    format!("cannot parse {text:?} to a valid timestamp")
}

/// A time: seconds since 1970 with a fraction, or RFC 3339.
fn time_ms(text: &str) -> Option<i64> {
    let milliseconds = match text.parse::<f64>() {
        Ok(seconds) => (seconds * 1000.0).round(),
        Err(_) => chrono::DateTime::parse_from_rfc3339(text)
            .ok()?
            .timestamp_millis() as f64,
    };
    whole(milliseconds)
}

/// A duration: seconds with a fraction, or as in PromQL.
fn duration_ms(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => whole((seconds * 1000.0).round()),
        Err(_) => i64::try_from(parse_duration(text).ok()?.as_millis()).ok(),
    }
}

fn whole(milliseconds: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked, and NaN is in none"
    )]
    (-MAX_TIME_MS..=MAX_TIME_MS)
        .contains(&milliseconds)
        .then_some(milliseconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        assert_eq!(time_ms("1435781451.781"), Some(1_435_781_451_781));
        assert_eq!(time_ms("2015-07-01T20:10:51.781Z"), Some(1_435_781_451_781));
        assert_eq!(
            time_ms("2015-07-01T22:10:51+02:00"),
            Some(1_435_781_451_000)
        );
        for text in ["", "now", "NaN", "1e300", "inf", "2015-07-01"] {
            assert_eq!(time_ms(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_as_in_promql() {
        assert_eq!(duration_ms("15"), Some(15_000));
        assert_eq!(duration_ms("0.5"), Some(500));
        assert_eq!(duration_ms("1h30m"), Some(5_400_000));
        assert_eq!(duration_ms("-3"), Some(-3_000));
        for text in ["", "x", "NaN", "1e300", "5 m"] {
            assert_eq!(duration_ms(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_form_comes_before_the_address() {
        let request = Request::post("/?time=7&query=b")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("query=sum%28up%29+%2B+1".into())
            .unwrap();
        let parameters = Parameters::read(request).await.unwrap();
        assert_eq!(parameters.get("query"), "sum(up) + 1");
        assert_eq!(parameters.all("query").count(), 2);
        assert_eq!(parameters.instant_ms(0).unwrap(), 7_000);
        assert_eq!(parameters.get("none"), "");
    }
}
