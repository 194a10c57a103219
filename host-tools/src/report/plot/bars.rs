//! Bars side by side: medians, each with the interval that it is known within.

use super::axis::Axis;
use super::frame::{Align, FOOT, Frame, Sheet, text_width};
use super::{Plot, Width, colour, ink};

/// Medians of one unit.
pub(in super::super) struct Bars {
    pub(in super::super) groups: Vec<Group>,
    /// What they are of.
    pub(in super::super) unit: String,
}

/// Bars that belong together.
pub(in super::super) struct Group {
    /// Empty if there is but one group.
    pub(in super::super) title: String,
    pub(in super::super) bars: Vec<Bar>,
}

/// One median.
pub(in super::super) struct Bar {
    pub(in super::super) label: String,
    pub(in super::super) colour: usize,
    pub(in super::super) median: f64,
    /// Where the median lies with what certainty.
    pub(in super::super) interval: [f64; 2],
    /// The median in words.
    pub(in super::super) text: String,
}

/// Thickness of a bar.
const BAR: i32 = 16;
/// Height of a group's title.
const TITLE: i32 = 26;

/// Height of a bar with its label, which is beside it if there is room, or else above.
fn pitch(width: Width) -> i32 {
    match width {
        Width::Wide => 26,
        Width::Narrow => 42,
    }
}

impl Bars {
    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.groups.iter().flat_map(|group| &group.bars)
    }

    /// Width of the longest text.
    fn widest(&self, text: fn(&Bar) -> &str) -> i32 {
        self.bars().map(|bar| text_width(text(bar))).max().unwrap_or(0)
    }
}

impl Plot for Bars {
    fn height(&self, width: Width) -> u32 {
        let titles = self.groups.iter().filter(|group| !group.title.is_empty()).count() as i32;
        (titles * TITLE + self.bars().count() as i32 * pitch(width) + FOOT + 8) as u32
    }

    fn draw(&self, sheet: &Sheet<'_>) -> anyhow::Result<()> {
        let narrow = sheet.width == Width::Narrow;
        let left = if narrow { 8 } else { self.widest(|bar| &bar.label).clamp(60, 280) + 8 };
        // To the right of the longest bar there is room for its text.
        let room = if narrow { 0 } else { self.widest(|bar| &bar.text) + 12 };
        let drawn = sheet.size().0 - left;
        let spread = f64::from(drawn) / f64::from((drawn - room).max(drawn / 2));
        let ends = self.bars().flat_map(|bar| [bar.median, bar.interval[0], bar.interval[1]]);
        let axis = Axis::from_zero(ends.map(|end| if end > 0.0 { end * spread } else { end }));
        let frame = Frame::new(sheet, (left, 4), axis, &self.unit)?;
        let mut y = frame.top + 4;
        for group in &self.groups {
            if !group.title.is_empty() {
                sheet.heading(&group.title, (8, y + TITLE / 2))?;
                y += TITLE;
            }
            for bar in &group.bars {
                let top = if narrow { y + 20 } else { y + (pitch(sheet.width) - BAR) / 2 };
                bar.draw(&frame, top)?;
                y += pitch(sheet.width);
            }
        }
        Ok(())
    }
}

impl Bar {
    fn draw(&self, frame: &Frame<'_, '_>, top: i32) -> anyhow::Result<()> {
        let sheet = frame.sheet;
        let middle = top + BAR / 2;
        let (zero, end) = (frame.across(0.0), frame.across(self.median));
        sheet.bar([(zero.min(end), top), (end.max(zero + 1), top + BAR)], colour(self.colour))?;
        let [low, high] = self.interval.map(|value| frame.across(value));
        if high > low {
            // A light edge makes it stand out from the bar.
            for (colour, width) in [(ink::PAPER, 4), (ink::TEXT, 1)] {
                sheet.line(vec![(low, middle), (high, middle)], colour, width)?;
                sheet.line(vec![(low, middle - 5), (low, middle + 5)], colour, width)?;
                sheet.line(vec![(high, middle - 5), (high, middle + 5)], colour, width)?;
            }
        }
        match sheet.width {
            Width::Wide => {
                sheet.text(&self.label, (frame.left - 8, middle), Align::Right, ink::TEXT)?;
                sheet.text(&self.text, (end.max(high).max(zero) + 8, middle), Align::Left, ink::TEXT)
            }
            Width::Narrow => {
                sheet.text(&self.label, (frame.left, top - 10), Align::Left, ink::TEXT)?;
                sheet.text(&self.text, (frame.right, top - 10), Align::Right, ink::TEXT)
            }
        }
    }
}
