//! A command line as a list of arguments, and as text that a shell reads back as that list.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::Command;

/// A program and its arguments. `Display` quotes them for a POSIX shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    program: OsString,
    arguments: Vec<OsString>,
}

impl CommandLine {
    /// The program alone.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new() }
    }

    /// Adds one argument.
    pub fn arg(&mut self, argument: impl Into<OsString>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    /// The program's name or path.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Its arguments, in order.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// What starts it.
    pub fn to_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quoted(out, &self.program)?;
        for argument in &self.arguments {
            out.write_str(" ")?;
            write_quoted(out, argument)?;
        }
        Ok(())
    }
}

fn write_quoted(out: &mut fmt::Formatter<'_>, word: &OsStr) -> fmt::Result {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        out.write_str(&word)
    } else {
        write!(out, "'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_plain_and_others_are_quoted() {
        let mut line = CommandLine::new("qemu");
        line.arg("-M").arg("microvm,acpi=off").arg("a b").arg("it's").arg("").arg("$HOME");
        assert_eq!(line.to_string(), r"qemu -M microvm,acpi=off 'a b' 'it'\''s' '' '$HOME'");
    }

    #[test]
    fn a_shell_reads_the_text_back_as_the_same_arguments() {
        let words = ["a b", "it's", "", "$(false)", "back\\slash", "tab\there", "*", "~", "a\"b", "#x"];
        let mut line = CommandLine::new("printf");
        line.arg(r"%s\0");
        for word in words {
            line.arg(word);
        }
        let output = Command::new("sh").arg("-c").arg(line.to_string()).output().expect("sh runs");
        let text = String::from_utf8(output.stdout).expect("the words are UTF-8");
        assert_eq!(text.split_terminator('\0').collect::<Vec<_>>(), words);
    }
}
