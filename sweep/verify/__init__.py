"""Whether a store, its journals and its artefacts hold what they say: checksums, agreement, and what is left over."""

from sweep.verify.findings import Finding, Weight
from sweep.verify.verify import verify_store

__all__ = ["Finding", "Weight", "verify_store"]
