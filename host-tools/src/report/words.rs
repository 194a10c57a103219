//! Words as sentences and lists have them.

/// Mayfly's name among systems.
pub(super) const MAYFLY: &str = "mayfly";

/// What a system is called in sentences and pictures.
pub(super) fn proper(system: &str) -> String {
    if system == "osv" { "OSv".to_owned() } else { capital(system) }
}

/// A sentence's beginning.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Words as a list.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        words => words.concat(),
    }
}

/// A text in which numbers stay on a line with their units.
pub(super) fn bound(text: &str) -> String {
    [" %", " ms", " µs"].iter().fold(text.to_owned(), |text, unit| text.replace(unit, &unit.replace(' ', "\u{a0}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_make_lists_and_sentences_begin_with_a_capital() {
        let words = |count: usize| ["Linux", "Nanos", "OSv"].map(str::to_owned)[..count].to_vec();
        assert_eq!(
            [0, 1, 2, 3].map(|count| list(&words(count))),
            ["", "Linux", "Linux and Nanos", "Linux, Nanos and OSv"]
        );
        assert_eq!(["mayfly", "osv", "linux"].map(proper), ["Mayfly", "OSv", "Linux"]);
        assert_eq!(bound("95 % in 3 ms"), "95\u{a0}% in 3\u{a0}ms");
        assert_eq!((capital("it holds"), capital("")), ("It holds".to_owned(), String::new()));
    }
}
