//! Generated functions that differ in a number, which each answers with.

use super::images::{Images, Made};
use super::request::Request;
use super::server::Server;
use crate::build::{Generated, Work};
use crate::few::grouped;

/// The number of the first. All numbers from here on have as many digits, and so take as many instructions.
const FIRST: u32 = 100_000;

/// Functions of an image that are asked twice before any other is: the machine has then made and reset domains, and its lists,
/// which double when they are full, do not grow with the next function.
pub(super) const OTHERS: u32 = 5;

/// Asks the [`OTHERS`], which follow the first `count` functions.
pub(super) fn ask_others(server: &mut Server, count: u32) -> anyhow::Result<()> {
    (count..count + OTHERS).flat_map(|at| [at, at]).try_for_each(|at| server.send(&request(at)).map(drop))
}

/// Makes the image of so many functions of so many pages each.
pub(super) fn image(images: &mut Images, count: u32, pages: u32) -> anyhow::Result<Made> {
    let functions: Vec<_> = (0..count).map(|at| Generated { name: name(at), work: work(at), pages }).collect();
    let plural = if count == 1 { "" } else { "s" };
    let name = format!("{} generated function{plural} of {} KiB", grouped(functions.len()), 4 * pages);
    images.generate(name, &functions)
}

/// The request to one of them, and its only right answer.
pub(super) fn request(at: u32) -> Request {
    Request::get(&format!("/{}", name(at))).with_body(&work(at).answer())
}

fn name(at: u32) -> String {
    format!("digit-{}", FIRST + at)
}

fn work(at: u32) -> Work {
    Work::Number(FIRST + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_functions_of_an_image_have_numbers_of_as_many_digits() {
        // More than any benchmark makes.
        for at in [0, 99_999] {
            assert_eq!(work(at).answer().len(), work(0).answer().len());
        }
        assert_ne!(request(1).bytes, request(2).bytes);
    }
}
