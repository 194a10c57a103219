//! Pictures as SVG, drawn by plotters: each once for wide windows and paper, and once for phones.

mod axis;
mod bars;
mod distribution;
mod frame;
mod growth;
mod waterfall;

use plotters::backend::SVGBackend;
use plotters::prelude::{IntoDrawingArea, RGBColor};

pub(super) use self::bars::{Bar, Bars, Group};
pub(super) use self::distribution::{Distribution, Sample};
use self::frame::Sheet;
pub(super) use self::growth::{Along, Curve, Growth, Point};
pub(super) use self::waterfall::{Step, Waterfall};

/// What a colour of a picture stands for. style.css says by these very values what each looks like in light, dark and print.
mod ink {
    use super::RGBColor;

    pub(super) const TEXT: RGBColor = RGBColor(1, 0, 0);
    pub(super) const MUTED: RGBColor = RGBColor(2, 0, 0);
    pub(super) const GRID: RGBColor = RGBColor(3, 0, 0);
    pub(super) const PAPER: RGBColor = RGBColor(4, 0, 0);
}

/// How many things of a picture can be told apart by their colours.
pub(super) const COLOURS: usize = 6;

/// The colour of the thing with this number.
fn colour(number: usize) -> RGBColor {
    RGBColor(0, 0, 1 + (number % COLOURS) as u8)
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// A window or a page.
    Wide,
    /// A phone.
    Narrow,
}

impl Width {
    /// In pixels; text is drawn in the size in which it is read.
    fn pixels(self) -> u32 {
        match self {
            Self::Wide => 760,
            Self::Narrow => 350,
        }
    }
}

/// Something that can be drawn.
pub(super) trait Plot {
    /// Its height in pixels.
    fn height(&self, width: Width) -> u32;
    /// Draws it.
    fn draw(&self, sheet: &Sheet<'_>) -> anyhow::Result<()>;
}

/// The plot as an `<svg>` element.
pub(super) fn svg(plot: &dyn Plot, width: Width) -> anyhow::Result<String> {
    let mut svg = String::new();
    let size = (width.pixels(), plot.height(width));
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    // The text is whole once the sheet is gone.
    plot.draw(&Sheet::new(area, width))?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's style.
    const STYLE: &str = include_str!("style.css");

    #[test]
    fn the_style_knows_every_colour_that_pictures_have() {
        let numbered = (0..COLOURS).map(colour);
        for RGBColor(red, green, blue) in [ink::TEXT, ink::MUTED, ink::GRID, ink::PAPER].into_iter().chain(numbered) {
            for attribute in ["fill", "stroke"] {
                let selector = format!("[{attribute}=\"#{red:02X}{green:02X}{blue:02X}\"]");
                assert!(STYLE.contains(&selector), "{selector} is not in style.css");
            }
        }
    }
}
