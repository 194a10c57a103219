//! GRUB's boot information (GNU Multiboot2 Specification 2.0, 3.6): tags, each with its type and length, to an end tag.
//!
//! It lies in memory that counts as free, so what the kernel needs later is copied. Its copy of the ACPI tables' root is not
//! passed on: the kernel finds the original below 1 MiB, where a BIOS has it.

use bootloader_api::info::{FrameBuffer, FrameBufferInfo, PixelFormat};
use core::ptr::addr_of_mut;
use mayfly_abi::boot::COMMAND_LINE_MAX;

use crate::{Start, direct};

const COMMAND_LINE: u32 = 1;
const MEMORY_MAP: u32 = 6;
const FRAMEBUFFER: u32 = 8;
/// The kind of screen that has pixels, each made of red, green and blue.
const DIRECT_COLOUR: u8 = 1;

static mut COMMAND_LINE_COPY: [u8; COMMAND_LINE_MAX as usize] = [0; COMMAND_LINE_MAX as usize];

/// Reads the information at an address. Panics if it is none.
///
/// # Safety
/// GRUB vouches for the address. To be called once.
pub(crate) unsafe fn read(address: u64) -> Start<impl Iterator<Item = (u64, u64, u32)>> {
    // SAFETY: the first word is the length of all of it.
    let all = unsafe {
        let len = (address as *const u32).read() as usize;
        core::slice::from_raw_parts(address as *const u8, len)
    };
    let mut start = Start { map: [].as_slice(), command_line: (0, 0), rsdp: None, framebuffer: None };
    let mut rest = &all[8..];
    while let [_, _, _, _, _, _, _, _, ..] = rest {
        let (kind, len) = (word(rest, 0), word(rest, 4) as usize);
        let content = &rest[8..len];
        match kind {
            COMMAND_LINE => {
                let text = content.split(|byte| *byte == 0).next().unwrap_or_default();
                // SAFETY: one core, called once.
                start.command_line = unsafe { copy(text, &mut *addr_of_mut!(COMMAND_LINE_COPY)) };
            }
            MEMORY_MAP => start.map = content,
            FRAMEBUFFER => start.framebuffer = framebuffer(content),
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    let Start { map, command_line, rsdp, framebuffer } = start;
    // Length of an entry and version of its layout, then the entries.
    let entry_len = if map.is_empty() { 24 } else { word(map, 0) as usize };
    let entries = map.get(8..).unwrap_or_default().chunks_exact(entry_len);
    let map = entries.map(|entry| (double(entry, 0), double(entry, 8), word(entry, 16)));
    Start { map, command_line, rsdp, framebuffer }
}

/// Copies as much as there is room for; gives its physical address and length.
fn copy(bytes: &[u8], to: &'static mut [u8]) -> (u64, u64) {
    let len = bytes.len().min(to.len());
    to[..len].copy_from_slice(&bytes[..len]);
    // The loader runs where it is linked.
    (to.as_ptr() as u64, len as u64)
}

/// The screen (3.6.12), if it has pixels of four bytes in an order that the kernel knows.
fn framebuffer(tag: &[u8]) -> Option<FrameBuffer> {
    let [pitch, width, height] = [8, 12, 16].map(|at| word(tag, at) as usize);
    let (bits, kind) = (tag[20], tag[21]);
    if (bits, kind) != (32, DIRECT_COLOUR) {
        return None;
    }
    let (red, blue) = (tag[24], tag[28]);
    let pixel_format = match (red, blue) {
        (0, 16) => PixelFormat::Rgb,
        (16, 0) => PixelFormat::Bgr,
        _ => return None,
    };
    let byte_len = pitch * height;
    let info = FrameBufferInfo { byte_len, width, height, pixel_format, bytes_per_pixel: 4, stride: pitch / 4 };
    // SAFETY: GRUB vouches for it. Where the direct map does not show it yet, the kernel sees to that.
    Some(unsafe { FrameBuffer::new(direct(double(tag, 0)), info) })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn double(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}
