//! Debian's packages, downloaded and unpacked without installing them, so without root rights.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// What `program` prints. `what` is what it was to do, for the error.
pub(super) fn output(program: &str, folder: &Path, arguments: &[&str], what: &str) -> anyhow::Result<Vec<u8>> {
    let output =
        Command::new(program).current_dir(folder).args(arguments).output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => anyhow::anyhow!(
                "{program} is not installed: this peer is made from Debian's packages, on Debian or a relative of it"
            ),
            _ => anyhow::Error::new(error).context(format!("cannot run {program}")),
        })?;
    if !output.status.success() {
        bail!("cannot {what}: {program} says\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(output.stdout)
}

/// The one package that `package` stands for: a name without a version leads to the one with it.
pub(super) fn resolve(package: &str) -> anyhow::Result<String> {
    let arguments = ["depends", "--no-recommends", "--no-suggests", package];
    let answer = output("apt-cache", Path::new("."), &arguments, &format!("look up {package}"))?;
    first_dependency(&String::from_utf8_lossy(&answer))
        .with_context(|| format!("apt knows no package that {package} stands for; `apt-get update` may help"))
}

fn first_dependency(answer: &str) -> Option<String> {
    answer.lines().find_map(|line| Some(line.trim().strip_prefix("Depends:")?.trim().to_owned()))
}

/// A package's file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deb {
    pub(super) path: PathBuf,
    pub(super) version: String,
}

/// Downloads `package` into `folder`. apt-get leaves a file that is there already and right.
pub(super) fn download(package: &str, folder: &Path) -> anyhow::Result<Deb> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let advice = format!("download {package} (if apt's lists of packages are old: `apt-get update`)");
    let answer = output("apt-cache", folder, &["show", "--no-all-versions", package], &advice)?;
    let deb = described(package, &String::from_utf8_lossy(&answer), folder)
        .with_context(|| format!("apt-cache names no version of {package}"))?;
    output("apt-get", folder, &["download", package], &advice)?;
    Ok(deb)
}

/// The file that `apt-get download` makes of the package that `apt-cache show` describes.
fn described(package: &str, answer: &str, folder: &Path) -> Option<Deb> {
    let field = |name| answer.lines().find_map(|line| line.strip_prefix(name));
    let (version, architecture) = (field("Version: ")?, field("Architecture: ")?);
    let name = format!("{package}_{}_{architecture}.deb", version.replace(':', "%3a"));
    Some(Deb { path: folder.join(name), version: version.to_owned() })
}

/// Unpacks the files of a package into `folder`.
pub(super) fn unpack(deb: &Deb, folder: &Path) -> anyhow::Result<()> {
    let (deb, to) = (deb.path.to_string_lossy(), folder.to_string_lossy());
    output("dpkg-deb", Path::new("."), &["--extract", &deb, &to], &format!("unpack {deb}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_version_leads_to_the_one_with_it() {
        let answer = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Depends: other\n";
        assert_eq!(first_dependency(answer).as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(first_dependency("linux-image-cloud-amd64\n"), None);
    }

    #[test]
    fn the_file_that_apt_downloads_is_named_by_package_version_and_architecture() {
        let answer = "Package: l\nVersion: 1:6.1-2\nInstalled-Size: 7\nArchitecture: amd64\n";
        let deb = Deb { path: PathBuf::from("/d/l_1%3a6.1-2_amd64.deb"), version: "1:6.1-2".to_owned() };
        assert_eq!(described("l", answer, Path::new("/d")), Some(deb));
        assert_eq!(described("l", "Package: l\n", Path::new("/d")), None);
    }

    #[test]
    fn a_program_that_is_missing_or_fails_is_told_in_a_sentence() {
        let missing = output("no-such-apt", Path::new("."), &[], "x").expect_err("it is missing").to_string();
        assert!(missing.starts_with("no-such-apt is not installed: "), "{missing}");
        let failed =
            output("sh", Path::new("."), &["-c", "echo full >&2; exit 1"], "put it down").expect_err("it fails");
        assert_eq!(failed.to_string(), "cannot put it down: sh says\nfull");
    }
}
