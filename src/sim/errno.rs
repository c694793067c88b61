//! Error numbers that a simulated file can answer with, by name.

use std::fmt;
use std::str::FromStr;

macro_rules! errnos {
    ($($name:ident = $number:literal $text:literal),+ $(,)?) => {
        /// A Linux errno.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::upper_case_acronyms)]
        pub enum Errno {
            $(#[doc = $text] $name),+
        }

        impl Errno {
            /// Every errno that the simulator knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The symbolic name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// The number on Linux (x86-64 and most others).
            pub const fn number(self) -> i32 {
                match self { $(Self::$name => $number),+ }
            }

            /// `strerror` text of glibc.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

errnos! {
    EPERM = 1 "Operation not permitted",
    ENOENT = 2 "No such file or directory",
    EINTR = 4 "Interrupted system call",
    EIO = 5 "Input/output error",
    ENXIO = 6 "No such device or address",
    EBADF = 9 "Bad file descriptor",
    EAGAIN = 11 "Resource temporarily unavailable",
    ENOMEM = 12 "Cannot allocate memory",
    EACCES = 13 "Permission denied",
    EFAULT = 14 "Bad address",
    EBUSY = 16 "Device or resource busy",
    EEXIST = 17 "File exists",
    ENODEV = 19 "No such device",
    EISDIR = 21 "Is a directory",
    EINVAL = 22 "Invalid argument",
    EMFILE = 24 "Too many open files",
    ENOSPC = 28 "No space left on device",
    EROFS = 30 "Read-only file system",
    ERANGE = 34 "Numerical result out of range",
    ENOSYS = 38 "Function not implemented",
    ENODATA = 61 "No data available",
    ETIME = 62 "Timer expired",
    EOPNOTSUPP = 95 "Operation not supported",
    ETIMEDOUT = 110 "Connection timed out",
    ESTALE = 116 "Stale file handle",
    ECANCELED = 125 "Operation canceled",
}

impl FromStr for Errno {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|errno| errno.name() == text)
            .ok_or_else(|| format!("{text:?} is not an errno the simulator knows"))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
