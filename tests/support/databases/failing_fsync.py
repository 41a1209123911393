"""Makes every fsync of one thread fail, as a disk that is broken does: the kernel answers EIO in its stead.

A seccomp filter (seccomp(2)), which is the calling thread's alone and lasts until that ends.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_SYSTEM_CALLS = {"x86_64": (74, 75), "aarch64": (82, 83)}
"""The numbers of fsync and fdatasync."""
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD_NUMBER, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000 | errno.EIO


class Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_of(action: int) -> Filter:
    """A filter that lets every call pass but fsync and fdatasync, for which the kernel takes that action."""
    fsync, fdatasync = _SYSTEM_CALLS[platform.machine()]
    instructions = [
        (_LOAD_NUMBER, 0, 0, 0),
        (_JUMP_IF_EQUAL, 2, 0, fsync),
        (_JUMP_IF_EQUAL, 1, 0, fdatasync),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, action),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    return Filter(len(instructions), code)


def fail_fsyncs(_connection: object = None) -> None:
    """Let no fsync or fdatasync of the calling thread succeed from now on."""
    program = filter_of(_FAIL)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
