//! Which pod a series belongs to, and a place of its own for each name.

use super::Series;
use super::target::label_of;

/// The labels that name a pod, the best first.
pub(super) const POD_LABELS: [&str; 8] = [
    "pod",
    "k8s_pod_name",
    "exported_pod",
    "service_instance_id",
    "exported_instance",
    "instance",
    "host_name",
    "container",
];

/// The name of the pod that a series belongs to: its pod, or what is scraped where there are no pods.
pub(crate) fn pod_name(series: &Series) -> &str {
    let mut names = POD_LABELS.iter();
    names
        .find_map(|label| label_of(series, label))
        .unwrap_or_default()
}

/// A number that depends on nothing but a name: the standard library's hash may change between versions,
/// and with it every verdict. FNV-1a of 64 bits with the finalizer of `MurmurHash3`: names of pods differ in their last
/// characters, which FNV-1a alone hardly carries into the high bits that order them.
///
/// Source: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV non-cryptographic hash algorithm" (RFC 9923);
/// A. Appleby, `MurmurHash3`, `fmix64`.
pub(crate) fn pod_hash(name: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference: FNV-1a of "a" is 0xaf63dc4c8601ec8c and of "foobar" 0x85944171f73967e8 (the
    /// authors' test suite); the finalizer of 0 is 0, and its steps are inverted here.
    #[test]
    fn the_hash_is_the_published_one() {
        fn unmix(mut mixed: u64) -> u64 {
            // Each step undone: the xor of a shift beyond half the bits is its own inverse, and
            // the multipliers have inverses modulo 2^64.
            let inverse = |factor: u64| {
                let mut found = factor;
                for _ in 0..6 {
                    found = found.wrapping_mul(2_u64.wrapping_sub(factor.wrapping_mul(found)));
                }
                found
            };
            mixed ^= mixed >> 33;
            mixed = mixed.wrapping_mul(inverse(0xc4ce_b9fe_1a85_ec53));
            mixed ^= mixed >> 33;
            mixed = mixed.wrapping_mul(inverse(0xff51_afd7_ed55_8ccd));
            mixed ^ (mixed >> 33)
        }
        assert_eq!(unmix(pod_hash("a")), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(unmix(pod_hash("foobar")), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn names_that_differ_at_the_end_are_spread_evenly() {
        let names: Vec<String> = (0..1_000).map(|pod| format!("shop-7d9f-{pod}")).collect();
        let low = names.iter().filter(|name| pod_hash(name) < u64::MAX / 10);
        let share = low.count() as f64 / 1_000.0;
        // Six standard errors around a tenth.
        assert!((share - 0.1).abs() < 0.057, "{share}");
    }

    #[test]
    fn a_target_without_a_pod_is_known_by_its_instance() {
        let with = |labels: &[(&str, &str)]| Series {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Series::default()
        };
        let both = with(&[("instance", "10.0.0.1:80"), ("pod", "shop-1")]);
        assert_eq!(pod_name(&both), "shop-1");
        assert_eq!(
            pod_name(&with(&[("instance", "10.0.0.1:80"), ("pod", "")])),
            "10.0.0.1:80"
        );
        assert_eq!(pod_name(&with(&[])), "");
    }
}
