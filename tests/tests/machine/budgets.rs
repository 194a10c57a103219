//! What must not grow unnoticed: guest instructions, the image, the kernel's source. `budgets.toml` has the numbers.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use mayfly::results::{Parameter, Unit};
use mayfly_abi::ledger::Phase;
use mayfly_qemu::{Launch, MachineType};
use mayfly_tests::{Connection, Guest, Request, images};

use crate::measures;

/// Most that a figure may differ from its budget, in percent of it.
const TOLERANCE: u64 = 1;

/// The budget file.
fn budgets() -> toml::Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.toml");
    let text = fs::read_to_string(&file).expect("the budget file is there");
    text.parse().expect("the budget file is TOML")
}

/// A number of the budget file.
pub(crate) fn budget(table: &str, key: &str) -> u64 {
    let budgets = budgets();
    let number = budgets.get(table).and_then(|table| table.get(key)).and_then(toml::Value::as_integer);
    number.unwrap_or_else(|| panic!("budgets.toml has no {table}.{key}")).cast_unsigned()
}

/// Longer than it takes the client's acknowledgement to arrive.
const QUIET: Duration = Duration::from_millis(20);

/// The figure is as budgeted: neither more, nor so much less that the budget hides the next growth.
#[track_caller]
fn expect_budget(key: &str, measured: u64) {
    let budget = budget("instructions", key);
    println!("{key}: {measured} instructions, the budget is {budget}");
    let slack = budget * TOLERANCE / 100;
    assert!(measured <= budget + slack, "{key} takes {measured} instructions and may take {budget}: make it shorter");
    assert!(measured + slack >= budget, "{key} takes only {measured} instructions: lower its budget of {budget}");
}

#[test]
fn booting_takes_as_many_instructions_as_budgeted() {
    let stamps = Guest::counting(images::all()).ledger().expect("it serves").stamps;
    expect_budget("listening", stamps[Phase::Listening as usize] - stamps[Phase::Entry as usize]);
}

#[test]
fn no_phase_of_a_boot_or_a_request_takes_more_instructions_than_budgeted() {
    let budgets: toml::Table = budgets();
    let budgets = budgets["phases"].as_table().expect("it has the parts");
    let records = measures::count(images::all(), "phases.jsonl").1;
    let (mut wrong, mut lines) = (Vec::new(), String::new());
    for record in &records {
        let Parameter::Word(part) = &record.parameters["part"] else { panic!("a part has a name") };
        let budget = budgets[part].as_table().unwrap_or_else(|| panic!("budgets.toml has no phases of a {part}"));
        let steps = record.series.iter().filter(|series| series.unit == Unit::Instructions && series.name != "total");
        let steps: Vec<_> = steps.map(|series| (series.name.as_str(), series.summary.min as u64)).collect();
        wrong.extend(compare(part, budget, &steps));
        lines += &format!("[phases.{part:?}]\n");
        lines.extend(steps.iter().map(|(name, instructions)| format!("{name:?} = {instructions}\n")));
    }
    assert!(wrong.is_empty(), "{}\n\nif this is meant, budgets.toml wants:\n{lines}", wrong.join("\n"));
}

/// A sentence for each phase of a part that is not as budgeted.
fn compare(part: &str, budget: &toml::Table, steps: &[(&str, u64)]) -> Vec<String> {
    let of = |name: &str| budget.get(name).and_then(toml::Value::as_integer).map(i64::cast_unsigned);
    let gone = budget.keys().filter(|name| steps.iter().all(|(step, _)| step != name));
    let gone = gone.map(|name| format!("{part}: `{name}` has a budget and was not reached"));
    let other = steps.iter().filter_map(|&(name, now)| {
        let Some(before) = of(name) else { return Some(format!("{part}: `{name}` has no budget and takes {now}")) };
        let slack = before * TOLERANCE / 100;
        let percent = (now as f64 / before as f64 - 1.0) * 100.0;
        let change = format!("from {before} instructions to {now} ({percent:+.1} %)");
        if now > before + slack {
            Some(format!("{part}: `{name}` has grown {change}: make it shorter"))
        } else if now + slack < before {
            Some(format!("{part}: `{name}` has shrunk {change}: lower its budget"))
        } else {
            None
        }
    });
    gone.chain(other).collect()
}

#[test]
fn a_phase_that_grows_by_more_than_a_hundredth_is_named_with_both_numbers() {
    let budget: toml::Table = "short = 98\nlong = 1000\ngone = 5".parse().expect("it is TOML");
    let said = compare("request", &budget, &[("short", 99), ("long", 1010), ("new", 7)]);
    assert_eq!(
        said,
        [
            "request: `gone` has a budget and was not reached",
            "request: `short` has grown from 98 instructions to 99 (+1.0 %): make it shorter",
            "request: `new` has no budget and takes 7",
        ]
    );
    let said = compare("boot", &budget, &[("short", 98), ("long", 989), ("gone", 5)]);
    assert_eq!(said, ["boot: `long` has shrunk from 1000 instructions to 989 (-1.1 %): lower its budget"]);
}

#[test]
fn booting_with_pci_and_firmware_tables_takes_as_few_instructions_as_budgeted() {
    let q35 = MachineType::named("q35").unwrap_or_else(|error| panic!("{error}"));
    let most = budget("limits", "listening_q35");
    for nic in ["virtio-net-pci", "e1000", "e1000e"] {
        let guest = Guest::counting_on(Launch::new(images::all()).machine(q35).nic(nic));
        let ledger = guest.ledger().expect("it serves");
        let took = ledger.stamp(Phase::Listening) - ledger.stamp(Phase::Entry);
        println!("listening on q35 with {nic}: {took} instructions");
        assert!(took <= most, "{nic}: {took} instructions, and {most} are allowed");
    }
}

#[test]
fn a_hello_request_takes_as_many_instructions_as_budgeted() {
    const REQUESTS: usize = 50;
    let guest = Guest::counting(images::all());
    let mut connection = guest.connect();
    let request = Request::get("/hello");
    let mut last = guest.settle(QUIET);
    let figures: Vec<_> = (0..=REQUESTS)
        .map(|_| {
            connection.ask(&request);
            let now = guest.settle_after(&last, QUIET);
            now.busy - std::mem::replace(&mut last, now).busy
        })
        .collect();
    // The first one opened the connection. The client acknowledges a response with its next request, or in a packet of
    // its own, whose cost is none of the request's: the cheapest request had none to receive.
    println!("the first: {}, the others: {:?}", figures[0], &figures[1..]);
    expect_budget("request", figures[1..].iter().copied().min().unwrap_or_default());
}

#[test]
fn the_first_response_comes_after_as_few_translated_blocks_as_budgeted() {
    /// The guest goes on while the monitor is asked: the fewest of a few boots are those until the response.
    const BOOTS: usize = 4;
    let blocks = |_| {
        let guest = Guest::measured(Launch::new(images::hello()).monitored());
        let before = guest.machine().translated_blocks().expect("it is monitored");
        assert_eq!(guest.ask(&Request::get("/hello")).status, 200);
        (before, guest.machine().translated_blocks().expect("it is monitored"))
    };
    let (until_listening, until_response) = (0..BOOTS).map(blocks).min_by_key(|(_, all)| *all).unwrap_or_default();
    println!("{until_response} blocks until the first response, {until_listening} of them until it listens");
    let most = budget("translation", "blocks");
    assert!(until_response <= most, "{until_response} blocks, and {most} are allowed");
}

/// All work of a request on an open connection, in instructions: the cheapest of a few, to which no other packet came.
fn request_work(guest: &Guest, connection: &mut Connection) -> u64 {
    const REQUESTS: usize = 20;
    let mut last = guest.settle(QUIET);
    let figures = (0..REQUESTS).map(|_| {
        assert_eq!(connection.ask(&Request::get("/hello")).status, 200);
        let now = guest.settle_after(&last, QUIET);
        now.busy - std::mem::replace(&mut last, now).busy
    });
    figures.min().unwrap_or_default()
}

#[test]
fn connections_that_are_idle_cost_others_nothing_and_a_new_one_as_much_as_budgeted() {
    const IDLE: usize = 500;
    const NEW: usize = 10;
    let guest = Guest::counting(images::hello());
    let mut connection = guest.connect_and_ask();
    let alone = request_work(&guest, &mut connection);
    let request = Request::get("/hello").header("Connection", "close");
    let new = (0..NEW).map(|_| {
        let before = guest.settle(QUIET);
        let mut connection = guest.connect();
        assert_eq!(connection.ask(&request).status, 200);
        connection.expect_end();
        drop(connection);
        guest.settle_after(&before, QUIET).busy - before.busy
    });
    let new = new.min().unwrap_or_default();
    let idle: Vec<_> = (0..IDLE).map(|_| guest.connect_and_ask()).collect();
    let beside = request_work(&guest, &mut connection);
    println!(
        "a request: {alone} instructions, {beside} beside {} idle connections; a new connection: {new}",
        idle.len()
    );
    assert!(beside <= alone + alone * 5 / 100, "{beside} beside idle connections, {alone} alone");
    let most = budget("limits", "connection");
    assert!(new <= most, "a new connection, its request and its end take {new} instructions and may take {most}");
}

/// What the domains take in one request on an open connection, in instructions: the cheapest of a few.
fn domain_work(guest: &Guest, connection: &mut Connection, request: &Request) -> u64 {
    const REQUESTS: usize = 5;
    // The first one finds everything for the first time.
    connection.ask(request);
    let mut last = guest.settle(QUIET);
    let figures = (0..REQUESTS).map(|_| {
        assert_eq!(connection.ask(request).status, 200);
        let now = guest.settle_after(&last, QUIET);
        now.domains - std::mem::replace(&mut last, now).domains
    });
    figures.min().unwrap_or_default()
}

#[test]
fn a_domain_takes_as_many_instructions_as_budgeted_and_each_dirty_page_as_many_more() {
    /// Instructions of the function itself, and more of them for each page.
    const OWN: u64 = 11;
    const OWN_PER_PAGE: u64 = 4;
    const PAGES: u64 = 16;
    let guest = Guest::counting(images::measuring());
    let mut connection = guest.connect();
    let mut probe = |pages| {
        let request = Request::get(format!("/probe?{}", "x".repeat(pages as usize)));
        domain_work(&guest, &mut connection, &request) - OWN - OWN_PER_PAGE * pages
    };
    // Stack and response are the two pages that every request dirties.
    let two_pages = probe(0);
    expect_budget("domain", two_pages);
    expect_budget("dirty_page", (probe(PAGES) - two_pages) / PAGES);
}

#[test]
fn the_first_request_of_a_function_takes_as_many_more_instructions_as_budgeted() {
    let guest = Guest::counting(images::all());
    let mut connection = guest.connect();
    let (other, request) = (Request::get("/echo"), Request::get("/hello"));
    // Whether the client's acknowledgement comes by itself changes what a request takes, and a first request comes once.
    // So the domains' share is compared, in which that does not show.
    let mut domains = |request: &Request| {
        let before = guest.settle(QUIET);
        assert_eq!(connection.ask(request).status, 200);
        guest.settle_after(&before, QUIET).domains - before.domains
    };
    domains(&other);
    let (first, second) = (domains(&request), domains(&request));
    expect_budget("first_request", first - second);
}

#[test]
fn the_image_of_hello_is_small_enough() {
    let len = fs::metadata(images::hello()).expect("it was built").len();
    println!("{len} bytes");
    assert!(len <= budget("image", "hello_bytes"), "{len} bytes");
}

#[test]
fn the_kernel_is_short_enough() {
    let [core, hw, all] =
        ["kernel/core/src", "kernel/src/hw", "kernel/src"].map(|dir| lines(&images::source_root().join(dir)));
    for (key, lines) in [("core_and_hw_lines", core + hw), ("lines", core + all)] {
        println!("{key}: {lines}");
        assert!(lines as u64 <= budget("kernel", key), "{key}: {lines}");
    }
}

/// Lines of Rust in a folder.
fn lines(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).expect("a folder of the source tree").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| match path.extension().and_then(OsStr::to_str) {
            None => lines(&path),
            Some("rs") => fs::read_to_string(&path).expect("a source file").lines().count(),
            Some(_) => 0,
        })
        .sum()
}
