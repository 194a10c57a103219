//! The page of `mayfly report` in a real browser, in three ways: nothing overflows, collides or is fetched, and it can be read.
//!
//! The pictures are left in build/ for a person to look at.

#[path = "looks/browser.rs"]
mod browser;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mayfly::results::{self, Benchmark, Parameter, Record, Series, Side, Unit};
use mayfly::unfinished::Unfinished;
use serde_json::json;

use self::browser::Browser;

/// Finds what a reader would be bothered by.
const CHECK: &str = include_str!("looks/check.js");
/// A picture with fewer colours shows nothing.
const COLOURS: usize = 20;

/// The example in docs/results.md.
fn example() -> Record {
    let (_, rest) = include_str!("../../docs/results.md").split_once("```json\n").expect("there is an example");
    serde_json::from_str(rest.split("```").next().unwrap_or_default()).expect("it is a result")
}

fn record(benchmark: Benchmark, system: &str, parameters: &[(&str, Parameter)], series: Vec<Series>) -> Record {
    let notes = [
        format!("it holds QEMU and its firmware, and all of {system} until it answers"),
        "a-word/without.end".repeat(20),
    ];
    Record {
        benchmark,
        system: system.to_owned(),
        parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        series,
        notes: notes.to_vec(),
        command: format!("mayfly bench {} --json build/{}.jsonl", benchmark.name(), "very-long-".repeat(12)),
        ..example()
    }
}

/// Forty values around `middle`, a few of them far off.
fn series(name: &str, unit: Unit, middle: f64) -> Series {
    let value = |at: u32| middle * if at.is_multiple_of(13) { 1.8 } else { 0.9 + f64::from(at) / 200.0 };
    Series::new(name, unit, (0..40).map(value).collect()).expect("there are values")
}

/// A boot with every point that the ledger has.
fn boot() -> Record {
    let points = [
        ("port open", 19.7, Side::Host),
        ("request sent", 19.72, Side::Host),
        ("power-on", 20.1, Side::Host),
        ("entry", 24.6, Side::Guest),
        ("paging", 24.7, Side::Guest),
        ("traps", 25.1, Side::Guest),
        ("memory", 25.7, Side::Guest),
        ("nic ready", 26.4, Side::Guest),
        ("listening", 27.2, Side::Guest),
        ("first ARP", 27.3, Side::Guest),
        ("first SYN", 27.6, Side::Guest),
        ("request parsed", 30.4, Side::Guest),
        ("domain ready", 31.1, Side::Guest),
        ("function entered", 31.2, Side::Guest),
        ("function left", 32.1, Side::Guest),
        ("response queued", 32.88, Side::Guest),
        ("first byte", 32.9, Side::Host),
        ("last byte", 32.9, Side::Host),
    ];
    let point = |(name, at, side)| Series { side: Some(side), ..series(name, Unit::Milliseconds, at) };
    let mut all: Vec<_> = points.into_iter().map(point).collect();
    all.extend([
        series("floor", Unit::Milliseconds, 21.0),
        series("sum of the parts", Unit::Milliseconds, 32.9),
        Series::new("blocks of the firmware", Unit::Count, vec![154.0]).expect("a value"),
        Series::new("blocks until the first response", Unit::Count, vec![1282.0]).expect("a value"),
    ]);
    for (part, took) in
        [("QEMU's start", 20.1), ("firmware", 4.5), ("loader", 0.1), ("kernel", 2.5), ("first request", 5.7)]
    {
        let share = series(&format!("share of {part}"), Unit::Ratio, took / 32.9);
        all.extend([series(part, Unit::Milliseconds, took), share]);
    }
    record(Benchmark::Boot, "mayfly", &[("path", "/hello".into())], all)
}

/// Results as a run of everything leaves them.
fn results() -> Vec<Record> {
    let peer = |name: &str, took: f64| {
        record(Benchmark::Boot, name, &[("path", "/".into())], vec![series("first response", Unit::Milliseconds, took)])
    };
    let mut all = vec![boot(), peer("linux", 523.4), peer("unikraft", 155.0), peer("hermit", 121.0)];
    all.extend(["firecracker", "nanos", "osv"].map(|name| record(Benchmark::Boot, name, &[], Vec::new())));
    for connections in [1_u64, 16, 128] {
        for (system, times) in [("mayfly", 1.0), ("linux", 2.53)] {
            let found = vec![
                series("requests", Unit::PerSecond, 9000.0 * (connections as f64).sqrt() / times),
                series("latency", Unit::Microseconds, 100.0 * connections as f64 * times),
                Series::new("mayfly over this", Unit::Ratio, vec![times]).expect("a value"),
                Series::new("errors", Unit::Count, vec![0.0]).expect("a value"),
            ];
            all.push(record(Benchmark::Load, system, &[("connections", connections.into())], found));
        }
    }
    for functions in [1_u64, 100, 10_000] {
        let found =
            vec![series("request", Unit::Microseconds, 60.0), series("instructions", Unit::Instructions, 8876.0)];
        all.push(record(Benchmark::Scale, "mayfly", &[("functions", functions.into())], found));
    }
    for name in ["tables", "none"] {
        let found = vec![series("request", Unit::Microseconds, 81.0)];
        all.push(record(
            Benchmark::Isolation,
            "mayfly",
            &[("isolation", name.into()), ("asked", "in turn".into())],
            found,
        ));
    }
    all
}

/// The page of these results, written by the command.
fn page(folder: &Path) -> PathBuf {
    let (lines, page) = (folder.join("results.jsonl"), folder.join("report.html"));
    results::append(&lines, &results()).expect("written");
    let made = Command::new(env!("CARGO_BIN_EXE_mayfly")).arg("report").arg(&lines).arg("-o").arg(&page).output();
    let made = made.expect("the command runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    page
}

/// Looks at the page in a window so wide, with all of its tables unfolded if it is told to, and leaves a picture.
fn look(browser: &mut Browser, page: &Path, name: &str, width: u32, scheme: &str) {
    let phone = width < 600;
    let window =
        json!({ "width": width, "height": 844, "deviceScaleFactor": if phone { 2 } else { 1 }, "mobile": phone });
    browser.ask("Emulation.setDeviceMetricsOverride", window);
    browser.ask("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
    let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.ask("Emulation.setEmulatedMedia", scheme);
    browser.open(page);
    for fold in ["", "document.querySelectorAll('details').forEach((details) => details.open = true);"] {
        browser.evaluate(fold);
        let problems = browser.evaluate(CHECK);
        assert_eq!(problems, json!([]), "{name} {fold}: {problems:#}");
        if fold.is_empty() {
            let shot = browser.ask("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
            let png = BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("it is base 64");
            assert!(colours(&png) >= COLOURS, "{name} shows next to nothing");
            let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build");
            fs::create_dir_all(&build).expect("made");
            fs::write(build.join(format!("report-{name}.png")), png).expect("written");
        }
    }
    let (requests, complaints) = browser.requests_and_complaints();
    assert_eq!(requests, [format!("file://{}", page.display())], "nothing but the page is asked for");
    assert_eq!(complaints, [""; 0]);
}

/// How many colours a picture has.
fn colours(png: &[u8]) -> usize {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("it is a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("it fits")];
    let frame = reader.next_frame(&mut pixels).expect("it has a picture");
    let pixel = frame.color_type.samples();
    pixels[..frame.buffer_size()].chunks(pixel).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn a_page_can_be_read_wide_on_a_phone_and_in_the_dark_and_asks_nobody_for_anything() {
    let folder = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
    let page = page(folder.path());
    let mut browser = Browser::start();
    look(&mut browser, &page, "wide", 1400, "light");
    look(&mut browser, &page, "phone", 390, "light");
    look(&mut browser, &page, "dark", 1400, "dark");
    let ground = browser.evaluate("getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(21, 24, 28)", "it is dark");
}

#[test]
fn on_paper_each_section_has_one_table() {
    const TABLES: &str = "[...document.querySelectorAll('section')]
        .map((section) => [...section.querySelectorAll('table')].filter((table) => table.checkVisibility()).length)";
    let folder = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
    let page = page(folder.path());
    let mut browser = Browser::start();
    browser.open(&page);
    assert_eq!(browser.evaluate(TABLES), json!([0, 0, 0, 0]), "they are folded up");
    browser.ask("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    assert_eq!(browser.evaluate(TABLES), json!([1, 1, 1, 1]));
}

#[test]
fn what_would_bother_a_reader_is_noticed() {
    let folder = Unfinished::folder(&std::env::temp_dir()).expect("a folder");
    let page = folder.path().join("bad.html");
    let text = |at: u32, words: &str| format!("<text x='{at}' y='20' fill='#888888'>{words}</text>");
    let bad = format!(
        "<!DOCTYPE html><meta name='viewport' content='width=device-width'><body><div style='width: 500px'>broad</div><svg width='200' height='40'>{}{}{}</svg>\
         <img src='no-such-file.png'><script>console.error('oh')</script>",
        text(10, "one label"),
        text(40, "another label"),
        text(190, "outside"),
    );
    fs::write(&page, bad).expect("written");
    let mut browser = Browser::start();
    browser.ask(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true }),
    );
    browser.open(&page);
    let problems = browser.evaluate(CHECK).to_string();
    for problem in [
        "DIV reaches to",
        "labels lie on each other: one label and another label",
        "out of its picture: outside",
        "contrast of 3.5",
    ] {
        assert!(problems.contains(problem), "{problem} is not in {problems}");
    }
    let (requests, complaints) = browser.requests_and_complaints();
    assert!(requests.iter().any(|url| url.ends_with("no-such-file.png")), "{requests:?}");
    assert!(complaints.iter().any(|complaint| complaint.contains("oh")), "{complaints:?}");
}
