"""Registers `ds.sweep` as soon as xarray is there, without importing xarray for those who have no use for it."""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

XARRAY, ACCESSOR = "xarray", "sweep.accessor"


def register_accessor() -> None:
    """Register the accessor: now, where xarray is imported already, or else when it is.

    Workers and plans import `sweep` and never xarray, which takes half a second; an analyst imports both, in either
    order.
    """
    if XARRAY in sys.modules:
        importlib.import_module(ACCESSOR)
    else:
        sys.meta_path.insert(0, _WhenImported())


class _WhenImported(MetaPathFinder):
    """Waits for the import of xarray, and has the accessor imported after it."""

    def __init__(self) -> None:
        self._searching = False

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Find xarray as the other finders do; a spec that is only looked at changes nothing."""
        if fullname != XARRAY or self._searching:
            return None
        self._searching = True
        try:
            spec = importlib.util.find_spec(XARRAY)
        finally:
            self._searching = False
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            execute(module)
            importlib.import_module(ACCESSOR)

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
