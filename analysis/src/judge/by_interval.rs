//! What is the same for all that is gone through interval by interval.

/// For each interval the row that ends with it, given first interval and length of each row.
pub(super) fn rows_by_interval(
    spans: impl Iterator<Item = (usize, usize)>,
    intervals: usize,
) -> Vec<Option<usize>> {
    let mut rows = vec![None; intervals];
    for (row, (first, length)) in spans.enumerate() {
        let last = first.saturating_add(length).saturating_sub(1);
        if let Some(slot) = rows.get_mut(last) {
            *slot = Some(row);
        }
    }
    rows
}

/// A number that depends on two, for comparison.
pub(super) fn mixed(one: u64, other: u64) -> u64 {
    // The multiplier of FNV-1a of 64 bits.
    (one.rotate_left(5) ^ other).wrapping_mul(0x0000_0100_0000_01b3)
}
