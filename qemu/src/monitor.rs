//! QEMU's own counters, asked for over its monitor (QMP) while the machine runs.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The socket that QEMU's monitor listens on. Dropping it removes the file, which a killed QEMU leaves behind.
#[derive(Debug)]
pub(crate) struct Monitor {
    path: PathBuf,
}

impl Monitor {
    /// The monitor of a machine with this memory file.
    pub(crate) fn of(memory: &Path) -> Self {
        Self { path: memory.with_extension("qmp") }
    }

    /// What makes QEMU listen there.
    pub(crate) fn argument(&self) -> String {
        format!("unix:{},server=on,wait=off", self.path.display())
    }

    /// Blocks of guest code that QEMU has translated so far.
    pub(crate) fn translated_blocks(&self) -> Result<u64, Error> {
        let answer = self.ask("info jit")?;
        let nothing = || io::Error::new(io::ErrorKind::UnexpectedEof, "QEMU's monitor does not know `info jit`");
        blocks(&answer).ok_or_else(nothing).map_err(Error::io("ask QEMU how much it has translated"))
    }

    /// What QEMU answers to a command that a person would type. Takes one client after the other.
    pub(crate) fn ask(&self, command: &str) -> Result<String, Error> {
        let ask = || -> io::Result<String> {
            let mut socket = UnixStream::connect(&self.path)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            // A client says first which features it wants of the protocol: none.
            writeln!(
                socket,
                "{{\"execute\":\"qmp_capabilities\"}}\n\
                 {{\"execute\":\"human-monitor-command\",\"arguments\":{{\"command-line\":\"{command}\"}}}}"
            )?;
            // The first answer is to the first command and empty; between them may be news of the machine.
            let mut answers =
                BufReader::new(socket).lines().filter_map(|line| line.map(|line| answer(&line)).transpose());
            answers.nth(1).unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
        };
        ask().map_err(Error::io(format!("ask QEMU's monitor `{command}`")))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // QEMU may have removed it already.
        let _ = fs::remove_file(&self.path);
    }
}

/// What is in a line of the monitor's, if it answers a command; lines of a text are still parted by `\\r\\n`.
fn answer(line: &str) -> Option<String> {
    let text = line.strip_prefix(r#"{"return": "#)?.strip_suffix('}')?;
    Some(text.trim_matches('"').to_owned())
}

/// The number behind `TB count` in the monitor's answer.
fn blocks(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("TB count")?;
    let digits = rest.trim_start();
    digits[..digits.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_blocks_is_found_in_the_monitors_answer() {
        let answer =
            r#"{"return": "gen code size       1274051/1073736704\r\nTB count            1905\r\nTB avg target"}"#;
        assert_eq!(blocks(answer), Some(1905));
        assert_eq!(super::answer(answer).as_deref().and_then(blocks), Some(1905));
        assert_eq!(super::answer(r#"{"return": {}}"#).as_deref(), Some("{}"));
        assert_eq!(super::answer(r#"{"timestamp": {"seconds": 1}, "event": "POWERDOWN"}"#), None);
        for other in [r#"{"QMP": {"version": {}}}"#, r#"{"return": {}}"#, r#"{"return": "TB count"}"#] {
            assert_eq!(blocks(other), None, "{other}");
        }
    }
}
