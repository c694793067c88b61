//! Statuses of the library, and which errno of the driver becomes which.
//! Source: facts/amd-smi.md 3.1; every errno of a partition write measured on 24.5.2, 26.2.1 and 27.1.0.

use crate::sim::Errno;

use super::generation::Generation;

/// A library status that the simulated calls can end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 1.
    Inval,
    /// 2.
    NotSupported,
    /// 10.
    NoPerm,
    /// 14.
    FileError,
    /// 16.
    InternalException,
    /// 20.
    DirectoryNotFound,
    /// 30.
    Busy,
    /// 31.
    NotFound,
    /// 42.
    UnexpectedSize,
    /// 43.
    UnexpectedData,
    /// 54.
    RestartError,
    /// 55.
    SettingUnavailable,
    /// 0xFFFFFFFF.
    Unknown,
}

/// Which partition file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `current_compute_partition`.
    Compute,
    /// `current_memory_partition`.
    Memory,
}

impl Status {
    /// What the library makes of an errno of a write.
    pub fn of_write(errno: Errno, target: Target, generation: Generation) -> Self {
        let latest = generation == Generation::V27;
        let no_permission = match target {
            Target::Compute => Self::NoPerm,
            Target::Memory => Self::NotSupported,
        };
        match errno {
            Errno::EPERM | Errno::ENOENT => Self::NotSupported,
            Errno::EACCES => no_permission,
            Errno::EROFS if latest => no_permission,
            Errno::EOPNOTSUPP if latest => Self::NotSupported,
            Errno::EBADF | Errno::EISDIR => Self::FileError,
            Errno::EBUSY => Self::Busy,
            Errno::ESRCH => Self::NotFound,
            Errno::ENOTDIR if generation >= Generation::V26 => Self::DirectoryNotFound,
            Errno::EIO => Self::UnexpectedSize,
            Errno::ENXIO => Self::UnexpectedData,
            // Before 6.4 the library did not tell EINVAL apart.
            Errno::EINVAL if generation >= Generation::V25 => Self::Inval,
            Errno::EINVAL
            | Errno::EROFS
            | Errno::EOPNOTSUPP
            | Errno::EINTR
            | Errno::EAGAIN
            | Errno::ENOMEM
            | Errno::EFAULT
            | Errno::EEXIST
            | Errno::ENODEV
            | Errno::EMFILE
            | Errno::ENOSPC
            | Errno::ERANGE
            | Errno::ENOSYS
            | Errno::ENODATA
            | Errno::ETIME
            | Errno::ETIMEDOUT
            | Errno::ESTALE
            | Errno::ECANCELED
            | Errno::E2BIG
            | Errno::ENOEXEC
            | Errno::ECHILD
            | Errno::ENOTBLK
            | Errno::EXDEV
            | Errno::ENOTDIR
            | Errno::ENFILE
            | Errno::ENOTTY
            | Errno::ETXTBSY
            | Errno::EFBIG
            | Errno::ESPIPE
            | Errno::EMLINK
            | Errno::EPIPE
            | Errno::EDOM
            | Errno::EDEADLK
            | Errno::ENAMETOOLONG
            | Errno::ENOLCK
            | Errno::ENOTEMPTY
            | Errno::ELOOP
            | Errno::EPROTO
            | Errno::EBADMSG
            | Errno::EOVERFLOW
            | Errno::EUSERS
            | Errno::EMSGSIZE
            | Errno::ENOBUFS
            | Errno::ENOTCONN
            | Errno::EALREADY
            | Errno::EINPROGRESS
            | Errno::EREMOTEIO
            | Errno::EDQUOT
            | Errno::ENOMEDIUM
            | Errno::ECOMM
            | Errno::ECONNRESET
            | Errno::ENOPROTOOPT
            | Errno::EREMCHG => Self::Unknown,
        }
    }

    /// The library's number.
    pub const fn number(self) -> i64 {
        match self {
            Self::Inval => 1,
            Self::NotSupported => 2,
            Self::NoPerm => 10,
            Self::FileError => 14,
            Self::InternalException => 16,
            Self::DirectoryNotFound => 20,
            Self::Busy => 30,
            Self::NotFound => 31,
            Self::UnexpectedSize => 42,
            Self::UnexpectedData => 43,
            Self::RestartError => 54,
            Self::SettingUnavailable => 55,
            Self::Unknown => 0xFFFF_FFFF,
        }
    }

    /// The library's name: what 6.4 and later put in brackets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inval => "AMDSMI_STATUS_INVAL",
            Self::NotSupported => "AMDSMI_STATUS_NOT_SUPPORTED",
            Self::NoPerm => "AMDSMI_STATUS_NO_PERM",
            Self::FileError => "AMDSMI_STATUS_FILE_ERROR",
            Self::InternalException => "AMDSMI_STATUS_INTERNAL_EXCEPTION",
            Self::DirectoryNotFound => "AMDSMI_STATUS_DIRECTORY_NOT_FOUND",
            Self::Busy => "AMDSMI_STATUS_BUSY",
            Self::NotFound => "AMDSMI_STATUS_NOT_FOUND",
            Self::UnexpectedSize => "AMDSMI_STATUS_UNEXPECTED_SIZE",
            Self::UnexpectedData => "AMDSMI_STATUS_UNEXPECTED_DATA",
            Self::RestartError => "AMDSMI_STATUS_AMDGPU_RESTART_ERR",
            Self::SettingUnavailable => "AMDSMI_STATUS_SETTING_UNAVAILABLE",
            Self::Unknown => "AMDSMI_STATUS_UNKNOWN_ERROR",
        }
    }

    /// The words of the Python bindings.
    const fn words(self) -> &'static str {
        match self {
            Self::Inval => "Invalid parameters",
            Self::NotSupported => "Feature not supported",
            Self::NoPerm => "Permission Denied",
            Self::FileError => "Error opening file",
            // The blank is the tool's.
            Self::InternalException => " Internal error",
            Self::DirectoryNotFound => "Error when a directory is not found, maps to ENOTDIR",
            Self::Busy => "Device busy",
            Self::NotFound => "Device Not found",
            Self::UnexpectedSize => "unexpected size of data was read",
            Self::UnexpectedData => "The data read or provided was unexpected",
            Self::RestartError => "AMDGPU restart failed, please check dmsg for errors",
            Self::SettingUnavailable => "Setting is not available",
            Self::Unknown => "An unknown error occurred",
        }
    }

    /// How Python prints the exception. Before 6.4 the bindings had no names for the later statuses.
    pub fn exception(self, generation: Generation) -> String {
        let later = matches!(self, Self::RestartError | Self::SettingUnavailable);
        let known = if later && generation < Generation::V25 { Self::Unknown } else { self };
        let (number, name, words) = (self.number(), known.name(), known.words());
        format!("amdsmi.amdsmi_exception.AmdSmiLibraryException: Error code:\n\t{number} | {name} - {words}")
    }
}
