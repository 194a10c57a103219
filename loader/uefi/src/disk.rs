//! Files on the disk that this application was loaded from.

use core::ops::Deref;
use core::ptr::NonNull;
use mayfly_abi::PAGE;
use uefi::boot::{self, AllocateType, MemoryType};
use uefi::proto::media::file::{File, FileAttribute, FileMode, RegularFile};
use uefi::{CStr16, Status};

use crate::Failure;

/// A file's bytes, in memory that goes back to the firmware.
pub(crate) struct Contents {
    start: NonNull<u8>,
    len: usize,
    pages: usize,
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: that many bytes were read into pages that are ours.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        // SAFETY: allocated with this length, and nobody borrows it any more. If it fails, the pages are lost.
        let _ = unsafe { boot::free_pages(self.start, self.pages) };
    }
}

/// Reads a whole file.
pub(crate) fn read(name: &'static CStr16) -> Result<Contents, Failure> {
    let failed = |status: Status| Failure::File(name, status);
    let mut file = open(name).map_err(failed)?;
    // A position behind everything is the end.
    file.set_position(RegularFile::END_OF_FILE).map_err(|error| failed(error.status()))?;
    let len = file.get_position().map_err(|error| failed(error.status()))? as usize;
    file.set_position(0).map_err(|error| failed(error.status()))?;
    let pages = len.div_ceil(PAGE as usize).max(1);
    let start = boot::allocate_pages(AllocateType::AnyPages, MemoryType::LOADER_DATA, pages)
        .map_err(|error| failed(error.status()))?;
    let mut contents = Contents { start, len: 0, pages };
    while contents.len < len {
        // SAFETY: these bytes of the pages are ours and nobody else's.
        let rest = unsafe { core::slice::from_raw_parts_mut(start.as_ptr().add(contents.len), len - contents.len) };
        match file.read(rest).map_err(|error| failed(error.status()))? {
            0 => return Err(failed(Status::END_OF_FILE)),
            more => contents.len += more,
        }
    }
    Ok(contents)
}

/// Reads as much of a text file as there is room for, and says how much that was. A file that is not there is empty.
pub(crate) fn read_text(name: &'static CStr16, out: &mut [u8]) -> Result<usize, Failure> {
    match open(name) {
        Ok(mut file) => file.read(out).map_err(|error| Failure::File(name, error.status())),
        Err(Status::NOT_FOUND) => Ok(0),
        Err(status) => Err(Failure::File(name, status)),
    }
}

fn open(name: &CStr16) -> Result<RegularFile, Status> {
    let mut volume = boot::get_image_file_system(boot::image_handle()).map_err(|error| error.status())?;
    let mut root = volume.open_volume().map_err(|error| error.status())?;
    let file = root.open(name, FileMode::Read, FileAttribute::empty()).map_err(|error| error.status())?;
    file.into_regular_file().ok_or(Status::NOT_FOUND)
}
