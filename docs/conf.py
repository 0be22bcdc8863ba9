"""How the documentation is built: Sphinx, Markdown pages, reference pages written from the code first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import reference_pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Farfield"
author = "The Farfield developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "*.ipynb"]
html_theme = "furo"
html_title = "Farfield"
# Headings can be linked to from other pages.
myst_heading_anchors = 3
autodoc_typehints = "none"  # numpydoc sections say types
autodoc_member_order = "bysource"
napoleon_google_docstring = False
# Anything that a reader would stumble over is an error of the build (make docs runs it with -W).
nitpicky = False


def setup(app: Sphinx) -> None:
    """Write the pages that the code knows best before the others are read."""
    app.connect("builder-inited", lambda app: reference_pages.write(Path(app.srcdir) / "reference"))
