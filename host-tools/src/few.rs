//! Lists that may be long: on a terminal the first few are shown, and how many more there are.

/// Longest list that is shown whole.
const WHOLE: usize = 20;
/// What is shown of a longer one.
const FIRST: usize = 10;

/// What is shown of a list.
pub(crate) struct Few<'a, T> {
    /// The entries to be shown.
    pub(crate) shown: &'a [T],
    hidden: usize,
}

impl<'a, T> Few<'a, T> {
    /// All of a short list, the first few of a long one.
    pub(crate) fn of(list: &'a [T]) -> Self {
        let shown = if list.len() <= WHOLE { list } else { &list[..FIRST] };
        Self { shown, hidden: list.len() - shown.len() }
    }

    /// How many more there are, if there are.
    pub(crate) fn more(&self) -> Option<String> {
        (self.hidden > 0).then(|| format!("… and {} more", grouped(self.hidden)))
    }
}

/// A number with a comma before every third digit from the right.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_is_shown_whole_and_a_long_one_is_cut() {
        let list = [0; 10_000];
        let short = Few::of(&list[..WHOLE]);
        assert_eq!((short.shown.len(), short.more()), (WHOLE, None));
        let long = Few::of(&list);
        assert_eq!((long.shown.len(), long.more().as_deref()), (FIRST, Some("… and 9,990 more")));
    }

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }
}
