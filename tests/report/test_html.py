"""The HTML report in a real browser: it loads nothing, works, and shows text as text."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from builders import Image, directory, file, image, tar_of, whiteout, write_oci_layout
from helpers.scanning import scanned

from dedupe.report.forms import ReportInput
from dedupe.report.html import to_html
from dedupe.report.html.treemap import Box, squarify

webdriver = pytest.importorskip("selenium.webdriver")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait

HOSTILE = [
    "<script>document.title='owned'</script>",
    "\"onload='x'\"",
    "a\u202egnp.exe",
    "line\nbreak",
    "\x1b[31mred\x1b[0m",
    "</script><script>document.title='owned'</script>",
    "&amp;{{7*7}}",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of ordinary images and one with hostile names, after two scans."""
    folder = tmp_path_factory.mktemp("html")
    base = tar_of([directory("usr"), *(file(f"usr/lib/f{n}", b"x" * 3000) for n in range(40))])
    upper = tar_of([whiteout("usr/lib/f1"), file("srv/a", b"y" * 90_000)])
    images = [Image([base], names=["localhost/base:1"])]
    images += [
        Image(
            [base, upper, tar_of([file(f"srv/own{n}", bytes([n]) * (n + 1) * 1000)])],
            names=[f"localhost/team{n % 3}/app{n}:1"],
            history=["ADD rootfs", "RUN make", f"COPY {HOSTILE[n % len(HOSTILE)]} /srv"],
        )
        for n in range(60)
    ]
    images.append(
        image(
            [file(f"srv/{name.replace('/', '')}/f", b"z" * 500) for name in HOSTILE],
            [whiteout(f"srv/{name.replace('/', '')}") for name in HOSTILE],
            names=HOSTILE[0],
            history=[HOSTILE[0], HOSTILE[1]],
        )
    )
    write_oci_layout(folder / "store", images)
    scanned(folder / "catalog", folder / "store")
    _, session = scanned(folder / "catalog", folder / "store")
    target = folder / "report.html"
    target.write_text(to_html(ReportInput(session).page_rows))
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium that keeps its console."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, report: Path) -> Any:
    """The browser with the report loaded."""
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(report.as_uri())
    return browser


def test_the_page_loads_nothing_and_logs_nothing(opened: Any, report: Path) -> None:
    """There is no console message, and no request but for the file itself."""
    assert opened.get_log("browser") == []
    asked = [
        message["params"]["request"]["url"]
        for entry in opened.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert set(asked) == {report.as_uri()}
    assert "dedupe: " in opened.title


def test_hostile_text_stays_text_on_the_page(opened: Any, report: Path) -> None:
    """Hostile names are on the page as they are, and do nothing."""
    assert "owned" not in opened.title
    assert len(opened.find_elements("css selector", "script")) == 2
    text = opened.find_element("css selector", "body").text
    assert HOSTILE[0] in text
    source = report.read_text()
    assert "\x1b" not in source
    assert "\u202e" not in source
    assert "49" not in re.findall(r"amp;(\d+)", source)


def test_tables_sort_and_search(opened: Any) -> None:
    """A click on a heading sorts, a second reverses; typed words choose rows."""
    table = opened.find_element("css selector", "[data-table=images]")
    head = table.find_elements("css selector", "th")[0]
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "ascending"

    def first() -> str:
        return table.find_element("css selector", "tbody tr:not(.space) td").text

    lowest = first()
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert first() > lowest
    search = table.find_element("css selector", "input")
    search.send_keys("team1 app7")
    assert table.find_element("css selector", ".count").text == "1 of 62 rows"
    assert first() == "localhost/team1/app7:1"
    rows = table.find_elements("css selector", "tbody tr:not(.space)")
    assert len(rows) == 1


def test_the_treemap_is_walked_by_keyboard(opened: Any) -> None:
    """Enter opens an image and a layer, Escape goes back."""
    tree = opened.find_element("id", "treemap")
    home = tree.get_dom_attribute("viewBox")
    wait = WebDriverWait(opened, 5)
    opened.execute_script("document.querySelector('.tile[role=button]').focus()")
    opened.switch_to.active_element.send_keys("\ue007")
    wait.until(lambda _: tree.get_attribute("data-level") == "2")
    assert opened.find_element("id", "where").text
    assert opened.find_elements("css selector", ".tile.l2[role=button]")
    wait.until(lambda _: tree.get_dom_attribute("viewBox") != home)
    opened.find_element("css selector", "body").send_keys("\ue00c")
    wait.until(lambda _: tree.get_attribute("data-level") == "1")
    wait.until(
        lambda _: [float(x) for x in tree.get_dom_attribute("viewBox").split()] == [0, 0, 1000, 560]
    )


def test_the_page_has_dark_mode_and_fits_a_phone(opened: Any, report: Path) -> None:
    """A button turns the page dark; at 380 pixels only tables are wider than the page."""
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = opened.execute_script(colour)
    opened.find_element("id", "theme").click()
    assert opened.execute_script(colour) != before
    kept = Path(os.environ.get("DEDUPE_ARTIFACTS", report.parent))
    for width in (380, 800, 1280):
        opened.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        assert opened.execute_script("return document.documentElement.scrollWidth") <= width
        kept.mkdir(parents=True, exist_ok=True)
        assert opened.save_screenshot(str(kept / f"report-{width}.png"))
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Any, theme: str) -> None:
    """axe-core has no finding of serious or critical impact in either theme."""
    axe = pytest.importorskip("axe_core_python")
    source = next(Path(axe.__file__).parent.rglob("axe.min.js")).read_text()
    opened.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    opened.execute_script(source)
    found = opened.execute_async_script(
        "const done = arguments[0]; axe.run().then(done, (error) => done(String(error)))"
    )
    serious = [
        (each["id"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_page_is_whole_without_javascript(report: Path) -> None:
    """Tables, bars and the tree are in the file itself."""
    source = report.read_text()
    body = source.partition('<script type="application/json"')[0]
    assert body.count("<tr>") > 50
    assert "localhost/team1/app7:1" in body
    assert "javascript:" not in source
    assert not re.search(r"(src|href)=\"(?!#)", source)


def test_the_page_stays_small(tmp_path: Path) -> None:
    """The page is bounded, however many images, findings and folders there are."""
    write_oci_layout(tmp_path / "store", [image([file("a", b"1")], [whiteout("a")], names="a")])
    _, session = scanned(tmp_path / "catalog", tmp_path / "store")
    small = ReportInput(session).page_rows
    (finding,) = small.found.findings
    long = {**finding, "step": "RUN " + "x" * 9000, "paths": ["y" * 4000] * 5}
    folder = {"duplicate_bytes": 1, "size_bytes": 1, "copies": 2, "files": 1, "images": 1}
    (one,) = small.found.images
    images = [{**one, "image_id": f"{number}", "name": "n" * 150} for number in range(10_000)]
    large = replace(
        small,
        found=replace(small.found, findings=[long] * 30_000, images=images),
        duplicate_folders=[{**folder, "folders": ["z" * 4000] * 10}] * 30_000,
    )
    source = to_html(large)
    assert len(source.encode()) < 10_000_000
    left_out = re.findall(r"(\d+) more rows: <code>([^<]+)</code>", source)
    commands = [command for _, command in left_out]
    assert commands == ["dedupe findings --limit 0", "dedupe duplicates --by folder --limit 0"]
    assert all(25_000 < int(count) < 30_000 for count, _ in left_out)


def test_assets_are_in_the_package() -> None:
    """Template, style and script are where the renderer looks for them."""
    folder = resources.files("dedupe.report.html").joinpath("assets")
    assert {"page.html", "style.css", "script.js"} <= {item.name for item in folder.iterdir()}


def test_boxes_of_the_treemap_fill_their_parent() -> None:
    """Areas are in proportion, do not overlap, and are within the parent."""
    weights = [50.0, 20.0, 9.0, 9.0, 6.0, 4.0, 1.0, 1.0]
    outer = Box(10, 20, 300, 100)
    boxes = squarify(weights, outer)
    assert len(boxes) == len(weights)
    for weight, box in zip(weights, boxes, strict=True):
        assert box.width * box.height == pytest.approx(300 * 100 * weight / 100)
        assert box.x >= 10 - 1e-6
        assert box.x + box.width <= 310 + 1e-6
        assert box.y >= 20 - 1e-6
        assert box.y + box.height <= 120 + 1e-6
    for first in range(len(boxes)):
        for second in range(first):
            one, other = boxes[first], boxes[second]
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert wide <= 1e-6 or high <= 1e-6
