"""One headless Chromium for all tests, and the pages it opens."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import write_pages

INSPECT = Path(__file__).with_name("inspect.js").read_text("utf-8")


class Browser:
    """What the tests ask of a page that is open in Chromium."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1200) -> None:
        """Open a file as a new page; logs begin with it."""
        self.driver.get("about:blank")
        self.resize(width)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(page.as_uri())
        self.url = page.as_uri()

    def resize(self, width: int) -> None:
        """Let the screen be as wide as this; a window cannot be as narrow."""
        screen = {"width": width, "height": 740, "deviceScaleFactor": 1}
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**screen, "mobile": width < 600}
        )

    def ask(self, function: str) -> Any:
        """Call a function of inspect.js."""
        return self.driver.execute_script(f"{INSPECT}\nreturn {function}();")

    def requests(self) -> list[str]:
        """URLs asked for since the page was opened, but for data inside the page."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return [url for url in found if not url.startswith("data:")]

    def messages(self) -> list[str]:
        """Whatever stands in the console, warnings included."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def tree(self) -> list[dict[str, Any]]:
        """Role, name and level of everything a screen reader is told of."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [
            {
                "role": node["role"]["value"],
                "name": node.get("name", {}).get("value", ""),
                **{
                    p["name"]: p["value"].get("value")
                    for p in node.get("properties", [])
                },
            }
            for node in nodes
            if not node.get("ignored")
        ]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium without a window; the test is skipped where there is none."""
    pytest.importorskip("selenium")
    from selenium import webdriver

    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(word)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    service = webdriver.ChromeService(executable_path=driver)
    chromium = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(chromium)
    finally:
        chromium.quit()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page of every kind of report, by kind."""
    return write_pages(tmp_path_factory.mktemp("pages"))
