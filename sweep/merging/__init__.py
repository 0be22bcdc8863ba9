"""Stores of one study from several sites made one."""

from sweep.merging.command import merge_stores
from sweep.merging.errors import MergeRefusedError
from sweep.merging.merge import Merged, merged

__all__ = ["MergeRefusedError", "Merged", "merge_stores", "merged"]
