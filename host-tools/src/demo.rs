//! `mayfly demo`: all there is to see, one step after another. Each answer is checked, so that it cannot show a lie.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mayfly_qemu::accelerator::{self, Choice};
use mayfly_qemu::{Launch, Machine, MachineType, Version};

use crate::bench::{self, milliseconds};
use crate::build::{build, examples, show_size, source_root};
use crate::invoke::{Answer, Client};

/// Not the image that `mayfly run` takes by default: that one is the user's.
const IMAGE: &str = "build/demo.elf";
/// Where the QR code goes.
const PICTURE: &str = "build/qr.svg";
/// Attackers among `functions/hostile`.
const HOSTILE: [&str; 4] = ["fault", "spin", "hog", "peek"];
/// Boots that are measured.
const RUNS: u32 = 5;
/// The longest that hello may take while spin runs: half of spin's time, so that it cannot have waited for spin. (The
/// promise is much shorter, but the host may be busy.)
const SLOWEST: Duration = Duration::from_millis(250);
/// Characters of an answer that are shown.
const SHOWN: usize = 66;

/// Shows everything in a couple of minutes: builds, boots, asks, breaks and measures.
///
/// Builds an image with all example functions and four hostile ones, boots it, shows real answers, lets functions
/// crash, loop, eat memory and snoop, and measures boots. The exit code is 0 if everything was as it must be.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  mayfly demo")]
pub struct Args {}

/// A request and its only right answer.
struct Exchange {
    target: &'static str,
    body: Option<&'static str>,
    status: u16,
    answer: &'static str,
}

/// What the example functions are asked.
const ANSWERS: [Exchange; 6] = [
    Exchange { target: "/hello", body: Some("Ada"), status: 200, answer: "hello, Ada\n" },
    Exchange { target: "/echo", body: Some("one, two"), status: 200, answer: "one, two" },
    Exchange {
        target: "/json",
        body: Some(r#"{"items":[{"name":"tea","price":1.5,"count":2}]}"#),
        status: 200,
        answer: r#"{"items":1,"count":2,"total":3.0,"dearest":"tea"}"#,
    },
    Exchange {
        target: "/sha256",
        body: Some("abc"),
        status: 200,
        answer: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
    },
    Exchange { target: "/factors", body: Some("90210"), status: 200, answer: "90210 = 2 * 3 * 5 * 31 * 97\n" },
    Exchange {
        target: "/wordcount",
        body: Some("written in C\n"),
        status: 200,
        answer: "1 lines, 3 words, 13 bytes\n",
    },
];
const HELLO: Exchange = Exchange { target: "/hello", body: None, status: 200, answer: "hello, world\n" };
// The kernel numbers what went wrong since boot; these are asked in this order.
const CRASH: Exchange =
    Exchange { target: "/fault/null", body: None, status: 502, answer: "fault broke: null-access (fault 1)\n" };
const SPIN: Exchange =
    Exchange { target: "/spin", body: None, status: 504, answer: "spin ran past its limit of 500 ms (fault 2)\n" };
const HOG: Exchange = Exchange {
    target: "/hog",
    body: None,
    status: 507,
    answer: "hog asked for more memory than its limit of 2048 KiB (fault 3)\n",
};
const PEEK: Exchange =
    Exchange { target: "/peek/kernel-text", body: None, status: 502, answer: "peek broke: kernel-address (fault 4)\n" };

/// Carries out `mayfly demo`.
pub fn main(_: Args) -> Result<ExitCode> {
    title("1. The image: a kernel and its functions in one file");
    let image = Path::new(IMAGE);
    build_image(image)?;

    title("2. The machine boots");
    let mut machine = boot(image)?;
    let client = Client::new(machine.port());
    let answered = client.ask_first(&mut machine, HELLO.target, None)?;
    let took = machine.spawned().elapsed();
    let outcome = HELLO.check(&answered).and_then(|()| {
        println!(
            "The first answer came {:.0} ms after QEMU was started. (Step 5 measures that properly.)",
            milliseconds(took)
        );
        show_functions(&client, &machine)
    });
    // What the machine has to say explains a failure best.
    outcome.with_context(|| format!("the demonstration failed\n{}", machine.report()))?;
    machine.stop();

    title("5. Where the time goes, from starting QEMU to the first byte of an answer");
    println!("{RUNS} boots are measured, each beside a boot of an empty guest, which is the floor.\n");
    let outcome = bench::boot(image, RUNS)?;
    ensure!(
        outcome == ExitCode::SUCCESS,
        "the phases of the boots do not add up to their wall time; measure again when this host is less busy, with \
         `cargo mayfly bench boot --image {IMAGE}`"
    );

    title("What to type next");
    println!("cargo mayfly run {IMAGE}     this machine, for your browser and curl; Ctrl-C ends it");
    println!("cargo mayfly new mine               a function of your own: edit mine/src/main.rs, then");
    println!("cargo mayfly build mine             an image with it");
    println!("cargo mayfly run                    boots that image; curl -d you http://127.0.0.1:8080/mine");
    println!("make test                           every promise, tested");
    Ok(ExitCode::SUCCESS)
}

/// What the running machine can do, and what its functions cannot.
fn show_functions(client: &Client, machine: &Machine) -> Result<()> {
    title("3. Functions answer over HTTP");
    println!("{:<18}{:<50}{:>6}  answer", "path", "body", "status");
    for exchange in &ANSWERS {
        exchange.show(client)?;
    }
    draw(client)?;

    title("4. Functions that misbehave are contained");
    println!("One reads through a null pointer:");
    CRASH.show(client)?;
    HELLO.show(client)?;
    println!("\nOne loops without end; hello is asked over and over meanwhile:");
    spin(client)?;
    println!("\nOne takes memory until there is no more:");
    HOG.show(client)?;
    HELLO.show(client)?;
    println!("\nOne reads the kernel's memory:");
    PEEK.show(client)?;
    HELLO.show(client)?;

    ensure!(
        machine.console().wait_for("mayfly: fault 4:", Duration::from_secs(1)),
        "the machine's console does not tell of all four faults"
    );
    println!("\nThe client learns what broke; the machine's console says where:");
    for line in machine.console().text().lines() {
        println!("  {line}");
    }
    Ok(())
}

fn build_image(image: &Path) -> Result<()> {
    let mut functions = examples()?;
    let hostile = source_root()?.join("functions/hostile");
    functions.extend(HOSTILE.map(|name| hostile.join(name)));
    println!("Building {} functions, the kernel and its loader; the first time takes a minute or so.", functions.len());
    let started = Instant::now();
    let report = build(&functions, image, None)?;
    println!("{IMAGE}: {} bytes, after {:.1} s. In it:", report.image_len, started.elapsed().as_secs_f64());
    for function in &report.functions {
        let size = show_size(function.image_len());
        let limits = &function.manifest;
        let memory = show_size(limits.memory);
        println!("  /{:<12}{size:>6}, may use {memory} and {} ms", limits.route, limits.timeout_ms);
    }
    Ok(())
}

fn boot(image: &Path) -> Result<Machine> {
    let verdict = accelerator::choose(Choice::Auto)?;
    let machine_type = &MachineType::all()[0];
    println!("machine: {}, QEMU {}, 64 MiB", machine_type.name, Version::of(machine_type)?);
    println!("{verdict}");
    Ok(Launch::new(image).memory_mib(64).accelerator(verdict.accelerator).start()?)
}

/// A QR code, written to a file.
fn draw(client: &Client) -> Result<()> {
    let text = "https://127.0.0.1/hello";
    let (status, picture) = client.ask("/qr", Some(text.as_bytes()))?;
    let svg = String::from_utf8_lossy(&picture);
    row("/qr", text, status.as_u16(), &svg);
    let whole = svg.starts_with("<svg ") && svg.ends_with("</svg>\n");
    ensure!(status == 200 && whole, "/qr must answer with status 200 and a whole SVG picture");
    fs::write(PICTURE, &picture).with_context(|| format!("cannot write {PICTURE}"))?;
    println!("{PICTURE}: the picture, {} bytes; a browser shows it.", picture.len());
    Ok(())
}

/// Asks for spin, and for hello until spin has been ended.
fn spin(client: &Client) -> Result<()> {
    let started = Instant::now();
    let (answers, slowest) = thread::scope(|scope| {
        let spinning = scope.spawn(|| SPIN.show(client));
        let (mut answers, mut slowest) = (0, Duration::ZERO);
        while !spinning.is_finished() {
            let asked = Instant::now();
            HELLO.check(&client.ask(HELLO.target, None)?)?;
            slowest = slowest.max(asked.elapsed());
            answers += 1;
        }
        match spinning.join() {
            Ok(outcome) => outcome.map(|()| (answers, slowest)),
            Err(_) => bail!("the thread that asks for {} has panicked", SPIN.target),
        }
    })?;
    println!(
        "Meanwhile, in {:.0} ms, hello answered {answers} times; the slowest answer took {:.1} ms.",
        milliseconds(started.elapsed()),
        milliseconds(slowest)
    );
    ensure!(answers >= 10, "hello must go on answering while spin runs, but answered only {answers} times");
    ensure!(slowest <= SLOWEST, "hello must not wait for spin, but one answer took {:.0} ms", milliseconds(slowest));
    Ok(())
}

impl Exchange {
    /// Asks, shows what came back, and checks it.
    fn show(&self, client: &Client) -> Result<()> {
        let answer = client.ask(self.target, self.body.map(str::as_bytes))?;
        row(self.target, self.body.unwrap_or_default(), answer.0.as_u16(), &String::from_utf8_lossy(&answer.1));
        self.check(&answer)
    }

    /// An error unless status and body are exactly right.
    fn check(&self, (status, body): &Answer) -> Result<()> {
        let Self { target, status: right_status, answer, .. } = self;
        ensure!(
            *status == *right_status && body == answer.as_bytes(),
            "{target} must be answered with {right_status} and {answer:?}, but was answered with {} and {:?}",
            status.as_u16(),
            String::from_utf8_lossy(body)
        );
        Ok(())
    }
}

fn title(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.len()));
}

/// One exchange, with the first line of the answer.
fn row(target: &str, body: &str, status: u16, answer: &str) {
    let line = answer.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(SHOWN).collect();
    let more = if shown.len() < line.len() { "…" } else { "" };
    println!("{target:<18}{:<50}{status:>6}  {shown}{more}", body.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::StatusCode;

    #[test]
    fn an_answer_with_another_status_or_another_word_is_an_error_that_shows_both() {
        let answer = |status, body: &str| (StatusCode::from_u16(status).expect("a status"), body.as_bytes().to_vec());
        assert!(CRASH.check(&answer(502, CRASH.answer)).is_ok());
        assert!(CRASH.check(&answer(200, CRASH.answer)).is_err());
        let error = CRASH.check(&answer(502, "fault broke: unmapped (fault 1)\n")).expect_err("another fault");
        assert_eq!(
            error.to_string(),
            "/fault/null must be answered with 502 and \"fault broke: null-access (fault 1)\\n\", \
             but was answered with 502 and \"fault broke: unmapped (fault 1)\\n\""
        );
    }
}
