//! `mayfly invoke`: one request to one function, on a machine of its own or on one that runs.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mayfly_qemu::accelerator::{self, Choice};
use mayfly_qemu::{Launch, Machine};
use ureq::Agent;
use ureq::http::StatusCode;

use crate::build::DEFAULT_IMAGE;
use crate::few::Few;
use crate::image_file::{ImageError, ImageFile, text};

/// How long an answer may take: longer than any function may run by default, and a boot.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before a port that refuses is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// Sends one request to a function and prints its answer.
///
/// Boots the image for it, unless --port names a machine that runs. The body goes to standard output, status and time
/// to standard error. The exit code is 0 if the status is 2xx, and 1 if not.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  mayfly invoke hello --data Ada\n  mayfly invoke qr --data @address.txt --port 8080 > address.svg\n  mayfly invoke fault/null"
)]
pub struct Args {
    /// The function's name, optionally followed by /PATH and ?QUERY.
    name: String,
    /// Body of the request, or @FILE to read it from a file; with one, the request is a POST, else a GET.
    #[arg(long, value_name = "TEXT|@FILE")]
    data: Option<String>,
    /// The image.
    #[arg(long, value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    image: PathBuf,
    /// Port of a machine that runs, instead of booting one.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
}

/// Carries out `mayfly invoke`.
pub fn main(args: Args) -> Result<ExitCode> {
    let target = match ImageFile::open(&args.image) {
        Ok(image) => {
            let names = image.functions.iter().map(|function| (text(&function.name), text(&function.route)));
            target(&names.collect::<Vec<_>>(), &args.name)?
        }
        // A machine that runs can be asked without its image; then only the usual route is known.
        Err(ImageError::Missing(_)) if args.port.is_some() => format!("/{}", args.name),
        Err(error) => return Err(error.into()),
    };
    let body = args.data.as_deref().map(body).transpose()?;
    match args.port {
        Some(port) => {
            let started = Instant::now();
            let answer = Client::new(port).ask(&target, body.as_deref()).with_context(|| {
                format!("no machine answers on port {port} (`mayfly run --port {port}` starts one)")
            })?;
            print(answer, started.elapsed(), "")
        }
        None => {
            let accelerator = accelerator::choose(Choice::Auto)?.accelerator;
            let mut machine = Launch::new(&args.image).accelerator(accelerator).start()?;
            let answer = Client::new(machine.port()).ask_first(&mut machine, &target, body.as_deref())?;
            print(answer, machine.spawned().elapsed(), ", boot included")
        }
    }
}

/// Status and body.
pub(crate) type Answer = (StatusCode, Vec<u8>);

/// The path and query for `name`, which is a function's name and what may follow it.
fn target(functions: &[(String, String)], name: &str) -> Result<String> {
    let (function, rest) = name.split_at(name.find(['/', '?']).unwrap_or(name.len()));
    match functions.iter().find(|(name, _)| name == function) {
        Some((_, route)) => Ok(format!("/{route}{rest}")),
        None => {
            let few = Few::of(functions);
            let names = few.shown.iter().map(|(name, _)| name.clone()).chain(few.more());
            bail!("the image has no function `{function}`; it has: {}", names.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The bytes that `--data` stands for.
fn body(data: &str) -> Result<Vec<u8>> {
    match data.strip_prefix('@') {
        Some(file) => fs::read(file).with_context(|| format!("cannot read {file}")),
        None => Ok(data.as_bytes().to_vec()),
    }
}

/// A client of a machine on this host. It keeps its connection open between requests.
pub(crate) struct Client {
    agent: Agent,
    port: u16,
}

impl Client {
    /// Of the machine that serves on this TCP port of 127.0.0.1.
    pub(crate) fn new(port: u16) -> Self {
        // Nothing between us and the machine: no proxy, no redirects, and every status is an answer.
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { agent: Agent::new_with_config(config), port }
    }

    /// Sends one request, a POST if there is a body, and waits for the answer. `target` is path and query.
    pub(crate) fn ask(&self, target: &str, body: Option<&[u8]>) -> Result<Answer, ureq::Error> {
        let url = format!("http://127.0.0.1:{}{target}", self.port);
        let mut response = match body {
            Some(body) => self.agent.post(url).send(body)?,
            None => self.agent.get(url).call()?,
        };
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok((response.status(), body))
    }

    /// Asks a machine that was just started: its port may refuse for a moment.
    pub(crate) fn ask_first(&self, machine: &mut Machine, target: &str, body: Option<&[u8]>) -> Result<Answer> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ask(target, body) {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    // If the machine has ended, that is the better explanation.
                    machine.check()?;
                    let refused = matches!(&error, ureq::Error::Io(io) if io.kind() == ErrorKind::ConnectionRefused);
                    ensure!(refused && Instant::now() < deadline, "no answer: {error}\n{}", machine.report());
                }
            }
            thread::sleep(RETRY);
        }
    }
}

fn print((status, body): Answer, time: Duration, note: &str) -> Result<ExitCode> {
    eprintln!("{status}, {} bytes in {:.1} ms{note}", body.len(), time.as_secs_f64() * 1e3);
    io::stdout().write_all(&body)?;
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unfinished::Unfinished;

    #[test]
    fn a_name_leads_to_the_route_and_what_follows_it_stays() {
        let functions = [("hello".to_owned(), "hi".to_owned()), ("fault".to_owned(), "fault".to_owned())];
        assert_eq!(target(&functions, "hello").expect("it is there"), "/hi");
        assert_eq!(target(&functions, "hello?name=Ada").expect("it is there"), "/hi?name=Ada");
        assert_eq!(target(&functions, "fault/null").expect("it is there"), "/fault/null");
        let error = target(&functions, "hell").expect_err("it is not there");
        assert_eq!(error.to_string(), "the image has no function `hell`; it has: hello, fault");
    }

    #[test]
    fn data_is_text_or_a_file() {
        assert_eq!(body("Ada").expect("text"), b"Ada");
        let (named, mut file) = Unfinished::file(&std::env::temp_dir()).expect("there is room");
        file.write_all(b"from a file").expect("there is room");
        assert_eq!(body(&format!("@{}", named.path().display())).expect("it is there"), b"from a file");
        assert_eq!(body("@no/such/file").expect_err("it is not there").to_string(), "cannot read no/such/file");
    }
}
