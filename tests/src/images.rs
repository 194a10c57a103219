//! The images that are booted, built by `mayfly build` as a person would: what many tests share once in each process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use mayfly::build::Format;
use mayfly_abi::image::Isolation;
use mayfly_qemu::MachineType;

use crate::many;

/// The example functions, by folder.
const EXAMPLES: [&str; 7] = ["hello", "echo", "sha256", "qr", "json", "wordcount", "factors"];
/// The functions that attack the kernel.
pub const HOSTILE: [&str; 8] = ["fault", "peek", "instruction", "badcall", "forge", "remember", "spin", "hog"];

/// Functions of [`many`] on the disk of [`large_disk`]: an image of some 9 MB, which OVMF leaves no room for at 1 MiB.
const LARGE: u32 = 2_000;
/// Functions of [`many`] in the image of [`ten_thousand`].
pub const MANY: u32 = 10_000;

/// The image with every example function and every hostile one.
pub fn all() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| build("all.elf", everything()));
    &IMAGE
}

fn everything() -> impl Iterator<Item = String> {
    let hostile = HOSTILE.map(|name| format!("functions/hostile/{name}"));
    EXAMPLES.map(|name| format!("functions/{name}")).into_iter().chain(hostile)
}

/// The image with hello, echo and the functions that measure the machine.
pub fn measuring() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        let measuring = ["probe", "count", "random", "touch", "frozen"].map(|name| format!("tests/functions/{name}"));
        build("measuring.elf", ["functions/hello", "functions/echo"].map(str::to_owned).into_iter().chain(measuring))
    });
    &IMAGE
}

/// The image with nothing but hello.
pub fn hello() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| build("hello.elf", ["functions/hello".to_owned()]));
    &IMAGE
}

/// A disk with the image [`all`]: the same bytes.
pub fn disk() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| wrap(all(), Format::Disk));
    &IMAGE
}

/// An ISO with the image [`all`]: the same bytes.
pub fn iso() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| wrap(all(), Format::Iso));
    &IMAGE
}

/// An ISO with the functions of [`all`], whose kernel checks every domain after its reset.
pub fn checked_iso() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> =
        LazyLock::new(|| build_iso("all-checked.iso", Isolation::Tables, "verify_reset=1"));
    &IMAGE
}

/// The same, its domains' translations told apart by number. Its kernel is told how fast the clock of tests/bochs/bochsrc runs,
/// for the processor says how fast a real one's does.
pub fn numbered_iso() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> =
        LazyLock::new(|| build_iso("all-pcid.iso", Isolation::TablesPcid, "verify_reset=1 tsc_hz=50000000"));
    &IMAGE
}

/// An image as a machine boots it: itself, or a disk or an ISO with it.
pub fn for_machine(image: &Path, machine: &MachineType) -> PathBuf {
    let format = match machine.format() {
        "elf" => return image.to_owned(),
        "iso" => Format::Iso,
        _ => Format::Disk,
    };
    if image == all() {
        return if format == Format::Iso { iso() } else { disk() }.to_owned();
    }
    let is_elf = image.extension().is_some_and(|extension| extension == "elf");
    if is_elf { wrap(image, format) } else { image.to_owned() }
}

/// A disk with so many functions that firmware has taken memory where the image is linked.
pub fn large_disk() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        let folders = many::Folders::write(LARGE).expect("there is room");
        let path = folders.path().to_str().expect("its name is ASCII").to_owned();
        build("large.img", ["functions/hello".to_owned(), path, "--format".to_owned(), "disk".to_owned()])
    });
    &IMAGE
}

/// The image with hello and ten thousand functions of [`many`].
pub fn ten_thousand() -> &'static Path {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| {
        let folders = many::Folders::write(MANY).expect("there is room");
        let path = folders.path().to_str().expect("its name is ASCII").to_owned();
        build("ten-thousand.elf", ["functions/hello".to_owned(), path])
    });
    &IMAGE
}

/// The image with hello and a few hostile functions, held apart as `isolation` says.
pub fn isolated(isolation: Isolation) -> PathBuf {
    let functions = ["hello", "hostile/spin", "hostile/fault", "hostile/instruction"];
    let options = ["--isolation", isolation.name()].map(str::to_owned);
    let arguments = functions.map(|name| format!("functions/{name}")).into_iter().chain(options);
    build(&format!("isolated-{}.elf", isolation.name()), arguments)
}

/// The routes of [`all`], sorted.
pub fn routes() -> Vec<&'static str> {
    let mut routes: Vec<_> = EXAMPLES.into_iter().chain(HOSTILE).collect();
    routes.sort_unstable();
    routes
}

/// The source tree's root.
pub fn source_root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A place for a file beside the images.
pub fn place(name: &str) -> PathBuf {
    // This program is PROFILE/deps/NAME in cargo's target folder.
    let program = env::current_exe().expect("a program knows where it is");
    program.ancestors().nth(2).expect("cargo puts it two folders deep").join("images").join(name)
}

/// The `mayfly` command, to be given arguments, in the source tree's root.
pub fn mayfly() -> Command {
    // Set by cargo, so that the same toolchain goes on.
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(source_root()).arg("mayfly");
    command
}

/// A disk or an ISO with an image, beside it.
fn wrap(image: &Path, format: Format) -> PathBuf {
    let bytes = fs::read(image).expect("it was built");
    let (extension, words) = if format == Format::Disk { ("img", "gw=10.0.2.2") } else { ("iso", "") };
    let wrapped = mayfly::build::wrap(format, bytes, words).unwrap_or_else(|error| panic!("{error:#}"));
    let path = image.with_extension(extension);
    fs::write(&path, wrapped).expect("a file beside the images can be written");
    path
}

fn build_iso(name: &str, isolation: Isolation, words: &str) -> PathBuf {
    let options = ["--format", "iso", "--append", words, "--isolation", isolation.name()];
    build(name, everything().chain(options.map(str::to_owned)))
}

fn build(name: &str, functions: impl IntoIterator<Item = String>) -> PathBuf {
    let image = place(name);
    let output = mayfly().arg("build").args(functions).arg("--output").arg(&image).output().expect("cargo runs");
    assert!(output.status.success(), "{name} cannot be built\n{}", String::from_utf8_lossy(&output.stderr));
    image
}
