//! What something costs as something else grows: medians as lines, and the intervals that they are known within as bands.

use super::axis::Axis;
use super::frame::{Frame, HEAD, Pixel, Sheet, text_width};
use super::{Plot, Width, colour};

/// Curves of one unit over one parameter.
pub(in super::super) struct Growth {
    pub(in super::super) curves: Vec<Curve>,
    /// What grows.
    pub(in super::super) parameter: String,
    pub(in super::super) from: Along,
    /// What it costs.
    pub(in super::super) unit: String,
}

/// How what grows is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Along {
    /// From its least value; logarithmic if the greatest is far from that.
    Itself,
    /// From zero, so that what grows evenly is a straight line.
    Zero,
}

/// If what grows is on a logarithmic scale and its cost grows so many times, the cost is on one too.
const STEEP: f64 = 20.0;

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
        let x = match self.from {
            Along::Itself => Axis::along(points().map(|point| point.x)),
            Along::Zero => Axis::from_zero(points().map(|point| point.x)),
        };
        let y = self.upright(&x);
        let left = y.ticks(5).iter().map(|tick| text_width(&y.label(*tick))).max().unwrap_or(0) + 14;
        let name = x.name(&self.parameter);
        let frame = Frame::new(sheet, (left, HEAD), x, &name)?;
        frame.upright(&y, &y.name(&self.unit))?;
        self.curves.iter().try_for_each(|curve| curve.draw(&frame, &y))
    }
}

impl Growth {
    /// From zero, so that a line that looks flat is flat. What is flat is flat on a logarithmic scale too.
    fn upright(&self, x: &Axis) -> Axis {
        let values = || {
            self.curves.iter().flat_map(|curve| &curve.points).flat_map(|point| {
                let [low, high] = point.interval;
                [point.median, low, high]
            })
        };
        let (least, greatest) =
            values().fold((f64::MAX, 0.0), |(low, high): (f64, f64), at| (low.min(at), high.max(at)));
        if x.is_logarithmic() && least > 0.0 && greatest > least * STEEP {
            Axis::around(values())
        } else {
            Axis::from_zero(values())
        }
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
