//! The parent's ends of a child's pipes, never blocking.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, ioctl_fionbio};

/// Most that is read from one pipe before the others get their turn.
const TURN: usize = 1 << 20;

/// A stream that the child writes to.
#[derive(Debug)]
pub(super) struct Sink {
    fd: Option<OwnedFd>,
    cap: usize,
    /// What was read, at most `cap` bytes.
    pub(super) bytes: Vec<u8>,
}

/// What one turn of reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing more for now, or the end.
    Within,
    /// There was more than the cap; the stream is closed.
    OverCap,
}

impl Sink {
    pub(super) fn new(fd: Option<OwnedFd>, cap: usize) -> Self {
        Self { fd: fd.filter(|fd| ioctl_fionbio(fd, true).is_ok()), cap, bytes: Vec::new() }
    }

    /// The descriptor to wait for, while there is something to come.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Turn {
        let mut turn = 0;
        while turn < TURN {
            let Some(fd) = &self.fd else { return Turn::Within };
            match rustix::io::read(fd, &mut *buffer) {
                Ok(0) => self.fd = None,
                Ok(count) => {
                    turn += count;
                    let room = self.cap - self.bytes.len();
                    self.bytes.extend_from_slice(&buffer[..count.min(room)]);
                    if count > room {
                        self.fd = None;
                        return Turn::OverCap;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Turn::Within,
                Err(_) => self.fd = None,
            }
        }
        Turn::Within
    }
}

/// The stream that the child reads from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    fd: Option<OwnedFd>,
    left: &'a [u8],
}

impl<'a> Source<'a> {
    pub(super) fn new(fd: Option<OwnedFd>, bytes: &'a [u8]) -> Self {
        Self { fd: fd.filter(|fd| !bytes.is_empty() && ioctl_fionbio(fd, true).is_ok()), left: bytes }
    }

    /// The descriptor to wait for, while there is something to give.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Writes what fits, and closes the pipe after the last byte or when the child has closed its end.
    pub(super) fn write(&mut self) {
        while let Some(fd) = &self.fd {
            match rustix::io::write(fd, self.left) {
                Ok(count) => {
                    self.left = &self.left[count..];
                    if self.left.is_empty() {
                        self.fd = None;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.fd = None,
            }
        }
    }
}
