"""The labelled Zarr store of a study: set up, written by the driver alone, opened by anyone."""

from sweep.store.asked import mark_asked
from sweep.store.configurations import configuration_path, write_configuration
from sweep.store.errors import (
    StoreError,
    StoreExistsError,
    StoreMissingError,
    StoreUnreachableError,
    UnstorableRecordError,
)
from sweep.store.failures import Failed, open_failures, read_failures, write_failures
from sweep.store.growth import grow_store, read_on_grid, undo_growth
from sweep.store.template import create_store
from sweep.store.truncations import read_truncation_status, write_truncations
from sweep.store.zarr_store import (
    accept_kernels,
    accept_packages,
    open_store,
    read_status,
    read_status_source,
    stored_fingerprint,
    write_records,
)

__all__ = [
    "Failed",
    "StoreError",
    "StoreExistsError",
    "StoreMissingError",
    "StoreUnreachableError",
    "UnstorableRecordError",
    "accept_kernels",
    "accept_packages",
    "configuration_path",
    "create_store",
    "grow_store",
    "mark_asked",
    "open_failures",
    "open_store",
    "read_failures",
    "read_on_grid",
    "read_status",
    "read_status_source",
    "read_truncation_status",
    "stored_fingerprint",
    "undo_growth",
    "write_configuration",
    "write_failures",
    "write_records",
    "write_truncations",
]
