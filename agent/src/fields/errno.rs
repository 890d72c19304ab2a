//! Names of errors.

/// The name of an error as `errno(3)` has it, of a system call's negative result; the number as
/// text for one that has no name.
pub(crate) fn errno_name(result: i64) -> std::borrow::Cow<'static, str> {
    let Some(number) = result
        .checked_neg()
        .and_then(|number| i32::try_from(number).ok())
    else {
        return result.to_string().into();
    };
    NAMES
        .iter()
        .find(|(known, _)| *known == number)
        .map_or_else(|| result.to_string().into(), |(_, name)| (*name).into())
}

macro_rules! names {
    ($($name:ident)+) => {
        const NAMES: &[(i32, &str)] = &[$((libc::$name, stringify!($name)),)+];
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP
    ENOMSG EIDRM ENOSTR ENODATA ETIME ENOSR EREMOTE ENOLINK EPROTO EMULTIHOP EBADMSG EOVERFLOW
    ENOTUNIQ EBADFD EILSEQ EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT
    EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN
    ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT
    ECANCELED EOWNERDEAD ENOTRECOVERABLE EKEYEXPIRED EKEYREJECTED EKEYREVOKED ENOKEY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (result, expected) in [
            (-2, "ENOENT"),
            (-13, "EACCES"),
            (-115, "EINPROGRESS"),
            (-9999, "-9999"),
            (i64::MIN + 1, "-9223372036854775807"),
        ] {
            assert_eq!(errno_name(result), expected);
        }
    }
}
