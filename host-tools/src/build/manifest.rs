//! `mayfly.toml`: a function's name, route and limits, read and checked against what the kernel can keep.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mayfly_abi::domain::{BODY_MAX, MEMORY_MAX};
use mayfly_abi::image::{Isolation, NAME_MAX, ROUTE_MAX};
use mayfly_abi::{PAGE, page_up};
use serde::Deserialize;

use super::quantity::{parse_size, parse_time_ms, show_size};

/// Name of the manifest beside a function's sources.
pub(super) const FILE_NAME: &str = "mayfly.toml";

/// Least bytes of private memory that a manifest may allow.
pub(super) const MEMORY_MIN: u64 = 64 << 10;
/// Most milliseconds that a manifest may allow an invocation.
pub(super) const TIMEOUT_MAX_MS: u64 = 15 * 60 * 1000;
/// Most invocations at once that a manifest may allow.
pub(super) const CONCURRENCY_MAX: u32 = 1000;

/// What a manifest says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The file it was read from.
    pub file: PathBuf,
    /// Name of the function.
    pub name: String,
    /// Its executable, if it is not built from what lies beside the manifest.
    pub program: Option<PathBuf>,
    /// First path segment that reaches it, without the slash.
    pub route: String,
    /// Most bytes of private memory (data and heap), a multiple of a page.
    pub memory: u64,
    /// Most milliseconds an invocation may take.
    pub timeout_ms: u32,
    /// Most bytes of a request's body.
    pub request: u32,
    /// Most bytes of a response's body.
    pub response: u32,
    /// Most invocations at once.
    pub concurrency: u32,
    /// Whether it is initialised when the image is built, rather than before its first request.
    pub init_at_build: bool,
    /// What holds it and all others in its image apart.
    pub isolation: Isolation,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The folder is none.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// The folder holds none.
    #[error("neither {} nor a folder in it has a {FILE_NAME}; `mayfly new NAME` makes a function's folder", .0.display())]
    Missing(PathBuf),
    /// It is there but cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// Not TOML, a key that is none, or a value of the wrong type.
    #[error("{}, line {line}: {message}", file.display())]
    Syntax {
        /// The manifest.
        file: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What the TOML reader says; for an unknown key it lists the known ones.
        message: String,
    },
    /// A value outside what is allowed.
    #[error("{}: `{key} = {value}` is not possible; {key} must be {allowed}", file.display())]
    Value {
        /// The manifest.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value, as TOML.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Two functions that the kernel could not tell apart.
    #[error("{} and {} both say {key} `{value}`; change one of them", first.display(), second.display())]
    Same {
        /// One manifest.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// `name` or `route`.
        key: &'static str,
        /// What both say.
        value: String,
    },
}

/// The manifest as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    program: Option<PathBuf>,
    route: Option<String>,
    #[serde(default = "four_mib")]
    memory: String,
    #[serde(default = "one_second")]
    timeout: String,
    #[serde(default = "one_mib")]
    request: String,
    #[serde(default = "one_mib")]
    response: String,
    #[serde(default = "eight")]
    concurrency: i64,
    isolation: Option<String>,
    #[serde(default = "first_use")]
    init: String,
}

fn first_use() -> String {
    "first-use".into()
}

fn four_mib() -> String {
    "4M".into()
}

fn one_second() -> String {
    "1s".into()
}

fn one_mib() -> String {
    "1M".into()
}

fn eight() -> i64 {
    8
}

impl Manifest {
    /// Reads and checks the manifest in `dir`.
    pub fn read(dir: &Path) -> Result<Self, ManifestError> {
        let file = dir.join(FILE_NAME);
        match fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text, &file),
            Err(_) if !dir.is_dir() => Err(ManifestError::NoFolder(dir.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ManifestError::Missing(dir.into())),
            Err(error) => Err(ManifestError::Read(file, error)),
        }
    }

    /// Checks a manifest's text; `file` is what errors call it.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ManifestError> {
        let written: Written = toml::from_str(text).map_err(|error| ManifestError::Syntax {
            file: file.into(),
            line: 1 + text[..error.span().map_or(0, |span| span.start)].matches('\n').count(),
            message: error.message().replace("unknown field", "unknown key").replace("missing field", "missing key"),
        })?;
        let wrong = |key, value: toml::Value, allowed: String| ManifestError::Value {
            file: file.into(),
            key,
            value: value.to_string(),
            allowed,
        };

        let name = written.name;
        if !is_name(&name) {
            return Err(wrong("name", name.into(), name_rule()));
        }
        let route = written.route.unwrap_or_else(|| format!("/{name}"));
        let Some(segment) = route.strip_prefix('/').filter(|segment| is_route(segment)) else {
            let allowed = format!("\"/\" and one path segment of 1 to {ROUTE_MAX} letters, digits, `-`, `.`, `_`, `~`");
            return Err(wrong("route", route.into(), allowed));
        };

        let limit = |key, text: String, range: std::ops::RangeInclusive<u64>| match parse_size(&text) {
            Some(bytes) if range.contains(&bytes) => Ok(bytes),
            _ => {
                let allowed =
                    format!("a size from \"{}\" to \"{}\"", show_size(*range.start()), show_size(*range.end()));
                Err(wrong(key, text.into(), allowed))
            }
        };
        let memory = limit("memory", written.memory, MEMORY_MIN..=MEMORY_MAX)?;
        let request = limit("request", written.request, 0..=BODY_MAX)?;
        let response = limit("response", written.response, 0..=BODY_MAX)?;
        let timeout_ms = match parse_time_ms(&written.timeout) {
            Some(ms) if (1..=TIMEOUT_MAX_MS).contains(&ms) => ms as u32,
            _ => return Err(wrong("timeout", written.timeout.into(), "a time from \"1ms\" to \"15min\"".into())),
        };
        let concurrency = match u32::try_from(written.concurrency) {
            Ok(count @ 1..=CONCURRENCY_MAX) => count,
            _ => {
                let allowed = format!("a number from 1 to {CONCURRENCY_MAX}");
                return Err(wrong("concurrency", written.concurrency.into(), allowed));
            }
        };
        let isolation = match written.isolation {
            None => Isolation::Tables,
            Some(name) => Isolation::named(&name).ok_or_else(|| wrong("isolation", name.into(), isolation_rule()))?,
        };
        let init_at_build = match written.init.as_str() {
            "first-use" => false,
            "build" => true,
            _ => return Err(wrong("init", written.init.into(), "\"first-use\" or \"build\"".into())),
        };
        Ok(Self {
            file: file.into(),
            program: written.program.map(|program| file.with_file_name(program)),
            route: segment.into(),
            name,
            memory: page_up(memory),
            timeout_ms,
            // Both are at most BODY_MAX.
            request: request as u32,
            response: response as u32,
            concurrency,
            isolation,
            init_at_build,
        })
    }

    /// Refuses two functions of one image with the same name or the same route.
    pub fn check_distinct<'a>(manifests: impl IntoIterator<Item = &'a Self>) -> Result<(), ManifestError> {
        let (mut names, mut routes) = (HashMap::new(), HashMap::new());
        for manifest in manifests {
            for (key, value, seen) in [("name", &manifest.name, &mut names), ("route", &manifest.route, &mut routes)] {
                if let Some(first) = seen.insert(value, &manifest.file) {
                    let value = if key == "route" { format!("/{value}") } else { value.clone() };
                    let (first, second) = (first.clone(), manifest.file.clone());
                    return Err(ManifestError::Same { first, second, key, value });
                }
            }
        }
        Ok(())
    }

    /// Most pages of private memory.
    pub fn memory_pages(&self) -> u32 {
        // At most MEMORY_MAX / PAGE.
        (self.memory / PAGE) as u32
    }
}

/// Whether `name` may be a function's name.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// What [`is_name`] asks for, as the end of a sentence.
pub fn name_rule() -> String {
    format!("1 to {NAME_MAX} of the characters a-z, 0-9 and `-`, and not start with `-`")
}

/// What an isolation may be, as the end of a sentence.
pub(super) fn isolation_rule() -> String {
    let names: Vec<_> = Isolation::ALL.iter().map(|isolation| format!("\"{}\"", isolation.name())).collect();
    format!("one of {}", names.join(", "))
}

/// Whether `segment` may be a route: unreserved characters of RFC 3986, and not a relative segment.
fn is_route(segment: &str) -> bool {
    (1..=ROUTE_MAX).contains(&segment.len())
        && !matches!(segment, "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, String> {
        Manifest::parse(text, Path::new("f/mayfly.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_alone_gets_the_defaults() {
        let manifest = parse("name = \"hello\"").expect("valid");
        assert_eq!(
            manifest,
            Manifest {
                file: "f/mayfly.toml".into(),
                name: "hello".into(),
                program: None,
                route: "hello".into(),
                memory: 4 << 20,
                timeout_ms: 1000,
                request: 1 << 20,
                response: 1 << 20,
                concurrency: 8,
                isolation: Isolation::Tables,
                init_at_build: false,
            }
        );
        assert_eq!(manifest.memory_pages(), 1024);
    }

    #[test]
    fn every_key_is_heeded() {
        let text = "name = \"a-1\"\nprogram = \"out/a.elf\"\nroute = \"/A.b_c~\"\nmemory = \"65K\"\ntimeout = \"15min\"\n\
                    request = \"0\"\nresponse = \"64M\"\nconcurrency = 1000\n\
                    isolation = \"tables-pcid\"";
        let manifest = parse(text).expect("valid");
        assert_eq!((manifest.name.as_str(), manifest.route.as_str()), ("a-1", "A.b_c~"));
        assert_eq!(manifest.program.as_deref(), Some(Path::new("f/out/a.elf")), "it is looked for beside the manifest");
        assert_eq!(manifest.memory, 68 << 10, "memory is counted in whole pages");
        assert_eq!(manifest.timeout_ms, 900_000);
        assert_eq!((manifest.request, manifest.response, manifest.concurrency), (0, 64 << 20, 1000));
        assert_eq!(manifest.isolation, Isolation::TablesPcid);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_known_ones() {
        let error = parse("name = \"x\"\nmemroy = \"4M\"").expect_err("unknown key");
        assert!(error.starts_with("f/mayfly.toml, line 2: unknown key `memroy`, expected one of `name`"), "{error}");
        for key in ["program", "route", "memory", "timeout", "request", "response", "concurrency"] {
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn an_impossible_value_is_refused_with_file_key_and_range() {
        for (line, key, allowed) in [
            ("memory = \"60K\"", "memory", "from \"64K\" to \"512M\""),
            ("memory = \"513M\"", "memory", "from \"64K\" to \"512M\""),
            ("memory = \"four\"", "memory", "from \"64K\" to \"512M\""),
            ("memory = \"99999999999999999M\"", "memory", "from \"64K\" to \"512M\""),
            ("memory = \"+1M\"", "memory", "from \"64K\" to \"512M\""),
            ("timeout = \"0ms\"", "timeout", "from \"1ms\" to \"15min\""),
            ("timeout = \"901s\"", "timeout", "from \"1ms\" to \"15min\""),
            ("timeout = \"5\"", "timeout", "from \"1ms\" to \"15min\""),
            ("timeout = \"s\"", "timeout", "from \"1ms\" to \"15min\""),
            ("request = \"65M\"", "request", "from \"0\" to \"64M\""),
            ("response = \"-1\"", "response", "from \"0\" to \"64M\""),
            ("concurrency = 0", "concurrency", "from 1 to 1000"),
            ("concurrency = 1001", "concurrency", "from 1 to 1000"),
            ("concurrency = -1", "concurrency", "from 1 to 1000"),
            ("init = \"now\"", "init", "\"first-use\" or \"build\""),
            ("isolation = \"vm\"", "isolation", "one of \"tables\", \"tables-pcid\", \"none\""),
            ("route = \"hello\"", "route", "one path segment"),
            ("route = \"/\"", "route", "one path segment"),
            ("route = \"/a/b\"", "route", "one path segment"),
            ("route = \"/..\"", "route", "one path segment"),
            ("route = \"/a%20b\"", "route", "one path segment"),
        ] {
            let error = parse(&format!("name = \"x\"\n{line}")).expect_err(line);
            assert!(error.starts_with(&format!("f/mayfly.toml: `{line}` is not possible; {key} must be ")), "{error}");
            assert!(error.contains(allowed), "{error}");
        }
    }

    #[test]
    fn names_and_routes_have_a_longest_length() {
        let name = "n".repeat(NAME_MAX);
        let route = "r".repeat(ROUTE_MAX);
        assert!(parse(&format!("name = \"{name}\"\nroute = \"/{route}\"")).is_ok());
        assert!(parse(&format!("name = \"{name}n\"")).is_err());
        assert!(parse(&format!("name = \"n\"\nroute = \"/{route}r\"")).is_err());
        for name in ["", "-a", "A", "a_b", "ü"] {
            let error = parse(&format!("name = \"{name}\"")).expect_err(name);
            assert!(error.contains("name must be 1 to 32 of the characters a-z"), "{error}");
        }
    }

    #[test]
    fn two_functions_with_one_name_or_route_are_refused_naming_both() {
        let manifest = |file: &str, text: &str| Manifest::parse(text, Path::new(file)).expect("valid");
        let a = manifest("a.toml", "name = \"a\"");
        let route = manifest("b.toml", "name = \"b\"\nroute = \"/a\"");
        let name = manifest("c.toml", "name = \"a\"\nroute = \"/c\"");
        let error = Manifest::check_distinct([&a, &route]).expect_err("same route").to_string();
        assert_eq!(error, "a.toml and b.toml both say route `/a`; change one of them");
        let error = Manifest::check_distinct([&a, &name]).expect_err("same name").to_string();
        assert_eq!(error, "a.toml and c.toml both say name `a`; change one of them");
        assert!(Manifest::check_distinct([&route, &name]).is_ok());
    }

    #[test]
    fn what_is_not_a_manifest_is_refused_with_its_line() {
        assert_eq!(parse("route = \"/x\"").expect_err("no name"), "f/mayfly.toml, line 1: missing key `name`");
        let error = parse("name = \"x\"\nmemory = 4").expect_err("wrong type");
        assert!(error.starts_with("f/mayfly.toml, line 2: invalid type: integer `4`"), "{error}");
        assert!(parse("name = ").expect_err("not TOML").starts_with("f/mayfly.toml, line 1: "));
    }
}
