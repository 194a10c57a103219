//! A capture: what the machine's card sends and receives, in a file that tcpdump, tshark and Wireshark read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::SystemTime;

use smoltcp::phy::{PcapLinkType, PcapSink};
use smoltcp::time::Instant;

use crate::Error;

/// A pcap file that is being written.
pub(super) struct Capture(Sink);

/// The file, and what first went wrong with it: smoltcp's writer cannot be told.
struct Sink {
    file: BufWriter<File>,
    failed: io::Result<()>,
}

impl PcapSink for Sink {
    fn write(&mut self, data: &[u8]) {
        if self.failed.is_ok() {
            self.failed = self.file.write_all(data);
        }
    }
}

impl Capture {
    /// Makes the file, or empties it.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::io(format!("create the capture {}", path.display())))?;
        let mut sink = Sink { file: BufWriter::new(file), failed: Ok(()) };
        sink.global_header(PcapLinkType::Ethernet);
        Ok(Self(sink))
    }

    /// Adds a frame, with the time of day.
    pub(super) fn add(&mut self, frame: &[u8]) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.0.packet(Instant::from_micros(now.as_micros() as i64), frame);
    }

    /// Everything added so far is in the file.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        std::mem::replace(&mut self.0.failed, Ok(()))?;
        self.0.file.flush()
    }
}
