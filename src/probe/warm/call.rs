//! What is said between the trampoline and a warm parent, on a socket between the two: the call with three descriptors, and
//! how the fork ended.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// Longest call: an environment of 2 MiB, the most that the kernel takes, with each byte written as a number.
const MAX_CALL: u32 = 16 << 20;

/// What a fork is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Its folder.
    pub folder: PathBuf,
    /// All of its variables.
    pub variables: Vec<(OsString, OsString)>,
    /// Most address space, in bytes.
    pub memory: Option<u64>,
    /// The process group that it joins: the trampoline's.
    pub group: i32,
}

/// How a fork ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// There was none.
    Refused(String),
}

/// Calls, with the descriptors that become standard input, output and error.
///
/// # Errors
/// Nobody listens.
pub fn call(stream: &mut UnixStream, call: &Call, streams: &[BorrowedFd<'_>; 3]) -> io::Result<()> {
    let text = serde_json::to_vec(call)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(streams));
    let sent = sendmsg(&*stream, &[IoSlice::new(&length.to_be_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    if sent != size_of::<u32>() {
        return Err(io::Error::other("the warm parent took a part of a number"));
    }
    stream.write_all(&text)
}

/// Takes a call.
///
/// # Errors
/// It is none, or does not come.
pub fn receive(stream: &mut UnixStream) -> io::Result<(Call, [OwnedFd; 3])> {
    let mut length = [0; size_of::<u32>()];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(&*stream, &mut [IoSliceMut::new(&mut length)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut streams: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(found) = message {
            streams.extend(found);
        }
    }
    let streams = streams.try_into().map_err(|_| io::Error::other("a call without its three descriptors"))?;
    let length = u32::from_be_bytes(length);
    if received.bytes != size_of::<u32>() || length > MAX_CALL {
        return Err(io::Error::other("a call that is cut off, or too long"));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text)?;
    Ok((serde_json::from_slice(&text)?, streams))
}

/// Says how a fork ended.
///
/// # Errors
/// Nobody listens any more.
pub fn answer(mut stream: UnixStream, ending: &Ending) -> io::Result<()> {
    stream.write_all(&serde_json::to_vec(ending)?)
}

/// Waits for the end of the fork.
///
/// # Errors
/// The warm parent is gone.
pub fn ending(stream: UnixStream) -> io::Result<Ending> {
    let mut text = Vec::new();
    stream.take(MAX_CALL.into()).read_to_end(&mut text)?;
    if text.is_empty() {
        return Err(io::Error::other("the warm parent is gone"));
    }
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_call_arrives_whole_with_its_descriptors() {
        let (mut caller, mut parent) = UnixStream::pair().unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        let said = Call {
            folder: "/tmp/x".into(),
            variables: vec![("A".into(), "b\nc".into()), ("LONG".into(), "x".repeat(300_000).into())],
            memory: Some(5),
            group: 77,
        };
        let sent = said.clone();
        let sender = std::thread::spawn(move || {
            let fds = [read.as_fd(), write.as_fd(), write.as_fd()];
            call(&mut caller, &sent, &fds).unwrap();
            (ending(caller).unwrap(), read)
        });
        let (heard, [_, out, _]) = receive(&mut parent).unwrap();
        assert_eq!(heard, said);
        rustix::io::write(&out, b"through").unwrap();
        answer(parent, &Ending::Signaled(11)).unwrap();
        let (ended, read) = sender.join().unwrap();
        assert_eq!(ended, Ending::Signaled(11));
        let mut bytes = [0; 16];
        assert_eq!(rustix::io::read(&read, &mut bytes).unwrap(), 7);
    }

    #[test]
    fn what_is_no_call_is_refused_and_a_parent_that_is_gone_is_no_ending() {
        let (mut caller, mut parent) = UnixStream::pair().unwrap();
        caller.write_all(b"none").unwrap();
        assert!(receive(&mut parent).is_err());
        drop(parent);
        assert!(ending(caller).is_err());
    }
}
