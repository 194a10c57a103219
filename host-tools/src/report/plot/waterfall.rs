//! A boot step by step: each bar begins where the one above it ends.

use super::axis::Axis;
use super::frame::{Align, FOOT, Frame, Sheet, text_width};
use super::{Plot, Width, colour, ink};
use crate::report::number::brief;

/// The steps of a boot, in milliseconds.
pub(in super::super) struct Waterfall {
    pub(in super::super) steps: Vec<Step>,
    /// Below which no kernel can be.
    pub(in super::super) floor: Option<f64>,
}

/// From one event to the next.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Step {
    /// The event that it ends with.
    pub(in super::super) name: String,
    /// What passes the time until then.
    pub(in super::super) words: String,
    pub(in super::super) colour: usize,
    pub(in super::super) start: f64,
    pub(in super::super) end: f64,
}

/// Height of a step.
const PITCH: i32 = 22;
/// Thickness of its bar.
const BAR: i32 = 14;
/// Room for the floor's label.
const TOP: i32 = 24;

impl Plot for Waterfall {
    fn height(&self, _: Width) -> u32 {
        (TOP + self.steps.len() as i32 * PITCH + FOOT) as u32
    }

    fn draw(&self, sheet: &Sheet<'_>) -> anyhow::Result<()> {
        let left = self.steps.iter().map(|step| text_width(step.label(sheet.width))).max().unwrap_or(0) + 8;
        let spread = self.spread(sheet.size().0 - left);
        let axis = Axis::from_zero(self.steps.iter().map(|step| step.end * spread).chain(self.floor));
        let frame = Frame::new(sheet, (left, TOP), axis, "ms since QEMU was started")?;
        if let Some(floor) = self.floor {
            let at = frame.across(floor);
            sheet.dashes((at, TOP - 6), frame.bottom, ink::TEXT)?;
            let text = format!("floor {} ms", brief(floor));
            let half = text_width(&text) / 2;
            let middle = at.clamp(frame.left + half, (frame.right - half).max(frame.left + half));
            sheet.text(&text, (middle, TOP - 14), Align::Middle, ink::TEXT)?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            step.draw(&frame, TOP + at as i32 * PITCH + (PITCH - BAR) / 2)?;
        }
        Ok(())
    }
}

impl Waterfall {
    /// How many times as long as the boot the axis is, so that a step which takes nearly all of it has room for its text.
    fn spread(&self, pixels: i32) -> f64 {
        let longest = self.steps.iter().map(|step| step.end).fold(0.0, f64::max);
        let room = |step: &Step| f64::from(text_width(&step.text()) + 12) / f64::from(pixels) * longest;
        let is_crowded = |step: &&Step| step.start < room(step) && step.end + room(step) > longest;
        let most = self.steps.iter().filter(is_crowded).map(room).fold(0.0, f64::max);
        if most < longest { longest / (longest - most) } else { 1.0 }
    }
}

impl Step {
    /// How long it takes, in words.
    fn text(&self) -> String {
        format!("+{:.2}", self.length())
    }

    /// How long it takes.
    pub(in super::super) fn length(&self) -> f64 {
        self.end - self.start
    }

    /// In words where there is room for them.
    fn label(&self, width: Width) -> &str {
        match width {
            Width::Wide => &self.words,
            Width::Narrow => &self.name,
        }
    }

    fn draw(&self, frame: &Frame<'_, '_>, top: i32) -> anyhow::Result<()> {
        let (sheet, middle) = (frame.sheet, top + BAR / 2);
        sheet.text(self.label(sheet.width), (frame.left - 8, middle), Align::Right, ink::TEXT)?;
        let (start, end) = (frame.across(self.start), frame.across(self.end));
        let end = end.max(start + 2);
        sheet.bar([(start, top), (end, top + BAR)], colour(self.colour))?;
        let text = self.text();
        // On the side that has the room.
        if end + text_width(&text) < frame.right {
            sheet.text(&text, (end + 5, middle), Align::Left, ink::TEXT)
        } else {
            sheet.text(&text, (start - 5, middle), Align::Right, ink::TEXT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_takes_nearly_all_leaves_room_for_its_text() {
        let step = |start, end| Step { name: String::new(), words: String::new(), colour: 0, start, end };
        let spread = |steps| Waterfall { steps, floor: None }.spread(400);
        assert_eq!(spread(vec![step(0.0, 20.0), step(20.0, 30.0)]), 1.0, "each has room on one side");
        let (whole, end) = (100.0, step(2.0, 99.0));
        let room = f64::from(text_width(&end.text()) + 12) / 400.0 * whole;
        let axis = spread(vec![step(0.0, 2.0), end, step(99.0, whole)]) * whole;
        assert!((axis - room * axis / whole - whole).abs() < 1e-9, "{axis}");
    }
}
