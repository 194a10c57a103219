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

    /// Blocks of guest code that QEMU has translated so far. Takes one client after the other.
    pub(crate) fn translated_blocks(&self) -> Result<u64, Error> {
        let ask = || -> io::Result<u64> {
            let mut socket = UnixStream::connect(&self.path)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            // A client says first which features it wants of the protocol: none.
            socket.write_all(
                b"{\"execute\":\"qmp_capabilities\"}\n\
                  {\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info jit\"}}\n",
            )?;
            for line in BufReader::new(socket).lines() {
                if let Some(blocks) = blocks(&line?) {
                    return Ok(blocks);
                }
            }
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "QEMU's monitor does not know `info jit`"))
        };
        ask().map_err(Error::io("ask QEMU how much it has translated"))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // QEMU may have removed it already.
        let _ = fs::remove_file(&self.path);
    }
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
        for other in [r#"{"QMP": {"version": {}}}"#, r#"{"return": {}}"#, r#"{"return": "TB count"}"#] {
            assert_eq!(blocks(other), None, "{other}");
        }
    }
}
