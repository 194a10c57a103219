//! Reads a QR code back from the SVG picture that the qr function draws.

/// Pixels that a module gets on each side: a reader of pictures needs a few.
const SCALE: usize = 4;

/// The text of the code, or why it cannot be read.
pub(crate) fn text(svg: &str) -> Result<String, String> {
    let size: usize = between(svg, "viewBox=\"0 0 ", " ").and_then(|size| size.parse().ok()).ok_or("no viewBox")?;
    let path = between(svg, "<path d=\"", "\"").ok_or("no path")?;
    let mut dark = vec![false; size * size];
    for rectangle in path.split_terminator('z') {
        let (x, y, len) = corner_and_length(rectangle).ok_or_else(|| format!("`{rectangle}` is no row of modules"))?;
        dark.get_mut(y * size + x..y * size + x + len).ok_or("a row outside the picture")?.fill(true);
    }
    let pixels = size * SCALE;
    let shade = |x: usize, y: usize| if dark[y / SCALE * size + x / SCALE] { 0 } else { 255 };
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(pixels, pixels, shade);
    let codes = picture.detect_grids();
    let [code] = codes.as_slice() else { return Err(format!("{} codes in the picture", codes.len())) };
    code.decode().map(|(_, text)| text).map_err(|error| error.to_string())
}

/// Reads `M4,5h7v1h-7z` without its end: the left end of a row of dark modules, and its length.
fn corner_and_length(rectangle: &str) -> Option<(usize, usize, usize)> {
    let (corner, run) = rectangle.strip_prefix('M')?.split_once('h')?;
    let (x, y) = corner.split_once(',')?;
    let (len, back) = run.split_once("v1h-")?;
    (len == back).then_some(())?;
    Some((x.parse().ok()?, y.parse().ok()?, len.parse().ok()?))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_modules_is_read_and_anything_else_is_not() {
        assert_eq!(corner_and_length("M4,5h7v1h-7"), Some((4, 5, 7)));
        for other in ["", "M4,5h7v1h-6", "M4,5h7v2h-7", "4,5h7v1h-7", "M4h7v1h-7"] {
            assert_eq!(corner_and_length(other), None, "{other}");
        }
    }

    #[test]
    fn a_picture_without_a_code_is_refused() {
        let error = text("<svg viewBox=\"0 0 29 29\"><path d=\"M4,4h7v1h-7z\"/></svg>");
        assert_eq!(error, Err("0 codes in the picture".to_owned()));
        assert!(text("<svg/>").is_err());
    }
}
