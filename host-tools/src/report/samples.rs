//! Results that nobody measured, for tests.

use std::collections::BTreeMap;

use super::input::Entry;
use crate::results::tests::environment;
use crate::results::{Benchmark, Parameter, Record, SCHEMA, Series, Side, Unit};
use crate::split::share_of;

/// The only run of a result.
pub(super) fn entry(record: Record) -> Entry {
    Entry { record, run: String::new() }
}

/// A result of this benchmark and system.
pub(super) fn record(benchmark: Benchmark, system: &str, parameters: &[(&str, Parameter)]) -> Record {
    let parameters: BTreeMap<_, _> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Record {
        schema: SCHEMA,
        benchmark,
        system: system.to_owned(),
        parameters,
        warmup: 1,
        series: Vec::new(),
        notes: vec![format!("{system} as it is")],
        command: format!("mayfly bench {}", benchmark.name()),
        environment: environment(),
    }
}

/// Thirty values from this one on.
pub(super) fn series(name: &str, unit: Unit, first: f64) -> Series {
    Series::new(name, unit, (0..30).map(|at| first + f64::from(at) / 100.0).collect()).expect("there are values")
}

/// Thirty boots, whose first byte comes at 26 ms, 6 ms above the floor.
pub(super) fn boot() -> Record {
    let event = |name, side, at| Series { side: Some(side), ..series(name, Unit::Milliseconds, at) };
    let sums = series("", Unit::Milliseconds, 26.0).values.into_iter().map(|whole| whole * 1.01).collect();
    let mut record = record(Benchmark::Boot, "mayfly", &[("path", "/hello".into())]);
    record.series = vec![
        event("port open", Side::Host, 11.0),
        event("entry", Side::Guest, 16.0),
        event("listening", Side::Guest, 20.0),
        event("first byte", Side::Host, 26.0),
        event("last byte", Side::Host, 26.5),
        series("floor", Unit::Milliseconds, 20.0),
        Series::new("sum of the parts", Unit::Milliseconds, sums).expect("there are values"),
        series("blocks of the firmware", Unit::Count, 154.0),
        series("blocks until the first response", Unit::Count, 700.0),
    ];
    for (part, took) in [("QEMU's start", 15.0), ("firmware", 1.0), ("loader and kernel", 4.0), ("first request", 6.0)]
    {
        let share = Series::new(share_of(part), Unit::Ratio, vec![took / 26.145]).expect("a value");
        record.series.extend([series(part, Unit::Milliseconds, took), share]);
    }
    record
}

/// A turn of load.
pub(super) fn load(system: &str, connections: u64) -> Record {
    let mut record = record(Benchmark::Load, system, &[("connections", connections.into()), ("seconds", 1_u64.into())]);
    let much = if system == "mayfly" { 3000.0 } else { 1000.0 };
    record.series = vec![
        series("requests", Unit::PerSecond, much),
        series("latency", Unit::Microseconds, 1e6 / much),
        Series::new("mayfly over this", Unit::Ratio, vec![3000.0 / much]).expect("a value"),
        Series::new("errors", Unit::Count, vec![0.0]).expect("a value"),
    ];
    record
}
