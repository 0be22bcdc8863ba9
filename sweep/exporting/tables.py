"""The points of a store as a table: CSV, Parquet, netCDF."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import dask
import xarray as xr

from sweep.exporting.errors import ExportError
from sweep.exporting.rows import columns_of, rows_of, slabs
from sweep.exporting.whole_file import whole_file

#: Points of a variable that are written to netCDF at once.
MOST_POINTS = 500_000


def export_csv(dataset: xr.Dataset, path: str | os.PathLike[str]) -> int:
    """Write every point as a line of comma-separated values, under a line of the columns' names.

    Numbers are written in full, so that they read back as they are; what a point has not is empty. Memory does not
    grow with the number of points.

    Parameters
    ----------
    dataset
        A store, as `sweep.open_store` gives it.
    path
        The file, replaced where it exists.

    Returns
    -------
    int
        Number of points.

    Raises
    ------
    ExportError
        If the store's data cannot be read, or there is no such folder.
    OSError
        If the file cannot be written.
    """
    points = 0
    with whole_file(Path(path)) as temporary, temporary.open("x", encoding="utf-8", newline="") as file:
        for frame in rows_of(dataset):
            frame.to_csv(file, index=False, header=points == 0, lineterminator="\n")
            points += len(frame)
    return points


def export_parquet(dataset: xr.Dataset, path: str | os.PathLike[str]) -> int:
    """Write every point as a row of a Parquet file: units and long names with the columns, the study with the file.

    Parameters, return value and errors are those of `export_csv`.

    Raises
    ------
    ExportError
        As `export_csv`; if pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise ExportError(
            f"{path}: Parquet needs pyarrow, which is not installed: pip install 'farfield[parquet]', or export .csv"
        )
    import pyarrow
    from pyarrow import parquet

    columns, points = columns_of(dataset), 0
    writer: Any = None
    with whole_file(Path(path)) as temporary:
        try:
            for frame in rows_of(dataset):
                table = pyarrow.Table.from_pandas(frame, preserve_index=False)
                if writer is None:
                    fields = [
                        field.with_metadata({"units": column.units, "long_name": column.long_name})
                        for field, column in zip(table.schema, columns, strict=True)
                    ]
                    schema = pyarrow.schema(fields, metadata={k: str(v) for k, v in dataset.attrs.items()})
                    writer = parquet.ParquetWriter(temporary, schema)
                writer.write_table(table.cast(writer.schema))
                points += len(frame)
        finally:
            if writer is not None:
                writer.close()
    return points


def export_netcdf(dataset: xr.Dataset, path: str | os.PathLike[str]) -> int:
    """Write the store's variables, axes and attributes as netCDF.

    As netCDF 4 where the package netCDF4 is installed, and otherwise as netCDF 3, whose whole numbers have 32 bits,
    by way of memory.

    Parameters, return value and errors are those of `export_csv`.
    """
    axes = {str(name): dataset.sizes[name] for name in dataset["status"].dims}
    first = next(slabs(axes, MOST_POINTS))
    # as Dask arrays, slab by slab, or every variable that was written would stay in memory
    plain = dataset.chunk({name: region.stop for name, region in first.items()}).drop_encoding()
    # in this thread alone: after an error another one would open the file anew, when it is cleared away already
    alone = dask.config.set(scheduler="synchronous")
    with alone, whole_file(Path(path)) as temporary, warnings.catch_warnings():
        # of arrays in memory xarray names the byte order, which is the machine's own
        warnings.filterwarnings("ignore", "endian-ness of dtype", UserWarning)
        try:
            if importlib.util.find_spec("netCDF4") is not None:
                plain.to_netcdf(temporary, engine="netcdf4")
            else:
                plain.to_netcdf(temporary, engine="scipy", format="NETCDF3_64BIT")
        # what a damaged chunk raises is the codec's affair
        except (RuntimeError, ValueError) as error:
            raise ExportError(f"{path} cannot be written: {error}") from error
    return int(dataset["status"].size)
