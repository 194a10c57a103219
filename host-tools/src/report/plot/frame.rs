//! What all pictures are drawn with: a sheet of pixels, and a frame with axes on it.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::prelude::{
    Color, DrawingArea, FontStyle, IntoFont, PathElement, Polygon, RGBColor, Rectangle, ShapeStyle, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::{Width, ink};

/// Height of text in pixels.
const TEXT: u32 = 13;
/// plotters writes font sizes divided by this.
const SCALE: f64 = 1.24;
/// About how wide a character is, in pixels.
const CHARACTER: usize = 7;

/// Where a text lies from its point.
#[derive(Clone, Copy)]
pub(super) enum Align {
    Left,
    Middle,
    Right,
}

/// A pixel.
pub(super) type Pixel = (i32, i32);

/// The surface of one picture.
pub(in super::super) struct Sheet<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    pub(super) width: Width,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(area: DrawingArea<SVGBackend<'a>, Shift>, width: Width) -> Self {
        Self { area, width }
    }

    /// Its size in pixels.
    pub(super) fn size(&self) -> Pixel {
        let (width, height) = self.area.dim_in_pixel();
        (width as i32, height as i32)
    }

    /// Writes a line whose middle is at this height.
    pub(super) fn text(&self, text: &str, at: Pixel, align: Align, colour: RGBColor) -> anyhow::Result<()> {
        self.write(text, at, align, colour, FontStyle::Normal)
    }

    /// Writes a heading, from this point to the right.
    pub(super) fn heading(&self, text: &str, at: Pixel) -> anyhow::Result<()> {
        self.write(text, at, Align::Left, ink::TEXT, FontStyle::Bold)
    }

    fn write(&self, text: &str, at: Pixel, align: Align, colour: RGBColor, style: FontStyle) -> anyhow::Result<()> {
        let side = match align {
            Align::Left => HPos::Left,
            Align::Middle => HPos::Center,
            Align::Right => HPos::Right,
        };
        let font =
            ("sans-serif", f64::from(TEXT) * SCALE, style).into_font().color(&colour).pos(Pos::new(side, VPos::Center));
        Ok(self.area.draw(&Text::new(text.to_owned(), at, font))?)
    }

    /// Draws a line through these points.
    pub(super) fn line(&self, points: Vec<Pixel>, colour: RGBColor, width: u32) -> anyhow::Result<()> {
        Ok(self.area.draw(&PathElement::new(points, colour.stroke_width(width)))?)
    }

    /// Draws a line straight down, made of dashes.
    pub(super) fn dashes(&self, (x, top): Pixel, bottom: i32, colour: RGBColor) -> anyhow::Result<()> {
        (top..bottom).step_by(7).try_for_each(|y| self.line(vec![(x, y), (x, (y + 4).min(bottom))], colour, 1))
    }

    /// Fills a rectangle.
    pub(super) fn bar(&self, corners: [Pixel; 2], colour: RGBColor) -> anyhow::Result<()> {
        Ok(self.area.draw(&Rectangle::new(corners, colour.filled()))?)
    }

    /// Fills what lies within these points so that what is below can be seen.
    pub(super) fn band(&self, points: Vec<Pixel>, colour: RGBColor) -> anyhow::Result<()> {
        let style: ShapeStyle = colour.mix(0.2).filled();
        Ok(self.area.draw(&Polygon::new(points, style))?)
    }
}

/// About how many pixels wide a text is.
pub(super) fn text_width(text: &str) -> i32 {
    (text.chars().count() * CHARACTER) as i32
}

/// The part of a sheet in which values are drawn, with a scale along its foot and, if there is one, along its left side.
pub(super) struct Frame<'a, 's> {
    pub(super) sheet: &'a Sheet<'s>,
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
    pub(super) x: Axis,
}

/// Room below a frame for its scale and what it is of.
pub(super) const FOOT: i32 = 44;
/// Room above a frame for what its left scale is of.
pub(super) const HEAD: i32 = 28;

impl<'a, 's> Frame<'a, 's> {
    /// A frame from this corner to the sheet's right and foot, with room for the scale, whose lines it draws.
    pub(super) fn new(sheet: &'a Sheet<'s>, (left, top): Pixel, x: Axis, name: &str) -> anyhow::Result<Self> {
        let (width, height) = sheet.size();
        let frame = Self { sheet, left, top, right: width - 24, bottom: height - FOOT, x };
        let ticks = frame.x.ticks(if sheet.width == Width::Wide { 8 } else { 4 });
        let mut end = i32::MIN;
        for tick in &ticks {
            let at = frame.across(*tick);
            sheet.line(vec![(at, top), (at, frame.bottom)], ink::GRID, 1)?;
            let label = frame.x.label(*tick);
            let half = text_width(&label) / 2;
            // Neither beyond the edge of the sheet nor over the one before.
            let middle = at.min(width - half - 2);
            if middle - half > end + 6 {
                sheet.text(&label, (middle, frame.bottom + 12), Align::Middle, ink::MUTED)?;
                end = middle + half;
            }
        }
        sheet.text(name, (i32::midpoint(left, frame.right), height - 10), Align::Middle, ink::MUTED)?;
        Ok(frame)
    }

    /// Draws a scale along the left side. `name`: what it is of.
    pub(super) fn upright(&self, y: &Axis, name: &str) -> anyhow::Result<()> {
        for tick in y.ticks(5) {
            let at = self.up(y, tick);
            self.sheet.line(vec![(self.left, at), (self.right, at)], ink::GRID, 1)?;
            self.sheet.text(&y.label(tick), (self.left - 6, at), Align::Right, ink::MUTED)?;
        }
        self.sheet.text(name, (4, self.top - 18), Align::Left, ink::MUTED)
    }

    /// Where a value is along the foot.
    pub(super) fn across(&self, value: f64) -> i32 {
        self.left + (self.x.place(value) * f64::from(self.right - self.left)).round() as i32
    }

    /// Where a value is along the left side.
    pub(super) fn up(&self, y: &Axis, value: f64) -> i32 {
        self.bottom - (y.place(value) * f64::from(self.bottom - self.top)).round() as i32
    }
}
