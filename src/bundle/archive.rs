//! Files as a packed archive: of the same files always the same bytes.

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::contents::Bundle;

/// When every file was made, in seconds since 1970: the first of January 2000. The time of day is no part of a report,
/// and tar warns of 1970.
const MADE: u64 = 946_684_800;

/// A `.tar.gz` with every file below one folder.
///
/// # Errors
/// A path is longer than the format can hold.
pub fn archive(bundle: &Bundle) -> io::Result<Vec<u8>> {
    let packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    let mut tar = Builder::new(packed);
    for (path, text) in &bundle.files {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(MADE);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, format!("{}/{path}", bundle.name), text.as_bytes())?;
    }
    let mut packed = tar.into_inner()?;
    packed.flush()?;
    packed.finish()
}
