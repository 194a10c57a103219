//! How values are distributed: for each value, the share of all that do not exceed it.

use super::axis::Axis;
use super::frame::{Frame, HEAD, Pixel, Sheet};
use super::{Plot, Width, colour};
use crate::results::distribution;

/// Empirical distributions of one unit.
pub(in super::super) struct Distribution<'a> {
    pub(in super::super) samples: Vec<Sample<'a>>,
    /// What they are of.
    pub(in super::super) unit: String,
}

/// The values of one series, in any order.
pub(in super::super) struct Sample<'a> {
    pub(in super::super) colour: usize,
    pub(in super::super) values: &'a [f64],
}

impl Plot for Distribution<'_> {
    fn height(&self, width: Width) -> u32 {
        match width {
            Width::Wide => 300,
            Width::Narrow => 270,
        }
    }

    fn draw(&self, sheet: &Sheet<'_>) -> anyhow::Result<()> {
        let x = Axis::around_most(self.samples.iter().flat_map(|sample| sample.values).copied());
        let name = x.name(&self.unit);
        let frame = Frame::new(sheet, (40, HEAD), x, &name)?;
        let y = Axis::share();
        frame.upright(&y, "% of the values are at most this")?;
        self.samples.iter().try_for_each(|sample| sheet.line(sample.steps(&frame, &y), colour(sample.colour), 2))
    }
}

impl Sample<'_> {
    /// The line: up at each value. What falls on one column of pixels is one step.
    fn steps(&self, frame: &Frame<'_, '_>, y: &Axis) -> Vec<Pixel> {
        let steps = distribution(self.values);
        let mut points: Vec<Pixel> = Vec::new();
        let mut height = frame.up(y, 0.0);
        for (at, (value, share)) in steps.iter().enumerate() {
            let x = frame.across(*value);
            if points.last().is_none_or(|(last, _)| *last != x) {
                points.push((x, height));
            }
            height = frame.up(y, share * 100.0);
            if steps.get(at + 1).is_none_or(|(next, _)| frame.across(*next) != x) {
                points.push((x, height));
            }
        }
        points.push((frame.right, height));
        points
    }
}
