//! `mayfly new`: a folder with a function that answers, to be edited into one's own.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::build::{is_name, name_rule, source_root};
use crate::unfinished::Unfinished;

/// Makes a folder with a new function in it.
///
/// The function is a Rust crate that answers with a greeting; edit its src/main.rs. Its mayfly.toml holds its route
/// and limits.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly new mine\n  mayfly build mine\n  mayfly run")]
pub struct Args {
    /// The function's name, and the folder's: letters a-z, digits and `-`.
    name: String,
}

/// Carries out `mayfly new`.
pub fn main(args: Args) -> Result<ExitCode> {
    let name = args.name;
    create(&name, Path::new("."))?;
    println!("{name}/src/main.rs is a function that answers at /{name}. Edit it, then type");
    println!("  cargo mayfly build {name}");
    println!("  cargo mayfly run");
    Ok(ExitCode::SUCCESS)
}

/// Makes the folder `name` in `parent`: all of it or, on an error, nothing.
pub fn create(name: &str, parent: &Path) -> Result<()> {
    // Cargo wants a letter in front.
    if !is_name(name) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        bail!("`{name}` cannot be a function's name; a name must start with a letter and be {}", name_rule());
    }
    let folder = parent.join(name);
    if folder.exists() {
        bail!("there is already a folder {name} here; take another name or remove it");
    }
    let source = source_root()?;
    let failed = || format!("cannot make the folder {}", folder.display());

    // Made under another name first, so that whoever sees the folder sees all of it.
    let unfinished = Unfinished::folder(parent).with_context(failed)?;
    let write = |file: &str, text: &str| fs::write(unfinished.path().join(file), text);
    fs::create_dir(unfinished.path().join("src")).with_context(failed)?;
    write("Cargo.toml", &cargo_toml(name, &source.join("sdk"))).with_context(failed)?;
    write("mayfly.toml", &mayfly_toml(name)).with_context(failed)?;
    write("src/main.rs", MAIN).with_context(failed)?;
    write(".gitignore", "/target\n").with_context(failed)?;
    // The versions that the SDK is tested with, already downloaded. Cargo drops what the function does not need.
    fs::copy(source.join("Cargo.lock"), unfinished.path().join("Cargo.lock")).with_context(failed)?;
    unfinished.finish(&folder).with_context(failed)
}

fn cargo_toml(name: &str, sdk: &Path) -> String {
    let sdk = toml::Value::from(sdk.to_string_lossy().into_owned());
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
publish = false

# A workspace of its own, wherever the folder lies.
[workspace]

[[bin]]
name = "{name}"
path = "src/main.rs"
# There is no standard library, so the test harness cannot be linked.
test = false
bench = false

[dependencies]
mayfly-sdk = {{ path = {sdk} }}

# For `cargo check` and editors. `mayfly build` has its own settings.
[profile.dev]
panic = "abort"
"#
    )
}

fn mayfly_toml(name: &str) -> String {
    format!(
        r#"# What the function is called, and where it answers.
name = "{name}"
route = "/{name}"

# What one invocation may use: memory (data and heap), time, and bytes of request and response body.
memory = "4M"
timeout = "1s"
request = "1M"
response = "1M"

# How many invocations may run at once.
concurrency = 8
"#
    )
}

const MAIN: &str = r#"#![no_std]
#![no_main]

use mayfly_sdk::{Request, Response};

mayfly_sdk::function!(answer);

/// Answers with a greeting for the name in the request body.
fn answer(request: &Request) -> Response {
    Response::text(format_args!("hello, {}\n", request.text().unwrap_or("world")))
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Manifest;

    #[test]
    fn the_folder_holds_a_manifest_that_build_accepts() {
        let parent = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
        create("my-fn", parent.path()).expect("made");
        let manifest = Manifest::read(&parent.path().join("my-fn")).expect("valid");
        assert_eq!((manifest.name.as_str(), manifest.route.as_str()), ("my-fn", "my-fn"));
        let cargo = fs::read_to_string(parent.path().join("my-fn/Cargo.toml")).expect("written");
        let cargo: toml::Table = cargo.parse().expect("TOML");
        assert!(Path::new(cargo["dependencies"]["mayfly-sdk"]["path"].as_str().expect("a path")).is_dir());
        assert!(parent.path().join("my-fn/src/main.rs").is_file());
    }

    #[test]
    fn the_defaults_it_writes_down_are_the_defaults() {
        let parse = |text: &str| Manifest::parse(text, Path::new("mayfly.toml")).expect("valid");
        assert_eq!(parse(&mayfly_toml("x")), parse("name = \"x\""));
    }

    #[test]
    fn an_existing_folder_and_a_bad_name_leave_nothing_behind() {
        let parent = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
        fs::create_dir(parent.path().join("taken")).expect("made");
        let error = create("taken", parent.path()).expect_err("taken").to_string();
        assert!(error.starts_with("there is already a folder taken here"), "{error}");
        for name in ["", "Mine", "1st", "-x", "a/b", "..", "a_b"] {
            let error = create(name, parent.path()).expect_err(name).to_string();
            assert!(error.contains("cannot be a function's name"), "{error}");
        }
        assert_eq!(fs::read_dir(parent.path()).expect("listed").count(), 1);
    }
}
