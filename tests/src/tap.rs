//! A network namespace with a tap interface, for what QEMU's own network cannot do: thousands of connections, and many
//! opened at once. It is gone when the program ends.

use std::env;
use std::ffi::OsStr;
use std::process::{self, Command};

use mayfly_qemu::GATEWAY;

use crate::tool;

/// The interface for [`mayfly_qemu::Launch::tap`].
pub const INTERFACE: &str = "mayfly0";
/// Says that the program is in its namespace.
const INSIDE: &str = "MAYFLY_TAP";

/// Starts this program again in a namespace of its own, where this returns; outside it ends with the same status. If
/// there can be no such namespace, it says why and ends in success.
pub fn enter() {
    if env::var_os(INSIDE).is_some() {
        for line in [
            format!("tuntap add dev {INTERFACE} mode tap"),
            format!("address add {GATEWAY}/24 dev {INTERFACE}"),
            format!("link set {INTERFACE} up"),
            "link set lo up".to_owned(),
        ] {
            tool::run("ip", line.split(' '), b"");
        }
        return;
    }
    let trial = inside("ip").args(["tuntap", "add", "dev", INTERFACE, "mode", "tap"]).output();
    let refusal = match trial {
        Ok(trial) if trial.status.success() => None,
        Ok(trial) => Some(String::from_utf8_lossy(&trial.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(refusal) = refusal {
        println!("skipped: no tap interface in a network namespace can be had here ({refusal}); try it as root");
        process::exit(0);
    }
    let program = env::current_exe().expect("a program knows where it is");
    let status = inside(program).args(env::args_os().skip(1)).env(INSIDE, "1").status();
    process::exit(status.ok().and_then(|status| status.code()).unwrap_or(1));
}

/// A program in a network namespace of its own, as the root of it.
fn inside(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--"]).arg(program);
    command
}
