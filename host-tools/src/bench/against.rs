//! `mayfly bench --against REV`: this tree beside another revision, instructions exactly and time in turns.

mod times;
mod tree;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use mayfly_qemu::{Launch, accelerator};

use self::times::Times;
use self::tree::{Stop, Tree};
use self::verdict::Verdict;
use super::counted::Counted;
use super::session::{Common, Metric};
use crate::build::{self, Manifest, source_root};
use crate::results::{Environment, Image};

/// Where revisions are built, from the source tree's root. What was compiled stays there.
const FOLDER: &str = "build/against";
/// What is built if nothing else is said.
const FUNCTION: &str = "functions/hello";

/// Options of a comparison.
#[derive(clap::Args)]
pub(super) struct Comparison {
    /// Compare this source tree, as it is, with another git revision of it, such as HEAD~1.
    ///
    /// The revision is checked out in a worktree and builds the same functions by its own `mayfly build`. Then both images
    /// boot and answer in turns. The verdict: which phase of a boot and of a request takes how many instructions more, and
    /// time with the confidence interval of the difference.
    #[arg(long, value_name = "REV")]
    against: Option<String>,
    /// Folders of the functions to build with --against, of which the first is asked. Without any: functions/hello.
    #[arg(value_name = "DIR", conflicts_with = "prepare")]
    dirs: Vec<PathBuf>,
    /// With --against: how many boots and rounds of requests are timed of each.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "against",
        value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// With --against: insn leaves the time out.
    #[arg(long, value_name = "METRIC", default_value = "time", requires = "against")]
    metric: Metric,
    /// With --against: what executes the machines' instructions while time is taken: auto, tcg or kvm.
    #[arg(long, value_name = "NAME", default_value = "auto", requires = "against")]
    accel: accelerator::Choice,
}

/// Carries out `mayfly bench --against REV`.
pub(super) fn main(args: &Comparison) -> anyhow::Result<ExitCode> {
    let Some(revision) = &args.against else {
        let name = args.dirs.first().map_or_else(String::new, |dir| dir.display().to_string());
        bail!(
            "there is no benchmark `{name}`: `mayfly bench --help` lists them; folders of functions go with --against REV"
        );
    };
    let common = Common::of(args.metric, args.accel);
    let verdict = common.accelerator()?;
    let root = source_root()?;
    let folder = root.join(FOLDER);
    let dirs = if args.dirs.is_empty() { vec![root.join(FUNCTION)] } else { args.dirs.clone() };
    let first = dirs.first().context("there is no function to build")?;
    let path = format!("/{}", Manifest::read(first)?.route);

    let stop = Stop::on_ctrl_c()?;
    let tree = Tree::check_out(&root, revision, &folder)?;
    let images = [folder.join("before.elf"), folder.join("now.elf")];
    tree.build(&of_tree(&dirs, &root, &tree)?, &images[0], &stop)?;
    stop.check()?;
    build::build(&dirs, &images[1], None)?;
    stop.check()?;

    let launch = common.launch("{image}", &verdict);
    let [before, now] = [Image::of(&images[0])?, Image::of(&images[1])?];
    let mut environment = Environment::gather(now.clone(), &launch, &verdict)?;
    if common.counts() {
        environment.host = None;
    }
    println!("this tree against {revision} ({}): GET {path}\n{environment}\n", tree.commit);
    if environment.git.as_ref().is_some_and(|git| !git.clean) {
        println!("this tree has changes that are in no commit; it is measured as it is\n");
    }
    if before.sha256 == now.sha256 {
        println!("no difference: both build the same image, byte for byte");
        return Ok(ExitCode::SUCCESS);
    }
    let counted = |image: &Path, whose: &str| {
        stop.check()?;
        Counted::of(&Launch::new(image), &path)
            .with_context(|| format!("the instructions of {whose} cannot be counted"))
    };
    let [before, now] = [counted(&images[0], revision)?, counted(&images[1], "this tree")?];
    let times = if common.counts() {
        None
    } else {
        let images = [images[0].as_path(), images[1].as_path()];
        Some(Times::take(images, &path, &verdict, args.runs, &stop)?)
    };
    print!("{}", Verdict::of(revision, &before, &now, times));
    Ok(ExitCode::SUCCESS)
}

/// The same folders in the other revision. Those that lie outside of the source tree are the same.
fn of_tree(dirs: &[PathBuf], root: &Path, tree: &Tree) -> anyhow::Result<Vec<PathBuf>> {
    let of = |dir: &PathBuf| {
        let dir = dir.canonicalize().with_context(|| format!("cannot find {}", dir.display()))?;
        let Ok(inside) = dir.strip_prefix(root) else { return Ok(dir) };
        let there = tree.path().join(inside);
        ensure!(there.is_dir(), "`{}` has no {}", tree.revision, inside.display());
        Ok(there)
    };
    dirs.iter().map(of).collect()
}
