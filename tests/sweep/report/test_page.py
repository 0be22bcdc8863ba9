"""The page as a file: one, whole, and safe whatever a study's text says."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
import xarray as xr

from sweep.report import report_html, write_report
from sweep.report.command import make_report
from sweep.store import StoreMissingError
from sweep.variables import Status
from tests.sweep.made_up import made_up, marked
from tests.sweep.small_store import new_store


class Reader(HTMLParser):
    """Collects a page's elements, and checks that they are closed in order."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return report_html(made_up(lambda ds: 1 / ds["domain_radius"]))


def test_the_page_needs_nothing_else(page: str) -> None:
    for tag, attributes in Reader(page).elements:
        assert tag not in ("link", "iframe", "object")
        for name in ("src", "href", "srcset", "action"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:", "#")) or not value, (tag, value)
    assert "@import" not in page
    assert "url(" not in page


def test_conclusions_come_first_then_figures_then_provenance(page: str) -> None:
    headings = [
        page.index(f'<section id="{name}"')
        for name in ("conclusions", "advice", "hypotheses", "closer", "figures", "provenance")
    ]
    assert headings == sorted(headings)


def test_figures_have_alternative_texts_with_numbers(page: str) -> None:
    images = [attributes for tag, attributes in Reader(page).elements if tag == "img"]
    assert len(images) >= 6
    for attributes in images:
        alt = attributes["alt"] or ""
        assert len(alt) > 60
        assert any(character.isdigit() for character in alt)
        assert attributes["width"]
        assert attributes["height"]


def test_ids_are_unique(page: str) -> None:
    ids = [attributes["id"] for _, attributes in Reader(page).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_studys_text_is_never_markup() -> None:
    ds = made_up()
    ds = marked(ds, xr.ones_like(ds["status"], dtype=bool), Status.pending)
    ds.attrs["study"] = "study: '<img src=x>'  # </script><script>alert(1)</script>\n"
    ds.attrs["packages"] = '{"<b>numpy</b>": "</script>"}'
    page = report_html(ds)
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "<b>numpy" not in page
    assert "alert(1)" in Reader(page).text


def test_a_store_with_nothing_has_a_page_all_the_same() -> None:
    ds = made_up()
    ds = marked(ds, xr.ones_like(ds["status"], dtype=bool), Status.pending)
    reader = Reader(report_html(ds))
    assert "still to come" in reader.text
    assert "Figures that this store has no data for" in reader.text
    assert not [tag for tag, _ in reader.elements if tag == "script"]


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path / "small.zarr")
    target = write_report(store, tmp_path / "new" / "page.html")
    before = target.read_text(encoding="utf-8")
    assert before.startswith("<!doctype html>")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_report(store, target)
    assert target.read_text(encoding="utf-8") == before
    assert list(target.parent.iterdir()) == [target]


def test_the_command_prints_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = new_store(tmp_path / "small.zarr")
    assert make_report(store) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'small.html'}\n"


def test_bad_input_is_one_message_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_report(tmp_path / "none.zarr") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no store at" in captured.err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreMissingError):
        write_report(tmp_path / "none.zarr", tmp_path / "page.html")
