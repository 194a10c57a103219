//! What something costs as something else grows: medians as lines, and the intervals that they are known within as bands.

use super::axis::Axis;
use super::frame::{Frame, HEAD, Pixel, Sheet, text_width};
use super::{Plot, Width, colour};

/// Curves of one unit over one parameter.
pub(in super::super) struct Growth {
    pub(in super::super) curves: Vec<Curve>,
    /// What grows.
    pub(in super::super) parameter: String,
    /// What it costs.
    pub(in super::super) unit: String,
}

/// One line.
pub(in super::super) struct Curve {
    pub(in super::super) colour: usize,
    /// In ascending order.
    pub(in super::super) points: Vec<Point>,
}

/// One median.
pub(in super::super) struct Point {
    pub(in super::super) x: f64,
    pub(in super::super) median: f64,
    pub(in super::super) interval: [f64; 2],
}

/// Half the width of the square that marks a point.
const MARK: i32 = 3;

impl Plot for Growth {
    fn height(&self, width: Width) -> u32 {
        match width {
            Width::Wide => 320,
            Width::Narrow => 280,
        }
    }

    fn draw(&self, sheet: &Sheet<'_>) -> anyhow::Result<()> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let x = Axis::around(points().map(|point| point.x));
        // From zero, so that a line that looks flat is flat.
        let y = Axis::from_zero(points().map(|point| point.median.max(point.interval[1])));
        let left = y.ticks(5).iter().map(|tick| text_width(&y.label(*tick))).max().unwrap_or(0) + 14;
        let name = x.name(&self.parameter);
        let frame = Frame::new(sheet, (left, HEAD), x, &name)?;
        frame.upright(&y, &self.unit)?;
        self.curves.iter().try_for_each(|curve| curve.draw(&frame, &y))
    }
}

impl Curve {
    fn draw(&self, frame: &Frame<'_, '_>, y: &Axis) -> anyhow::Result<()> {
        let colour = colour(self.colour);
        let along = |value: fn(&Point) -> f64| -> Vec<Pixel> {
            self.points.iter().map(|point| (frame.across(point.x), frame.up(y, value(point)))).collect()
        };
        let mut band = along(|point| point.interval[0]);
        band.extend(along(|point| point.interval[1]).into_iter().rev());
        frame.sheet.band(band, colour)?;
        let medians = along(|point| point.median);
        for &(x, y) in &medians {
            frame.sheet.bar([(x - MARK, y - MARK), (x + MARK, y + MARK)], colour)?;
        }
        frame.sheet.line(medians, colour, 2)
    }
}
