"""Where a store's numbers come from: its study, the packages that made it, its fingerprint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import xarray as xr


@dataclass(frozen=True)
class Provenance:
    """What a store was made from.

    Parameters
    ----------
    study
        The study file's text.
    packages
        Versions by package.
    earlier
        Versions that packages had before, where a study went on with others.
    fingerprint
        Everything that changes numbers, as JSON.
    digest
        The first 16 hexadecimal digits of the fingerprint's SHA-256.
    store_format
        Of the store.
    """

    study: str
    packages: dict[str, str]
    earlier: tuple[dict[str, str], ...]
    fingerprint: str
    digest: str
    store_format: str


def provenance_of(ds: xr.Dataset) -> Provenance:
    """Read a store's provenance off its root; what is not there stays empty.

    Examples
    --------
    >>> provenance_of(xr.Dataset(attrs={"packages": '{"numpy": "2.0"}', "fingerprint": "{}"})).packages
    {'numpy': '2.0'}
    """
    fingerprint = _read(ds.attrs.get("fingerprint"), {})
    text = json.dumps(fingerprint, indent=1, sort_keys=True, ensure_ascii=False)
    return Provenance(
        study=str(ds.attrs.get("study", "")),
        packages=_read(ds.attrs.get("packages"), {}),
        earlier=tuple(_read(ds.attrs.get("earlier_packages"), [])),
        fingerprint=text,
        digest=hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:16],
        store_format=str(ds.attrs.get("farfield_format", "unknown")),
    )


def _read(text: Any, otherwise: Any) -> Any:
    try:
        found = json.loads(str(text))
    except ValueError:
        return otherwise
    return found if isinstance(found, type(otherwise)) else otherwise
