//! What is written, and what is refused.

use super::*;
use crate::matchers::Matcher;

fn canary() -> Matchers {
    Matchers::from([Matcher::equal("version", "v2")])
}

#[test]
fn write_a_counter_with_its_matchers_per_target() {
    insta::assert_snapshot!(
        counter_per_target("http_requests_total{code=~\"5..\"}", &canary(), &["version", "code"]).unwrap(),
        @r#"sum by (instance, pod, code, version) (http_requests_total{code=~"5..",version="v2"})"#
    );
}
