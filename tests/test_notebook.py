"""The worked notebook, run as it is shown, on the small study's store."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "from-store-to-conclusion.ipynb"
STORE = "tungsten-quick.zarr"


def lines_of_code(notebook: nbformat.NotebookNode) -> list[str]:
    sources = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return [line for line in sources.splitlines() if line.strip()]


# the kernel's own sockets: traitlets and zmq warn of what they do themselves
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_the_notebook_comes_to_a_conclusion(finished: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    lines = lines_of_code(notebook)
    assert len(lines) < 20
    assert any(STORE in line for line in lines)
    for cell in notebook.cells:
        cell.source = cell.source.replace(STORE, str(finished / "small-iron.zarr"))
    NotebookClient(notebook, timeout=240).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 1
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "H4: " in printed
    assert "geometry_error of at most 1.5 Å" in printed
    assert "Weighting to regret least: weight_energy" in printed
