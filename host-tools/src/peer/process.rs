//! A peer that runs: its process, what it prints, and its end.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use mayfly_qemu::CommandLine;

use super::words::{self, Host};
use crate::unfinished::Unfinished;

/// A running peer. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    spawned: Instant,
    address: SocketAddr,
    command: CommandLine,
    /// What it prints.
    log: Unfinished,
}

impl Process {
    /// Starts `program` in `folder` with `arguments`, in which `host`, `folder` and a free port are filled in. `address`: where
    /// it serves, if not on that port.
    pub(super) fn start(
        program: &str,
        arguments: &[String],
        address: Option<SocketAddr>,
        host: &Host,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let command = command_line(program, arguments, host, folder, &port.to_string())?;
        let (log, file) = Unfinished::file(&std::env::temp_dir())?;
        let mut ready = command.to_command();
        ready.current_dir(folder).stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
        let spawned = Instant::now();
        let child = ready.spawn().with_context(|| format!("cannot run {}", command.program().to_string_lossy()))?;
        let address = address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into());
        Ok(Self { child, spawned, address, command, log })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub(crate) fn spawned(&self) -> Instant {
        self.spawned
    }

    /// What leads to its server.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its command line.
    pub(crate) fn command(&self) -> &CommandLine {
        &self.command
    }

    /// What it printed, and its command line: what one needs to see when something went wrong.
    pub(crate) fn report(&self) -> String {
        let mut printed = Vec::new();
        // Without it, the command line is still something.
        let _ = fs::File::open(self.log.path()).and_then(|mut file| file.read_to_end(&mut printed));
        format!("--- printed\n{}\n--- command\n{}", String::from_utf8_lossy(&printed).trim_end(), self.command)
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it has ended by itself ({status})\n{}", self.report()),
        }
    }
}

/// `program` with `arguments`, filled in.
pub(super) fn command_line(
    program: &str,
    arguments: &[String],
    host: &Host,
    folder: &Path,
    port: &str,
) -> anyhow::Result<CommandLine> {
    let mut words = words::fill(&[&[program.to_owned()], arguments].concat(), host, folder, port).into_iter();
    let mut command = CommandLine::new(words.next().context("there is no program")?);
    for word in words {
        command.arg(word);
    }
    Ok(command)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mayfly_qemu::Accelerator;
    use std::thread;
    use std::time::Duration;

    fn start(script: &str) -> Process {
        let host = Host { accelerator: Accelerator::Tcg, memory_mib: 1, tsc_hz: 1 };
        let arguments = ["-c", script].map(str::to_owned);
        Process::start("sh", &arguments, None, &host, Path::new("/")).expect("there is a shell")
    }

    #[test]
    fn a_peer_that_ends_by_itself_is_an_error_with_its_last_words() {
        let mut process = start("echo no room; exit 3");
        while process.check().is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
        let error = process.check().expect_err("it has ended").to_string();
        assert!(error.contains("no room") && error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_peer_that_is_dropped_has_ended() {
        let process = start("exec sleep 60");
        let pid = process.pid();
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
