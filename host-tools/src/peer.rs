//! Other systems that Mayfly is measured beside, each one a file in `peers/`.

mod cpio;
mod debian;
mod linux;
mod process;
mod words;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use mayfly_qemu::{Accelerator, CommandLine};
use serde::Deserialize;

pub(crate) use self::process::Process;
pub(crate) use self::words::Host;
use crate::build::source_root;

/// The file in which a recipe notes what it made.
const VERSION: &str = "version";

/// A file in `peers/`: what makes one system.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// What it is called on command lines and in reports.
    pub(crate) name: String,
    /// What it is, for people.
    pub(crate) what: String,
    /// Its version. Without it: what its recipe noted.
    version: Option<String>,
    /// What the time from the spawn of its process to its first response holds: words that follow "it holds".
    pub(crate) includes: String,
    /// How it differs from what one gets without effort.
    pub(crate) tuned: Vec<String>,
    /// How to get it: a sentence that follows "is not prepared:".
    pub(crate) get: String,
    /// What prepares it. Without it, people do as `get` says.
    recipe: Option<Recipe>,
    /// What must be in its folder for it to be prepared.
    files: Vec<String>,
    /// The program that runs it.
    program: String,
    /// The program's arguments.
    arguments: Vec<String>,
    /// Where it serves, if that is no port of 127.0.0.1 that the command line is told.
    address: Option<SocketAddr>,
    /// It runs by KVM only.
    #[serde(default)]
    kvm: bool,
    /// It says where it is when it comes up, by a packet of its own. Else a connection that was opened before may wait for ever.
    #[serde(default)]
    pub(crate) announces: bool,
    /// What it is asked for. It is ready when it answers that with a success.
    pub(crate) path: String,
}

/// What can be prepared without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Recipe {
    Linux,
}

impl Peer {
    /// All peers, by name.
    pub(crate) fn all() -> anyhow::Result<Vec<Self>> {
        let folder = source_root()?.join("peers");
        let list = || format!("cannot list {}", folder.display());
        let mut peers = Vec::new();
        for entry in fs::read_dir(&folder).with_context(list)? {
            let path = entry.with_context(list)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                peers.push(Self::parse(&text, &path)?);
            }
        }
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(peers)
    }

    /// The peer that is called so.
    pub(crate) fn named(name: &str) -> anyhow::Result<Self> {
        let mut peers = Self::all()?;
        let Some(at) = peers.iter().position(|peer| peer.name == name) else {
            let names: Vec<_> = peers.iter().map(|peer| peer.name.as_str()).collect();
            bail!("there is no peer `{name}`; there are: {}", names.join(", "));
        };
        Ok(peers.swap_remove(at))
    }

    /// Reads the text of the file `path`.
    fn parse(text: &str, path: &Path) -> anyhow::Result<Self> {
        let place = path.display();
        let peer: Self = toml::from_str(text).with_context(|| format!("{place} does not describe a peer"))?;
        ensure!(
            path.file_stem().is_some_and(|stem| stem == peer.name.as_str()),
            "{place} describes a peer that is called `{}`: a peer is called as its file",
            peer.name
        );
        ensure!(
            peer.version.is_some() || peer.recipe.is_some(),
            "{place} gives no `version`, and there is no recipe that could note it"
        );
        ensure!(peer.path.starts_with('/'), "{place}: `path` is `{}` and must begin with a slash", peer.path);
        let words = || peer.arguments.iter().chain([&peer.program]);
        words().try_for_each(|word| words::check(word)).with_context(|| place.to_string())?;
        ensure!(
            peer.address.is_some() || words().any(|word| word.contains("{port}")),
            "{place}: the command line lacks {{port}}, so nobody could reach the peer; if it serves elsewhere, `address` says where"
        );
        Ok(peer)
    }

    /// Where it lies once it is prepared.
    fn folder(&self) -> anyhow::Result<PathBuf> {
        Ok(prepared()?.join(&self.name))
    }

    /// Is everything there that it is started from?
    fn is_prepared(&self) -> anyhow::Result<bool> {
        let folder = self.folder()?;
        Ok(folder.is_dir() && self.files.iter().all(|file| folder.join(file).is_file()))
    }

    /// Why it cannot be started where instructions are executed so, as a sentence; `None` if it can.
    pub(crate) fn missing(&self, accelerator: Accelerator) -> anyhow::Result<Option<String>> {
        let Self { name, get, .. } = self;
        Ok(match self.is_prepared()? {
            false => Some(format!("{name} is not prepared: {get}")),
            true if self.kvm && accelerator != Accelerator::Kvm => {
                Some(format!("{name} needs KVM, and this is measured under {accelerator}"))
            }
            true => None,
        })
    }

    /// What `mayfly bench --prepare` could make, and nobody has yet.
    pub(crate) fn can_be_made(&self) -> anyhow::Result<bool> {
        Ok(self.recipe.is_some() && !self.is_prepared()?)
    }

    /// Which version is prepared.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        match &self.version {
            Some(version) => Ok(version.clone()),
            None => {
                let path = self.folder()?.join(VERSION);
                let version = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                Ok(version.trim().to_owned())
            }
        }
    }

    /// Its version, and what it is.
    pub(crate) fn description(&self) -> anyhow::Result<String> {
        Ok(format!("{}, {}", self.version()?, self.what))
    }

    /// Prepares it: makes the files of its folder anew.
    pub(crate) fn prepare(&self) -> anyhow::Result<PathBuf> {
        let (parent, folder) = (prepared()?, self.folder()?);
        match self.recipe {
            Some(Recipe::Linux) => linux::prepare(&parent, &folder)?,
            None => bail!("{} has to be prepared by hand: {}", self.name, self.get),
        }
        Ok(folder)
    }

    /// Its command line on `host`, but for `{port}`, which differs from start to start.
    pub(crate) fn line(&self, host: &Host) -> anyhow::Result<CommandLine> {
        process::command_line(&self.program, &self.arguments, host, &self.folder()?, "{port}")
    }

    /// Starts it on `host`.
    pub(crate) fn start(&self, host: &Host) -> anyhow::Result<Process> {
        Process::start(&self.program, &self.arguments, self.address, host, &self.folder()?)
            .with_context(|| format!("{} cannot be started", self.name))
    }
}

/// The folder of the prepared peers.
fn prepared() -> anyhow::Result<PathBuf> {
    Ok(source_root()?.join("build/peers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOY: &str = r#"
name = "toy"
what = "a toy"
version = "1"
includes = "winding it up"
tuned = []
get = "carve it."
files = ["toy.elf"]
program = "{folder}/toy.elf"
arguments = ["--port", "{port}"]
path = "/"
"#;

    fn parse(text: &str) -> anyhow::Result<Peer> {
        Peer::parse(text, Path::new("peers/toy.toml"))
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = format!("{:#}", parse(text).expect_err(why));
        assert!(error.contains("peers/toy.toml") && error.contains(why), "{error}");
    }

    #[test]
    fn every_peer_file_parses() {
        let peers = Peer::all().expect("they parse");
        let names: Vec<_> = peers.iter().map(|peer| peer.name.as_str()).collect();
        assert_eq!(names, ["firecracker", "hermit", "linux", "nanos", "osv", "unikraft"]);
        for Peer { name, what, includes, tuned, get, .. } in &peers {
            for words in [what, includes, get].into_iter().chain(tuned) {
                assert!(
                    !words.trim().is_empty() && !words.ends_with('.'),
                    "{name}: a sentence goes on after `{words}`"
                );
            }
        }
    }

    #[test]
    fn firecrackers_configuration_names_files_that_are_asked_for() {
        let firecracker = Peer::named("firecracker").expect("there is one");
        let config =
            fs::read(source_root().expect("it is here").join("peers/firecracker/config.json")).expect("so is it");
        let config: serde_json::Value = serde_json::from_slice(&config).expect("it is JSON");
        for name in ["kernel_image_path", "initrd_path"] {
            let file = config["boot-source"][name].as_str().expect("it is named");
            assert!(firecracker.files.iter().any(|asked| asked == file), "{file}");
        }
        let tap = config["network-interfaces"][0]["host_dev_name"].as_str().expect("there is a card");
        let steps = include_str!("../../peers/firecracker.toml");
        assert!(steps.contains(&format!("ip tuntap add {tap} ")), "nobody makes {tap}");
    }

    #[test]
    fn a_peer_that_nobody_prepared_says_how_to_get_it() {
        let toy = parse(TOY).expect("it is a peer");
        let missing = toy.missing(Accelerator::Tcg).expect("it is told");
        assert_eq!(missing.as_deref(), Some("toy is not prepared: carve it."));
        let error = toy.prepare().expect_err("there is no recipe");
        assert_eq!(error.to_string(), "toy has to be prepared by hand: carve it.");
    }

    #[test]
    fn what_is_wrong_with_a_peer_file_is_said_with_its_place() {
        refused(&format!("{TOY}colour = 1"), "colour");
        refused(&TOY.replace("path = \"/\"", "path = \"hello\""), "must begin with a slash");
        refused(&TOY.replace("{port}", "8080"), "lacks {port}");
        refused(&TOY.replace("{folder}", "{house}"), "{house}");
        refused(&TOY.replace("version = \"1\"", ""), "no `version`");
        refused(&TOY.replace("name = \"toy\"", "name = \"doll\""), "called `doll`");
        refused(&format!("{TOY}address = \"10.0.2.15\""), "invalid socket address");
        refused(&TOY.replace("files", "recipe = \"cake\"\nfiles"), "expected `linux`");
    }

    #[test]
    fn a_peer_that_serves_at_an_address_of_its_own_needs_no_port() {
        let text = TOY.replace("\"--port\", \"{port}\"", "");
        refused(&text, "lacks {port}");
        let toy = parse(&format!("{text}address = \"10.0.2.15:8080\"")).expect("it is a peer");
        assert_eq!(toy.address.map(|address| address.to_string()).as_deref(), Some("10.0.2.15:8080"));
    }

    #[test]
    fn a_name_that_no_peer_has_is_refused_with_those_there_are() {
        let error = Peer::named("solaris").expect_err("there is none").to_string();
        assert!(error.contains("solaris") && error.contains("linux"), "{error}");
    }
}
