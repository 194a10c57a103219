//! Which other systems are measured beside Mayfly: those that are asked for, or else all that are prepared.

use anyhow::{bail, ensure};
use mayfly_qemu::Accelerator;

use super::session::{Session, Subject};
use crate::machine_choice::MachineChoice;
use crate::peer::{Host, Peer};

/// Options of benchmarks that other systems take part in.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Choice {
    /// A peer to measure beside; may be given more than once. Without it: every peer that is prepared.
    #[arg(long, value_name = "NAME")]
    peer: Vec<String>,
    /// Measure Mayfly alone.
    #[arg(long, conflicts_with = "peer")]
    no_peers: bool,
}

/// The peers of a benchmark.
#[derive(Debug)]
pub(super) struct Peers {
    /// Those that are measured.
    pub(super) ready: Vec<Peer>,
    /// Those that cannot be, and why, as a sentence.
    absent: Vec<(Peer, String)>,
}

impl Choice {
    /// Mayfly alone.
    pub(super) fn none() -> Self {
        Self { peer: Vec::new(), no_peers: true }
    }

    /// The choice for a measurement on this machine: peers run on the usual one only.
    pub(super) fn on(&self, machine: &MachineChoice) -> anyhow::Result<Self> {
        if machine.is_usual() {
            return Ok(self.clone());
        }
        let (usual, this) = (&MachineChoice::usual().kind.name, &machine.kind.name);
        ensure!(self.peer.is_empty(), "other systems are measured on {usual} only: leave out --peer or --machine");
        if !self.no_peers {
            println!(
                "other systems are left out: they run on {usual}, and their times say nothing beside those of {this}"
            );
        }
        Ok(Self::none())
    }

    /// The same choice as words of a command line.
    pub(super) fn words(&self) -> Vec<String> {
        let named = self.peer.iter().flat_map(|name| ["--peer".to_owned(), name.clone()]);
        named.chain(self.no_peers.then(|| "--no-peers".to_owned())).collect()
    }

    /// The peers that are meant, none of them started yet.
    pub(super) fn wanted(&self) -> anyhow::Result<Vec<Peer>> {
        match self {
            Self { no_peers: true, .. } => Ok(Vec::new()),
            Self { peer, .. } if peer.is_empty() => Peer::all(),
            Self { peer, .. } => peer.iter().map(|name| Peer::named(name)).collect(),
        }
    }

    /// Looks which of them can run by `accelerator`. One that was named has to.
    pub(super) fn find(&self, accelerator: Accelerator) -> anyhow::Result<Peers> {
        let (mut ready, mut absent) = (Vec::new(), Vec::new());
        for peer in self.wanted()? {
            match peer.missing(accelerator)? {
                None => ready.push(peer),
                Some(sentence) if self.peer.is_empty() => absent.push((peer, sentence)),
                Some(sentence) => bail!(sentence),
            }
        }
        Ok(Peers { ready, absent })
    }
}

impl Peers {
    /// Says which systems are not measured, and leaves a result without figures of each.
    pub(super) fn note_absent(&self, session: &mut Session, host: &Host) -> anyhow::Result<()> {
        for (peer, sentence) in &self.absent {
            println!("{sentence}");
            let line = peer.line(host)?.to_string();
            session.add_of(Subject { system: peer.name.clone(), line, notes: vec![sentence.clone()] }, [], 0, []);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Choice {
        Choice { peer: names.iter().map(|name| (*name).to_owned()).collect(), no_peers: false }
    }

    #[test]
    fn a_choice_can_be_handed_on() {
        assert_eq!(named(&["linux", "osv"]).words(), ["--peer", "linux", "--peer", "osv"]);
        assert_eq!((named(&[]).words(), Choice::none().words()), (vec![], vec!["--no-peers".to_owned()]));
    }

    #[test]
    fn a_peer_that_cannot_run_is_left_out_with_a_sentence_unless_it_was_named() {
        let all = named(&[]).find(Accelerator::Tcg).expect("the files parse");
        let (_, sentence) = all.absent.iter().find(|(peer, _)| peer.name == "firecracker").expect("it needs KVM");
        assert!(sentence.starts_with("firecracker "), "{sentence}");
        assert!(all.ready.iter().all(|peer| peer.name != "firecracker"));
        let error = named(&["firecracker"]).find(Accelerator::Tcg).expect_err("it was named").to_string();
        assert_eq!(&error, sentence);
        assert_eq!(Choice::none().find(Accelerator::Tcg).expect("nothing is looked for").ready, []);
    }
}
