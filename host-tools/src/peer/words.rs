//! A peer's command line: words with places that are filled in when it is started.

use std::path::Path;

use anyhow::ensure;
use mayfly_qemu::{Accelerator, MachineType};

/// What a command line can say about where the peer is to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    /// What executes its instructions.
    pub(crate) accelerator: Accelerator,
    /// Its memory in MiB.
    pub(crate) memory_mib: u32,
    /// Ticks a second of the TSC.
    pub(crate) tsc_hz: u64,
}

/// The placeholders that stand for a piece of text. `{arguments}` stands for several words and is not among them.
const PLACEHOLDERS: [&str; 9] = ["port", "folder", "qemu", "machine", "cpu", "nic", "accel", "memory", "tsc_khz"];
/// The word that becomes the machine type's own arguments.
const ARGUMENTS: &str = "{arguments}";

/// The command line `words`, filled in.
pub(super) fn fill(words: &[String], host: &Host, folder: &Path, port: &str) -> Vec<String> {
    let machine = &MachineType::all()[0];
    let text = |placeholder| match placeholder {
        "port" => port.to_owned(),
        "folder" => folder.display().to_string(),
        "qemu" => machine.binary.clone(),
        "machine" => machine.machine.clone(),
        "cpu" => machine.cpu.clone(),
        "nic" => machine.nic.clone(),
        "accel" => host.accelerator.to_string(),
        "memory" => format!("{}M", host.memory_mib),
        "tsc_khz" => (host.tsc_hz / 1000).to_string(),
        other => format!("{{{other}}}"),
    };
    let filled = |word: &String| {
        PLACEHOLDERS
            .iter()
            .fold(word.clone(), |word, placeholder| word.replace(&format!("{{{placeholder}}}"), &text(placeholder)))
    };
    words
        .iter()
        .flat_map(|word| if word == ARGUMENTS { machine.arguments.clone() } else { vec![filled(word)] })
        .collect()
}

/// An error if the word has a brace that belongs to no placeholder.
pub(super) fn check(word: &str) -> anyhow::Result<()> {
    let rest = PLACEHOLDERS.iter().fold(word.to_owned(), |word, name| word.replace(&format!("{{{name}}}"), ""));
    ensure!(
        word == ARGUMENTS || !rest.contains(['{', '}']),
        "`{word}` has a placeholder that nothing stands for; there are {{{}}}, and {ARGUMENTS} as a word of its own",
        PLACEHOLDERS.join("}, {")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Host = Host { accelerator: Accelerator::Tcg, memory_mib: 256, tsc_hz: 2_596_000_123 };

    fn filled(word: &str) -> Vec<String> {
        check(word).expect("it is known");
        fill(&[word.to_owned()], &HOST, Path::new("/p"), "8099")
    }

    #[test]
    fn every_placeholder_is_filled_in() {
        assert_eq!(filled("{folder}/k:{port}-{memory}/{tsc_khz}"), ["/p/k:8099-256M/2596000"]);
        for placeholder in PLACEHOLDERS {
            let word = format!("{{{placeholder}}}");
            assert_ne!(filled(&word), [word.as_str()], "nothing stands for it");
        }
    }

    #[test]
    fn the_machines_own_arguments_are_words_of_their_own() {
        assert_eq!(filled(ARGUMENTS), MachineType::all()[0].arguments);
    }

    #[test]
    fn a_placeholder_that_there_is_not_is_refused_with_those_there_are() {
        for word in ["{house}", "-x{arguments}", "{", "{port"] {
            let error = check(word).expect_err(word).to_string();
            assert!(error.contains(word) && error.contains("{tsc_khz}"), "{error}");
        }
    }
}
