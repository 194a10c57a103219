//! What grows, the machines that it grows on, and what they are asked.

use crate::bench::images::{Images, Made};
use crate::bench::numbered;
use crate::bench::request::Request;
use crate::build::{Generated, Work, functions_of, source_root};

/// A request of so many bytes, and what `echo` makes of it, are surely a packet each.
const PACKET: usize = 1200;

/// One thing that grows.
pub(super) struct Dimension {
    /// Its name among a result's parameters.
    pub(super) parameter: &'static str,
    pub(super) machines: Vec<Machine>,
    pub(super) points: Vec<Point>,
}

/// A machine, and how many connections it has beside the one that is asked.
pub(super) struct Machine {
    pub(super) made: Made,
    pub(super) idle: u32,
}

/// A value that it has.
pub(super) struct Point {
    pub(super) value: u64,
    /// The number of the machine that is asked.
    pub(super) machine: usize,
    pub(super) request: Request,
    /// Whether request and answer are a packet each. Longer ones come in packets that differ from run to run.
    pub(super) one_packet: bool,
}

impl Point {
    fn new(value: u32, machine: usize, request: Request) -> Self {
        let one_packet = request.bytes.len() <= PACKET;
        Self { value: value.into(), machine, request, one_packet }
    }
}

impl Dimension {
    /// The function in the middle of images of so many functions.
    pub(super) fn functions(images: &mut Images, counts: &[u32]) -> anyhow::Result<Self> {
        let machines = counts.iter().map(|count| Ok(Machine { made: numbered::image(images, *count, 1)?, idle: 0 }));
        let machines = machines.collect::<anyhow::Result<_>>()?;
        Ok(Self::with_machines("functions", machines, counts, |count| numbered::request(count / 2)))
    }

    /// One function, with so many connections open.
    pub(super) fn connections(images: &mut Images, counts: &[u32]) -> anyhow::Result<Self> {
        let machines = counts.iter().map(|count| Ok(Machine { made: numbered::image(images, 1, 1)?, idle: count - 1 }));
        let machines = machines.collect::<anyhow::Result<_>>()?;
        Ok(Self::with_machines("connections", machines, counts, |_| numbered::request(0)))
    }

    /// The example `echo`, with bodies of so many bytes.
    pub(super) fn body(images: &mut Images, lens: &[u32]) -> anyhow::Result<Self> {
        let echo = functions_of(&[source_root()?.join("functions/echo")])?;
        let made = images.make("functions/echo".to_owned(), &echo)?;
        Ok(Self::with_one_machine("body bytes", made, lens, |len| Request::echo("/echo", body(len))))
    }

    /// Functions that write to so many pages.
    pub(super) fn pages(images: &mut Images, counts: &[u32]) -> anyhow::Result<Self> {
        let name = |pages| format!("dirty-{pages}");
        let functions =
            counts.iter().map(|pages| Generated { name: name(*pages), work: Work::Dirty(*pages), pages: 1 });
        let functions: Vec<_> = functions.collect();
        let made = images.generate("functions that write to memory".to_owned(), &functions)?;
        let request = |pages| Request::get(&format!("/{}", name(pages))).with_body("");
        Ok(Self::with_one_machine("dirty pages", made, counts, request))
    }

    /// Each value has a machine of its own.
    fn with_machines(
        parameter: &'static str,
        machines: Vec<Machine>,
        values: &[u32],
        request: impl Fn(u32) -> Request,
    ) -> Self {
        let points = values.iter().enumerate();
        let points = points.map(|(machine, value)| Point::new(*value, machine, request(*value)));
        Self { parameter, machines, points: points.collect() }
    }

    /// All values share one machine.
    fn with_one_machine(parameter: &'static str, made: Made, values: &[u32], request: impl Fn(u32) -> Request) -> Self {
        let points = values.iter().map(|value| Point::new(*value, 0, request(*value)));
        Self { parameter, machines: vec![Machine { made, idle: 0 }], points: points.collect() }
    }
}

/// A body whose parts differ.
fn body(len: u32) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}
