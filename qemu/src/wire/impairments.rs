//! What a wire does to frames, and how a person writes that: `loss=1%,reorder=2%,delay=5ms,seed=7`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How often a wire does what to frames, in both directions. The default is a wire that does nothing to them.
///
/// Rates are shares of all frames, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impairments {
    /// Frames that never arrive.
    pub loss: f64,
    /// Frames that arrive twice.
    pub duplicate: f64,
    /// Frames that one to three later ones overtake.
    pub reorder: f64,
    /// Frames of which one bit behind the Ethernet header is flipped.
    pub corrupt: f64,
    /// Frames that are cut off behind the Ethernet header.
    pub truncate: f64,
    /// How long every frame takes.
    pub delay: Duration,
    /// A frame may take up to this much longer.
    pub jitter: Duration,
    /// Chooses the frames that it befalls: the same seed, the same choice.
    pub seed: u64,
}

/// What is wrong with a description of impairments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImpairments {
    /// Nobody knows this name.
    #[error(
        "`{name}` is nothing that a wire does; there are loss, duplicate, reorder, corrupt, truncate, delay, jitter and seed"
    )]
    Unknown {
        /// As it was written.
        name: String,
    },
    /// A word without `=`.
    #[error("`{word}` has no value; write it as in loss=1%,delay=5ms,seed=7")]
    NoValue {
        /// As it was written.
        word: String,
    },
    /// The same name again.
    #[error("{name} is there twice; say it once")]
    Twice {
        /// The name.
        name: String,
    },
    /// Not a percentage.
    #[error("{name} is a share of all frames from 0% to 100%, such as 1% or 0.1%, and not `{value}`")]
    Rate {
        /// Which rate.
        name: String,
        /// As it was written.
        value: String,
    },
    /// Not a time.
    #[error("{name} is a whole number with its unit, such as 500us, 5ms or 1s, and not `{value}`")]
    Time {
        /// Which time.
        name: String,
        /// As it was written.
        value: String,
    },
    /// Not a number.
    #[error("seed is a whole number, and not `{value}`")]
    Seed {
        /// As it was written.
        value: String,
    },
}

impl FromStr for Impairments {
    type Err = InvalidImpairments;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut impairments = Self::default();
        let mut seen = Vec::new();
        for word in text.split(',') {
            let (name, value) =
                word.split_once('=').ok_or_else(|| InvalidImpairments::NoValue { word: word.to_owned() })?;
            if seen.contains(&name) {
                return Err(InvalidImpairments::Twice { name: name.to_owned() });
            }
            seen.push(name);
            match name {
                "loss" => impairments.loss = rate(name, value)?,
                "duplicate" => impairments.duplicate = rate(name, value)?,
                "reorder" => impairments.reorder = rate(name, value)?,
                "corrupt" => impairments.corrupt = rate(name, value)?,
                "truncate" => impairments.truncate = rate(name, value)?,
                "delay" => impairments.delay = time(name, value)?,
                "jitter" => impairments.jitter = time(name, value)?,
                "seed" => {
                    impairments.seed =
                        number(value).ok_or_else(|| InvalidImpairments::Seed { value: value.to_owned() })?;
                }
                _ => return Err(InvalidImpairments::Unknown { name: name.to_owned() }),
            }
        }
        Ok(impairments)
    }
}

impl fmt::Display for Impairments {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, rate) in [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("corrupt", self.corrupt),
            ("truncate", self.truncate),
        ] {
            if rate > 0.0 {
                // Rounded, because a hundred times a rate has digits that nobody wrote.
                write!(out, "{name}={}%,", (rate * 1e8).round() / 1e6)?;
            }
        }
        for (name, time) in [("delay", self.delay), ("jitter", self.jitter)] {
            if !time.is_zero() {
                write!(out, "{name}={}us,", time.as_micros())?;
            }
        }
        write!(out, "seed={}", self.seed)
    }
}

fn rate(name: &str, value: &str) -> Result<f64, InvalidImpairments> {
    let digits =
        value.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let percent = digits.and_then(|digits| digits.parse::<f64>().ok()).filter(|percent| *percent <= 100.0);
    percent
        .map(|percent| percent / 100.0)
        .ok_or_else(|| InvalidImpairments::Rate { name: name.to_owned(), value: value.to_owned() })
}

fn time(name: &str, value: &str) -> Result<Duration, InvalidImpairments> {
    let microseconds = [("us", 1), ("ms", 1000), ("s", 1_000_000)]
        .into_iter()
        .find_map(|(unit, each)| number(value.strip_suffix(unit)?)?.checked_mul(each));
    microseconds
        .map(Duration::from_micros)
        .ok_or_else(|| InvalidImpairments::Time { name: name.to_owned(), value: value.to_owned() })
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "loss=1%,duplicate=1%,reorder=2%,corrupt=0.1%,truncate=0.3%,delay=5000us,jitter=2000us,seed=7";

    #[test]
    fn a_description_says_what_it_says() {
        let whole = "loss=1%,duplicate=1%,reorder=2%,delay=5ms,jitter=2000us,corrupt=0.1%,truncate=0.3%,seed=7";
        let impairments: Impairments = whole.parse().expect("valid");
        assert_eq!(
            impairments,
            Impairments {
                loss: 0.01,
                duplicate: 0.01,
                reorder: 0.02,
                corrupt: 0.001,
                truncate: 0.003,
                delay: Duration::from_millis(5),
                jitter: Duration::from_millis(2),
                seed: 7
            }
        );
        assert_eq!("loss=0%".parse(), Ok(Impairments::default()));
        assert_eq!("delay=1s".parse(), Ok(Impairments { delay: Duration::from_secs(1), ..Impairments::default() }));
    }

    #[test]
    fn what_is_printed_is_understood_again() {
        let impairments: Impairments = ALL.parse().expect("valid");
        assert_eq!(impairments.to_string(), ALL);
        assert_eq!(Impairments::default().to_string(), "seed=0");
    }

    #[test]
    fn mistakes_are_answered_with_what_would_be_right() {
        for (text, sentence) in [
            ("los=1%", "`los` is nothing that a wire does; there are loss, duplicate,"),
            ("", "`` has no value; write it as in loss=1%"),
            ("loss", "`loss` has no value; write it as in loss=1%"),
            ("loss=1%,", "`` has no value; write it as in loss=1%"),
            ("loss=1%,loss=1%", "loss is there twice"),
            ("loss=1", "loss is a share of all frames from 0% to 100%, such as 1% or 0.1%, and not `1`"),
            ("reorder=101%", "reorder is a share of all frames from 0% to 100%"),
            ("corrupt=-1%", "corrupt is a share"),
            ("corrupt=inf%", "corrupt is a share"),
            ("loss=%", "loss is a share"),
            ("delay=5", "delay is a whole number with its unit, such as 500us, 5ms or 1s, and not `5`"),
            ("jitter=+5ms", "jitter is a whole number with its unit"),
            ("delay=1.5ms", "delay is a whole number with its unit"),
            ("seed=x", "seed is a whole number, and not `x`"),
        ] {
            let error = text.parse::<Impairments>().expect_err(text);
            assert!(error.to_string().starts_with(sentence), "{text}: {error}");
        }
    }
}
