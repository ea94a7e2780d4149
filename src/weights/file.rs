//! Files that are always complete: written under another name in the same folder, then renamed.

use core::sync::atomic::{AtomicU64, Ordering};
use std::ffi::{OsStr, OsString};
use std::format;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use crate::bytes::{SEED, fnv};

/// Gives a file this content, all of it or none.
///
/// What the file is, it stays: a link is followed, permissions and owner are kept, and what has no content of its own
/// to replace, such as a pipe or a device, is written to directly. A save that is killed leaves at most one temporary
/// file, which the next save of the same file removes.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let target = match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => return OpenOptions::new().write(true).open(path)?.write_all(bytes),
        _ => followed(path)?,
    };
    let before = match OpenOptions::new().write(true).open(&target) {
        Ok(file) => Some(file.metadata()?),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Renaming needs no permission to write to what it replaces, but whoever forbids it means that.
        Err(error) => return Err(error),
    };
    let temporary = Temporary::beside(&target, before.as_ref())?;
    // The error that came first is reported; there may be nothing to remove.
    temporary.write(bytes, before.as_ref(), &target).inspect_err(|_| drop(fs::remove_file(&temporary.path)))
}

/// Where a path leads, even if nothing is there yet.
fn followed(path: &Path) -> Result<PathBuf> {
    // As many links as Linux follows.
    const LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.with_file_name("").join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(Error::other("the links that the path consists of have no end"))
}

/// An empty file that no other save writes to.
struct Temporary {
    path: PathBuf,
    /// Locked, as long as it is open, if its name is that of all saves of the same file.
    file: File,
}

impl Temporary {
    fn beside(target: &Path, before: Option<&Metadata>) -> Result<Self> {
        #[cfg(unix)]
        if let Some(temporary) = Self::reclaimed(target, before)? {
            return Ok(temporary);
        }
        // Two threads that save to the same path at the same time must not write to the same file.
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let ending = format!(".{}-{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let path = hidden(target, &ending)?;
        Ok(Self { file: created(&path, before)?, path })
    }

    /// The file under the one name that all saves of `target` use, so that a save which was killed leaves one file, and
    /// the next save knows it. Waits for a save that is still running. Nothing if the file system has no locks.
    #[cfg(unix)]
    fn reclaimed(target: &Path, before: Option<&Metadata>) -> Result<Option<Self>> {
        let path = hidden(target, ".tmp")?;
        loop {
            match created(&path, before) {
                Ok(file) => {
                    if file.lock().is_err() {
                        fs::remove_file(&path)?;
                        return Ok(None);
                    }
                    // Before it was locked, another save may have taken it for one that was left.
                    if is_at(&file, &path) {
                        return Ok(Some(Self { path, file }));
                    }
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    // What no running save has locked, and is still there then, was left by one that was killed.
                    match fs::symlink_metadata(&path) {
                        Ok(there) if there.is_file() => {}
                        Ok(_) => return Ok(None),
                        Err(_) => continue,
                    }
                    let Ok(left) = File::open(&path) else { return Ok(None) };
                    if left.lock().is_err() {
                        return Ok(None);
                    }
                    if is_at(&left, &path) {
                        fs::remove_file(&path)?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&self, bytes: &[u8], before: Option<&Metadata>, target: &Path) -> Result<()> {
        if let Some(before) = before {
            keep(&self.file, before);
        }
        (&self.file).write_all(bytes)?;
        // Otherwise a power failure could leave the new name without its content.
        self.file.sync_all()?;
        fs::rename(&self.path, target)
    }
}

/// `.name` and an ending beside `target`. Names have at most 255 bytes; a longer one is replaced by its hash.
fn hidden(target: &Path, ending: &str) -> Result<PathBuf> {
    let name = target.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the path names no file"))?;
    let bytes = name.as_encoded_bytes();
    let hash = OsString::from(format!("{:016x}", fnv(SEED, bytes)));
    let short: &OsStr = if 1 + bytes.len() + ending.len() <= 255 { name } else { &hash };
    let mut hidden = OsString::from(".");
    hidden.push(short);
    hidden.push(ending);
    Ok(target.with_file_name(hidden))
}

/// A new file, which nobody can read who could not read the one before.
fn created(path: &Path, before: Option<&Metadata>) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if before.is_some() {
        // Until it has the owner and the permissions of the one before.
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let _ = before;
    options.open(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::new(
            error.kind(),
            format!("its folder must be writable, because a file beside it is renamed: {error}"),
        ),
        _ => error,
    })
}

/// Whether this open file is still the one of this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(open), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

/// Gives a file the permissions and the owner of the one that it replaces, as far as the system allows: only an
/// administrator can give files away, and not all file systems have permissions. What fails leaves a file that nobody
/// else can read, which is no reason to lose the weights.
fn keep(file: &File, before: &Metadata) {
    #[cfg(unix)]
    if let Ok(now) = file.metadata() {
        use std::os::unix::fs::{MetadataExt, fchown};
        if now.gid() != before.gid() {
            let _ = fchown(file, None, Some(before.gid()));
        }
        if now.uid() != before.uid() {
            let _ = fchown(file, Some(before.uid()), None);
        }
    }
    let _ = file.set_permissions(before.permissions());
}
