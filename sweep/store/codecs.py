"""How chunks are stored: compressed, and with a checksum, so that a damaged one is never taken for numbers."""

from __future__ import annotations

from zarr.codecs import Crc32cCodec, ZstdCodec

#: Zarr's own choice, and CRC-32C of what it gives: part of Zarr 3, checked by every reader.
COMPRESSORS = (ZstdCodec(level=0), Crc32cCodec())
