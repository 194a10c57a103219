//! What most of a few counts would be if nothing came in between: the least that was seen often enough to be believed.

/// How often a figure is to be seen until it is believed.
const SEEN: usize = 3;

/// The least that was seen [`SEEN`] times, else the least. `None` if there are no figures.
pub(super) fn least_believed(figures: impl Iterator<Item = u64>) -> Option<u64> {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable();
    let again = figures.windows(SEEN).find(|some| some[0] == some[SEEN - 1]).map(|some| some[0]);
    again.or(figures.first().copied())
}

/// Whether the least of all was seen [`SEEN`] times, so that more figures would not make it any surer.
pub(super) fn is_believed(figures: impl Iterator<Item = u64> + Clone) -> bool {
    let least = figures.clone().min();
    figures.filter(|figure| Some(*figure) == least).count() >= SEEN
}
