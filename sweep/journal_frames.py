"""The bytes of a journal: a header (magic, format version) and frames.

A frame is a head and a payload; the head holds the payload's length, its BLAKE2b digest, and a CRC-32 of
these two, so that a damaged length is known as damage and not taken for a frame yet to be finished.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

# 2: truncation records stand among those of blocks and points. 3: records hold their arrays as bytes.
# 4: records of failures say stage, attempts, log and time.
FORMAT_VERSION = 4

_MAGIC = b"FARFJRNL"
_HEADER = struct.Struct("<8sI")
_LENGTH_AND_DIGEST = struct.Struct("<I16s")
_HEAD = struct.Struct("<I16sI")


class JournalError(ValueError):
    """A journal that cannot be read by this version, or written to any more."""


@dataclass(frozen=True)
class Damage:
    """Where a journal stops making sense; what stands before is whole.

    Parameters
    ----------
    path
        The journal.
    offset
        First byte that cannot be read.
    reason
        Why not.
    """

    path: Path
    offset: int
    reason: str


def header() -> bytes:
    """Give the bytes that a journal begins with."""
    return _HEADER.pack(_MAGIC, FORMAT_VERSION)


def frame_of(payload: bytes) -> bytes:
    """Give the frame that holds a payload."""
    described = _LENGTH_AND_DIGEST.pack(len(payload), _digest(payload))
    return described + struct.pack("<I", zlib.crc32(described)) + payload


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()


def read_frames(
    path: Path, offset: int, most: int | None = None
) -> tuple[list[tuple[int, bytes]], int, Damage | None]:
    """Read whole frames from `offset` on: (offset, payload) of each, where they end, and what stopped them.

    What may be a frame yet to be finished (it reaches the end of the file) is no damage. With `most`, a part of the
    file is read, of about so many bytes: where frames end before the file does, there may be more.
    """
    found = _read_frames(path, offset, most)
    if most is not None and not found[0] and found[2] is None and path.stat().st_size > offset + most:
        # one frame is longer than that, or looks unfinished only because the part ends within it
        return _read_frames(path, offset, None)
    return found


def _read_frames(
    path: Path, offset: int, most: int | None
) -> tuple[list[tuple[int, bytes]], int, Damage | None]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < offset:
            return [], offset, Damage(path, size, f"shorter than the {offset} bytes already read")
        file.seek(offset)
        data = file.read(-1 if most is None else most)
    start = 0
    if offset == 0:
        if len(data) < _HEADER.size:
            return [], 0, None
        if (reason := _header_fault(path, data)) is not None:
            return [], 0, Damage(path, 0, reason)
        start = _HEADER.size
    payloads: list[tuple[int, bytes]] = []
    while len(data) - start >= _HEAD.size:
        length, digest, check = _HEAD.unpack_from(data, start)
        stop = start + _HEAD.size + length
        reason = None
        if zlib.crc32(data[start : start + _LENGTH_AND_DIGEST.size]) != check:
            # Blocks of a file may arrive late and read as zeros until then.
            if not data[start + _HEAD.size :].strip(b"\0"):
                break
            reason = "damaged frame head"
        elif stop > len(data):
            break
        elif _digest(payload := data[start + _HEAD.size : stop]) != digest:
            if stop == len(data):
                break
            reason = "damaged frame"
        if reason is not None:
            return payloads, offset + start, Damage(path, offset + start, reason)
        payloads.append((offset + start, payload))
        start = stop
    return payloads, offset + start, None


def _header_fault(path: Path, data: bytes) -> str | None:
    """Say what is wrong with a journal's header, if anything is."""
    magic, version = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        return "not a journal"
    if version > FORMAT_VERSION:
        raise JournalError(
            f"{path} was written by a newer version of Farfield (journal format {version}, this one reads "
            f"{FORMAT_VERSION}); install that version or name another store"
        )
    return None
