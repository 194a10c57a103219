//! The manifest: what is accepted keeps its limits, says the same when it is written out, and has no unknown key.

use std::path::Path;

use mayfly::build::{Manifest, ManifestError, is_name, show_size};
use mayfly_abi::PAGE;
use mayfly_abi::domain::{BODY_MAX, MEMORY_MAX};
use mayfly_abi::image::{Isolation, NAME_MAX, ROUTE_MAX};

/// What errors call the file.
const FILE: &str = "f/mayfly.toml";

/// Reads the bytes as a manifest.
pub fn run(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    match Manifest::parse(text, Path::new(FILE)) {
        Ok(manifest) => {
            within_limits(&manifest);
            assert_eq!(parse(&write(&manifest)), manifest, "what was written out says something else");
            unknown_key(text);
            true
        }
        Err(error) => {
            explained(&error, text);
            false
        }
    }
}

fn parse(text: &str) -> Manifest {
    match Manifest::parse(text, Path::new(FILE)) {
        Ok(manifest) => manifest,
        Err(error) => panic!("{error}, in:\n{text}"),
    }
}

/// The limits of docs/writing-functions.md, and those that the image's records and the kernel have.
fn within_limits(manifest: &Manifest) {
    let Manifest { file, name, route, memory, timeout_ms, request, response, concurrency, isolation, .. } = manifest;
    assert_eq!(file, Path::new(FILE));
    assert!(is_name(name) && name.len() <= NAME_MAX && !name.starts_with('-'));
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    // A route is compared with a path as it comes, and stands in a 404 as it is.
    assert!((1..=ROUTE_MAX).contains(&route.len()) && route != "." && route != "..");
    assert!(route.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%\"\\".contains(&byte)), "{route}");
    assert!((16 * PAGE..=MEMORY_MAX).contains(memory) && memory.is_multiple_of(PAGE));
    assert_eq!(u64::from(manifest.memory_pages()) * PAGE, *memory);
    assert!((1..=900_000).contains(timeout_ms) && (1..=1000).contains(concurrency));
    assert_eq!(Isolation::named(isolation.name()), Some(*isolation));
    assert!(u64::from(*request) <= BODY_MAX && u64::from(*response) <= BODY_MAX);
}

/// The manifest as its author would write it with every key.
fn write(manifest: &Manifest) -> String {
    let Manifest {
        file: _,
        name,
        program,
        route,
        memory,
        timeout_ms,
        request,
        response,
        concurrency,
        init_at_build,
        isolation,
    } = manifest;
    let [memory, request, response] = [*memory, u64::from(*request), u64::from(*response)].map(show_size);
    let program = program.as_deref().map_or(String::new(), |program| {
        // Beside the manifest, unless it is somewhere else altogether.
        let program = program.strip_prefix("f").unwrap_or(program).to_str().expect("it was text");
        let escaped: String = program.chars().map(|letter| format!("\\U{:08x}", u32::from(letter))).collect();
        format!("program = \"{escaped}\"\n")
    });
    format!(
        "name = \"{name}\"\n{program}route = \"/{route}\"\nmemory = \"{memory}\"\ntimeout = \"{timeout_ms}ms\"\n\
         request = \"{request}\"\nresponse = \"{response}\"\nconcurrency = {concurrency}\n\
         init = \"{}\"\nisolation = \"{}\"\n",
        if *init_at_build { "build" } else { "first-use" },
        isolation.name()
    )
}

/// One key more that nobody knows, and it is refused by name.
fn unknown_key(text: &str) {
    match Manifest::parse(&format!("{text}\nzeal = 1\n"), Path::new(FILE)) {
        Err(ManifestError::Syntax { message, .. }) => assert!(message.contains("unknown key `zeal`"), "{message}"),
        other => panic!("an unknown key gave {other:?}"),
    }
}

/// An error is a sentence about this file, and a line that it names exists.
fn explained(error: &ManifestError, text: &str) {
    assert!(error.to_string().starts_with(FILE), "{error}");
    if let ManifestError::Syntax { line, message, .. } = error {
        assert!((1..=1 + text.matches('\n').count()).contains(line), "line {line} of {text:?}");
        assert!(!message.is_empty());
    }
}
