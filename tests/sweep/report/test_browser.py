"""The report opened and clicked in a real Chromium, as a phone and as a desk, with and without JavaScript."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from sweep.report import report_html
from tests.sweep.made_up import made_up

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None and not os.environ.get("CI"):
    pytest.skip("no Chromium; install Debian's package chromium", allow_module_level=True)

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
# Seconds may pass on a machine with much else to do.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    ds = made_up(lambda ds: (1 + ds["weight_virial"]) / ds["domain_radius"] / ds["degree"], scatter=0.0)
    path.write_text(report_html(ds), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, timeout=PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture(params=["phone", "desk"])
def page(request: pytest.FixtureRequest, chromium: Browser, address: str) -> Iterator[Page]:
    """The page at two sizes; afterwards: nothing was fetched, and nothing complained."""
    phone = request.param == "phone"
    context = chromium.new_context(viewport=PHONE if phone else DESK, has_touch=phone)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    fetched: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda sent: fetched.append(sent.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert [url for url in fetched if not url.startswith(("data:", address))] == []
    assert complaints == []


def pick(page: Page, name: str) -> Locator:
    return page.get_by_role("combobox", name=name, exact=True)


def reading(page: Page) -> str:
    return page.locator("#reading").inner_text()


def test_nothing_is_wider_than_the_screen(page: Page) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


def test_pictures_are_there_and_are_drawn(page: Page) -> None:
    pictures = page.locator("#figures img")
    assert pictures.count() >= 6
    sizes = pictures.evaluate_all(
        "all => Promise.all(all.map(one => one.decode().then(() => one.naturalWidth)))"
    )
    assert min(sizes) > 300


def test_the_page_is_accessible(page: Page) -> None:
    """WCAG's rules as axe-core checks them, contrast among them; with everything unfolded."""
    for details in page.locator("details").all():
        details.evaluate("element => { element.open = true; }")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_pointing_at_a_mark_reads_its_value(page: Page) -> None:
    marks = page.locator("#plot .mark")
    assert marks.count() == 12
    marks.nth(0).hover()
    # screw, 50 Å, degree 8, virial weight 0, 6 Å: 1 / 6 / 8
    assert "virial weight 0, domain radius 6 Å: geometry error 0.0208 Å" in reading(page)
    marks.nth(11).hover()
    assert "virial weight 10, domain radius 16 Å: geometry error 0.0859 Å" in reading(page)


def test_a_slice_can_be_picked(page: Page) -> None:
    expect(pick(page, "degree")).to_have_value("1")
    pick(page, "degree").select_option("6")
    page.locator("#plot .mark").first.hover()
    assert "geometry error 0.0278 Å" in reading(page)
    pick(page, "dislocation").select_option("edge")
    pick(page, "Show").select_option("Geometry error against degree")
    expect(pick(page, "domain radius")).to_have_count(1)
    expect(pick(page, "degree")).to_have_count(0)
    # what was picked stays picked
    expect(
        page.locator("#picks label", has_text="dislocation").locator("select option:checked")
    ).to_have_text("edge")
    page.locator("#plot .mark").last.hover()
    assert "degree 8: geometry error 0.0859 Å" in reading(page)


def test_labels_of_the_axis_are_those_of_the_grid(chromium: Browser, tmp_path: Path) -> None:
    """Numbers of configurations are exact: 1024 of them, and a radius of 12.75 Å, are not rounded."""
    path = tmp_path / "report.html"
    ds = made_up(domain_radius=[6.125, 12.75], n_train=[256, 1024], degree=[8])
    path.write_text(report_html(ds), encoding="utf-8")
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(path.as_uri())
    for title, along, label, read in (
        ("Geometry error against domain radius", "domain radius", "12.75", "12.75 Å"),
        ("Geometry error against training configurations", "training configurations", "1024", "1024"),
    ):
        pick(page, "Show").select_option(title)
        assert label in page.locator("#plot svg > text").all_text_contents()
        page.locator("#plot .mark").last.hover()
        assert f"{along} {read}: geometry error" in reading(page)
    page.close()


def test_a_chosen_mark_stays_while_only_the_height_changes(page: Page) -> None:
    mark = page.locator("#plot .mark").nth(3)
    mark.focus()
    read, size = reading(page), page.viewport_size
    assert size is not None
    assert "geometry error" in read
    drawn = page.locator("#plot svg").get_attribute("viewBox")
    for height in (size["height"] - 60, size["height"]):
        page.set_viewport_size({"width": size["width"], "height": height})
        page.wait_for_function("height => window.innerHeight === height", arg=height)
        # resize events come before the next frame
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        expect(mark).to_be_focused()
        assert reading(page) == read
    page.set_viewport_size({"width": 360, "height": size["height"]})
    expect(page.locator("#plot svg")).not_to_have_attribute("viewBox", str(drawn))


def test_the_keyboard_reaches_every_value(page: Page) -> None:
    pick(page, "degree").focus()
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('mark')"):
            break
    assert "domain radius 6 Å" in reading(page)
    read = {reading(page)}
    for _ in range(11):
        page.keyboard.press("ArrowRight")
        read.add(reading(page))
    assert len(read) == 12
    page.keyboard.press("Home")
    assert "virial weight 0, domain radius 6 Å" in reading(page)
    page.keyboard.press("End")
    assert "virial weight 10, domain radius 16 Å" in reading(page)
    # the whole chart is one stop
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.classList.contains('mark')")


def test_a_picked_value_can_be_changed_by_the_keyboard(page: Page) -> None:
    pick(page, "degree").focus()
    page.keyboard.press("6")
    expect(pick(page, "degree")).to_have_value("0")


def test_links_lead_to_their_sections(page: Page) -> None:
    page.get_by_role("link", name="Provenance").click()
    expect(page.get_by_role("heading", name="Provenance")).to_be_in_viewport()
    page.get_by_text("The study", exact=True).click()
    expect(page.get_by_text("study: made-up # <b>no</b> markup")).to_be_visible()


def test_print_has_the_conclusions_and_figures_and_no_controls(page: Page) -> None:
    page.emulate_media(media="print")
    expect(page.locator("#picks")).to_be_hidden()
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator("#conclusions dl")).to_be_visible()
    expect(page.locator("#figures img").first).to_be_visible()
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 30


def test_without_javascript_everything_is_there(chromium: Browser, address: str) -> None:
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    expect(page.locator("#picks")).to_be_hidden()
    expect(page.locator("#chart")).to_be_hidden()
    expect(page.locator("#conclusions dl")).to_be_visible()
    page.get_by_text("All values: Geometry error against domain radius").click()
    table = page.get_by_role("table", name="geometry error, Å")
    expect(table.first).to_be_visible()
    row = table.first.get_by_role("row").filter(has_text="screw").filter(has_text="virial weight 10").last
    expect(row).to_contain_text("0.0859")
    context.close()


def test_screenshots_can_be_looked_at(chromium: Browser, address: str, tmp_path: Path) -> None:
    """Not blank at either size: what a person judges is judged by a person."""
    for size in (PHONE, DESK):
        context = chromium.new_context(viewport=size)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(address, timeout=PATIENCE_MS)
        picture = page.screenshot(path=tmp_path / f"{size['width']}.png", full_page=True, timeout=PATIENCE_MS)
        assert len(picture) > 50_000
        context.close()
