//! An SVG picture of the request body as a QR code, drawn straight into the response.
#![no_std]
#![no_main]

use core::fmt::{self, Write};

use mayfly_sdk::{Request, Response};
use qrcodegen_no_heap::{QrCode, QrCodeEcc, Version};

mayfly_sdk::function!(qr);

/// Blank modules that a reader needs around the code.
const QUIET: i32 = 4;

/// Answers with the picture, or with 400 if there is no text or too much of it for one code.
fn qr(request: &Request) -> Response {
    let Some(text) = request.text() else {
        return Response::text("send the text for the QR code as the request body, in UTF-8\n").with_status(400);
    };
    let mut scratch = [0; Version::MAX.buffer_len()];
    let mut modules = [0; Version::MAX.buffer_len()];
    let (least, most) = (Version::MIN, Version::MAX);
    let code = QrCode::encode_text(text, &mut scratch, &mut modules, QrCodeEcc::Medium, least, most, None, true);
    let Ok(code) = code else {
        let sentence = format_args!(
            "{} bytes are too many for a QR code: it holds 2331 bytes of text, or 5596 digits\n",
            text.len()
        );
        return Response::text(sentence).with_status(400);
    };
    let mut picture = Response::status(200).with_type("image/svg+xml");
    match draw(&code, &mut picture) {
        Ok(()) => picture,
        Err(fmt::Error) => Response::text("the picture is over this function's response limit\n").with_status(500),
    }
}

/// Draws each run of dark modules as one rectangle of a path.
fn draw(code: &QrCode, out: &mut impl Write) -> fmt::Result {
    let size = code.size() + 2 * QUIET;
    writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">"##
    )?;
    writeln!(out, r##"<rect width="100%" height="100%" fill="#fff"/>"##)?;
    write!(out, r#"<path d=""#)?;
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|&at| code.get_module(at, y)).count() as i32;
            if run > 0 {
                write!(out, "M{},{}h{run}v1h-{run}z", x + QUIET, y + QUIET)?;
            }
            x += run + 1;
        }
    }
    writeln!(out, "\"/>\n</svg>")
}
