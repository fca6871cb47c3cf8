"""report.html as a person meets it: in a real browser, opened from disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from backfill import report
from backfill.checkpoint import Checkpoint, State
from backfill.job_folder.files import CHECKPOINT
from tests.report.report_jobs import Job, a_shop, deliver

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="needs Debian's packages chromium and chromium-driver",
)

HOSTILE = (
    "<script>window.harmed = 1</script>",
    "</script><script>window.harmed = 2</script>",
    '"><img src=x onerror="window.harmed = 3">',
    "javascript:window.harmed = 4",
    '=HYPERLINK("http://outside.test/","click")',
    "\u202egnp.exe",
    "N" * 10_000,
    "{{ 7 * 7 }}",
    "broken \ufffd text",
    "two\nlines, \"quoted\" & 'more'",
)


class Page:
    """The browser with one report open."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, folder: Path, *, width: int = 1280, dark: bool = False) -> None:
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.log("browser")
        self.log("performance")
        self.driver.get((folder / "report.html").as_uri())
        self.wait("return document.readyState === 'complete'")
        self.wait(
            "return [...document.querySelectorAll('.plot')].every(one => one.querySelector('svg'))"
        )

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def wait(self, script: str) -> None:
        WebDriverWait(self.driver, 20, poll_frequency=0.02).until(lambda _: self.run(script))

    def complaints(self) -> list[str]:
        """What the console says."""
        return [entry["message"] for entry in self.log("browser")]

    def asked(self) -> list[str]:
        """Every address that the page asked for since it was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def log(self, kind: str) -> list[dict[str, Any]]:
        """What the browser has noted since this was asked last."""
        found: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return found

    def texts(self, selector: str) -> list[str]:
        """What stands in the elements, in their order."""
        found: list[str] = self.run(
            f"return [...document.querySelectorAll({selector!r})].map(one => one.textContent)"
        )
        return found

    def shown(self) -> str:
        return self.driver.find_element(By.ID, "shown").text


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield Page(driver)
    driver.quit()


def written(folder: Path, *, show: bool = False) -> Path:
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        report.write(folder, checkpoint, show_personal_data=show)
    return folder


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented shop after its import, some of it refused."""
    folder = a_shop(tmp_path_factory.mktemp("shop"))
    deliver(folder, minutes=12)
    return written(folder)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_it_opens_without_a_complaint_or_a_request(
    page: Page, after_a_run: Path, width: int, dark: bool
) -> None:
    """Offline, at desk and phone width, by day and night: all charts, no error, nothing asked."""
    page.open(after_a_run, width=width, dark=dark)
    assert page.complaints() == []
    assert page.asked() == [(after_a_run / "report.html").as_uri()]
    charts = page.run("return [...document.querySelectorAll('.plot svg')].map(x => x.ariaLabel)")
    assert set(filter(None, charts)) == {
        "Rate of sending",
        "Problems by rule",
        "Orders by month",
        "Money by month",
        "Top accounts by money",
        "Distribution of order totals",
    }
    wide = page.run("return document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, "the page itself never scrolls sideways"


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(page: Page, after_a_run: Path, dark: bool) -> None:
    """Every colour of text against what is behind it: 4.5 to 1 at least (WCAG 2.2, 1.4.3)."""
    page.open(after_a_run, dark=dark)
    faint = page.run(
        """
        const rgb = text => text.match(/[0-9.]+/g).map(Number);
        const light = text => {
          const [r, g, b] = rgb(text).slice(0, 3).map(one => {
            const part = one / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = one => {
          for (let at = one; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (rgb(colour)[3] !== 0) return colour;
          }
        };
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const faint = new Set();
        while (walk.nextNode()) {
          const one = walk.currentNode.parentElement;
          if (!walk.currentNode.data.trim() || !one.checkVisibility()) continue;
          const svg = one.closest("svg");
          if (one.matches("script, style, option") || one.closest(":disabled, .disabled")) continue;
          const colour = getComputedStyle(one)[svg ? "fill" : "color"];
          const [a, b] = [light(colour), light(ground(svg ?? one))].sort((x, y) => y - x);
          const enough = (a + 0.05) / (b + 0.05) >= 4.5;
          if (!enough) faint.add(`${one.tagName}.${one.className}: ${colour}`);
        }
        return [...faint];
        """
    )
    assert faint == []


def test_problems_are_searched_filtered_and_sorted(page: Page, after_a_run: Path) -> None:
    """The table answers to the search box, the rule, the severity and its headers."""
    page.open(after_a_run)
    everything = "116 of 116"
    assert page.shown() == everything
    search = page.driver.find_element(By.ID, "search")
    search.send_keys("555-12")
    assert page.shown() == "0 of 116", "masked values are not to be found"
    search.clear()
    search.send_keys("12,x")
    assert page.shown() == "14 of 116"
    assert set(page.texts("#each tbody td:nth-child(6)")) == {"12,x"}
    search.clear()
    search.send_keys(Keys.SPACE, Keys.BACKSPACE)
    assert page.shown() == everything

    Select(page.driver.find_element(By.ID, "rule")).select_by_value("bad_phone")
    assert page.shown() == "24 of 116"
    assert set(page.texts("#each tbody td:nth-child(2)")) == {"bad_phone"}
    Select(page.driver.find_element(By.ID, "severity")).select_by_value("error")
    assert page.shown() == "0 of 116"
    Select(page.driver.find_element(By.ID, "rule")).select_by_value("")
    assert page.shown() == "14 of 116"
    Select(page.driver.find_element(By.ID, "severity")).select_by_value("")

    header = page.driver.find_element(By.CSS_SELECTOR, "#each thead th:nth-child(4)")
    way = WebDriverWait(page.driver, 10)
    header.click()
    way.until(lambda _: header.get_attribute("aria-sort") == "ascending")
    rows = [int(text) for text in page.texts("#each tbody td:nth-child(4)")]
    assert rows == sorted(rows)
    header.click()
    way.until(lambda _: header.get_attribute("aria-sort") == "descending")
    backwards = [int(text) for text in page.texts("#each tbody td:nth-child(4)")]
    assert backwards == sorted(backwards, reverse=True)
    assert backwards[0] > rows[0]


def test_accounts_are_ranked_by_the_money_they_show(page: Page, tmp_path: Path) -> None:
    """Chart and table have one order: that of the amounts in the table, rejected money included."""
    job = Job(tmp_path)
    for key, account, state, cents in (
        ("1", "small", State.PENDING, 2000),
        ("2", "great", State.PENDING, 1000),
        ("3", "great", State.REJECTED, 5000),
    ):
        row = job.add_rows({"reference_id": key})
        job.add_order(key, row, state=state, account=account, cents=cents)
    page.open(written(job.finish()))
    assert page.texts("[aria-label='Accounts'] tbody th") == ["great", "small"]
    assert page.texts("#chart-accounts [aria-label='y-axis tick label'] text") == ["great", "small"]


def test_a_body_shows_its_last_line(page: Page, after_a_run: Path) -> None:
    """The line about text messages is the last one of a body, and needs no scrolling."""
    page.open(after_a_run)
    hidden = (
        "one => one.textContent.includes('dont_trigger') && one.scrollHeight > one.clientHeight"
    )
    assert page.run("return document.querySelectorAll('pre').length")
    assert not page.run(f"return [...document.querySelectorAll('pre')].some({hidden})")


def test_everything_is_reached_from_the_keyboard(page: Page, after_a_run: Path) -> None:
    """Tab comes by the sections, the filters, each header of the table and its pages."""
    page.open(after_a_run)
    seen = set()
    for _ in range(90):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.add(page.run("return document.activeElement.id || document.activeElement.textContent"))
    assert {"search", "rule", "severity", "Problems", "By month"} <= seen
    page.run("document.querySelector('#each thead th:nth-child(4) [tabindex]').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    sorted_by = "return document.querySelector('#each thead th:nth-child(4)').ariaSort"
    assert page.run(sorted_by) == "ascending"


def test_headings_are_in_order_and_tables_are_named(page: Page, after_a_run: Path) -> None:
    """What a screen reader goes by: one h1, no level left out, captions, header cells, labels."""
    page.open(after_a_run)
    levels = page.run(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map(one => +one.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.run(
        "return [...document.querySelectorAll('table')].every(one => one.caption?.textContent)"
    )
    assert page.run("return [...document.querySelectorAll('th')].every(one => one.scope)")
    assert page.run(
        "return [...document.querySelectorAll('input,select')].every(one => one.labels.length)"
    )


def test_a_hostile_export_shows_as_text(page: Page, tmp_path: Path) -> None:
    """Scripts, formulas, marks that turn a line around and endless names are only text."""
    names = ("reference_id", "Buyer", HOSTILE[0], "total")
    job = Job(tmp_path, source=HOSTILE[1], header=names, mapping={name: name for name in names})
    for number, text in enumerate(HOSTILE):
        row = job.add_rows(dict.fromkeys(names, text))
        state = State.REJECTED if number % 2 else State.PENDING
        order = job.add_order(text, row, state=state, account=text, rule=text, reason=text,
                              profile_name=text, description=text)  # fmt: skip
        job.add_problem(text, order, number + 2, "total", text, message=text)
    folder = job.finish(api_host=HOSTILE[0], settings=json.dumps({HOSTILE[2]: HOSTILE[1]}))
    page.open(written(folder, show=True))
    assert page.complaints() == []
    assert page.asked() == [(folder / "report.html").as_uri()]
    assert page.run("return window.harmed") is None
    assert page.run("return document.querySelectorAll('img, a[href^=http]').length") == 0
    values = page.texts("#each tbody td:nth-child(6)")
    assert {HOSTILE[0], HOSTILE[2], HOSTILE[4], r"\u202egnp.exe", HOSTILE[7]} <= set(values)
    assert max(map(len, values)) < 200, "a long name is cut, and says so"
    assert page.run("return document.documentElement.scrollWidth <= window.innerWidth")


def test_it_is_usable_without_scripts(page: Page, after_a_run: Path) -> None:
    """Where scripts are blocked, every table is there and nothing pretends to be a filter."""
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.get((after_a_run / "report.html").as_uri())
        source = page.driver.find_element(By.ID, "each").find_elements(By.TAG_NAME, "tr")
        assert len(source) == 117
        assert not page.driver.find_element(By.CLASS_NAME, "filters").is_displayed()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_half_a_million_orders_stay_readable(page: Page, tmp_path: Path) -> None:
    """Thousands of problems and accounts: small enough to mail, and it says what is left out."""
    job = Job(tmp_path)
    for number in range(3000):
        row = job.add_rows({"reference_id": str(number)})
        order = job.add_order(str(number), row, account=f"account-{number}")
        for rule in ("total_differs", "bad_phone"):
            job.add_problem(rule, order, number + 2, "total", "9" * 500)
    folder = written(job.finish())
    assert (folder / "report.html").stat().st_size < 5_000_000
    page.open(folder)
    assert page.complaints() == []
    assert page.shown() == "2,000 of 2,000"
    text = page.driver.find_element(By.TAG_NAME, "body").text
    assert "Showing 2,000 of 6,000" in text
    assert "2,900 other accounts" in text
