"""Pages as Chromium, a keyboard and a screen reader meet them."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

KINDS = ["benchmark", "record", "clinic", "one_case", "several", "odd", "empty"]

LOW = """<!DOCTYPE html><html lang="en"><title>low</title>
<body style="background: #777"><p style="color: #fff8">faint</p>
<p style="color: #000; background: rgb(255 255 255 / 50%)">strong</p>
<div style="width: 4000px">wide</div><a href="#nowhere">lost</a>
<img src="http://localhost:9/x.png"><table><tr><td>bare</td></tr></table></body>"""


@pytest.fixture(params=KINDS)
def page(request, browser, pages):
    browser.open(pages[request.param])
    return pages[request.param]


def test_nothing_is_fetched_and_nothing_complains(page, browser):
    assert browser.requests() == [page.as_uri()]
    assert browser.messages() == []


def test_every_text_has_contrast_and_size(page, browser):
    texts = browser.ask("contrasts")
    assert len(texts) > 8
    assert [t for t in texts if t["ratio"] < 4.5] == []
    assert [t for t in texts if t["pixels"] < 12] == []


@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_scrolls_one_way_only(page, browser, width):
    browser.resize(width)
    found = browser.ask("sideways")
    assert found["page"] <= 0
    assert found["beyond"] == []
    assert all(area["reached"] and area["name"] for area in browser.ask("scrollers"))


def test_pictures_stay_readable_on_a_phone(browser, pages):
    browser.open(pages["benchmark"], width=360)
    # 9 pt at 110 dpi are 13.75 pixels of a picture about 1000 wide.
    assert all(p["shown"] >= 600 for p in browser.ask("pictures"))


def test_headings_tables_pictures_and_links(page, browser):
    levels = browser.ask("headings")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert browser.ask("tables") == []
    assert all(p["alt"] and p["drawn"] for p in browser.ask("pictures"))
    assert browser.ask("broken") == []


def test_what_a_screen_reader_is_told(page, browser):
    found = browser.tree()
    count = Counter(node["role"] for node in found)
    for role in ("main", "banner", "navigation"):
        assert count[role] == 1, role
    for role in ("image", "table", "region", "group", "navigation"):
        assert all(node["name"] for node in found if node["role"] == role), role
    names = Counter(node["name"] for node in found if node["role"] == "region")
    assert [name for name, n in names.items() if n > 1] == []
    assert count["rowheader"] >= count["table"] - 1


def test_the_keyboard_reaches_everything_in_order(browser, pages):
    from selenium.webdriver import ActionChains, Keys

    browser.open(pages["benchmark"])
    press = lambda key: ActionChains(browser.driver).send_keys(key).perform()
    met = []
    for _ in range(browser.ask("stops")):
        press(Keys.TAB)
        met.append(browser.ask("focused"))
    assert met[0]["name"] == "Skip to the verdict"
    assert [m for m in met if not (m["outlined"] and m["seen"])] == []
    places = [m["place"] for m in met]
    assert places == sorted(set(places))


def test_the_skip_link_leads_to_the_verdict(browser, pages):
    from selenium.webdriver import ActionChains, Keys

    browser.open(pages["benchmark"])
    keys = [Keys.TAB, Keys.ENTER]
    for key in keys:
        ActionChains(browser.driver).send_keys(key).perform()
    assert 'id="content"' in browser.ask("focused")["html"]
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert browser.ask("focused")["name"] == "The reference of this clinic"


def test_a_wide_table_scrolls_by_arrow(browser, pages):
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser.open(pages["benchmark"], width=360)
    driver = browser.driver
    driver.execute_script("document.querySelector('.scroll').focus()")
    moved = "return document.querySelector('.scroll').scrollLeft"
    assert driver.execute_script(moved) == 0
    ActionChains(driver).send_keys(Keys.ARROW_RIGHT).perform()
    WebDriverWait(driver, 5).until(lambda d: d.execute_script(moved) > 0)


def test_what_is_folded_opens_by_keyboard(browser, pages):
    from selenium.webdriver import ActionChains, Keys

    browser.open(pages["benchmark"])
    ask = browser.driver.execute_script
    ask("document.querySelector('summary').focus()")
    shown = "return document.querySelector('details table').checkVisibility()"
    assert not ask(shown)
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    assert ask(shown)
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert browser.ask("focused")["name"].startswith("Table: ")


def test_the_verdict_stands_on_the_first_screen(browser, pages):
    browser.open(pages["benchmark"], width=360)
    top = "return document.querySelector('.verdict li').getBoundingClientRect().top"
    assert browser.driver.execute_script(top) < 740


def test_no_name_covers_the_numbers(browser, pages):
    for width, most in ((1200, 18 * 16), (360, 9 * 16)):
        browser.open(pages["odd"], width=width)
        wide = "return Math.max(...[...document.querySelectorAll('th .name')]"
        wide += ".map((e) => e.getBoundingClientRect().width))"
        assert browser.driver.execute_script(wide) <= most


def test_on_paper_nothing_is_cut(browser, pages):
    browser.open(pages["benchmark"], width=1040)  # A4 across, less its margins
    driver = browser.driver
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    found = browser.ask("sideways")
    assert found["page"] <= 0
    assert found["beyond"] == []
    assert browser.ask("scrollers") == []
    wide = "return Math.max(...[...document.querySelectorAll('table, img')]"
    wide += ".map((e) => e.getBoundingClientRect().right))"
    assert driver.execute_script(wide) <= 1040
    folded = "return [...document.querySelectorAll('details table')]"
    heights = driver.execute_script(
        f"{folded}.map((e) => e.getBoundingClientRect().height)"
    )
    assert len(heights) > 5
    assert min(heights) > 30
    hidden = "return getComputedStyle(document.querySelector('nav')).display"
    assert driver.execute_script(hidden) == "none"


def test_the_measures_find_what_is_bad(browser, tmp_path: Path):
    """A page with every fault: the tests above can fail."""
    bad = tmp_path / "bad.html"
    bad.write_text(LOW)
    browser.open(bad, width=360)
    ratios = {t["text"]: t["ratio"] for t in browser.ask("contrasts")}
    # By hand: 0.533 x 255 + 0.467 x 119 = 191.5; (0.524 + 0.05) / (0.184 + 0.05).
    assert ratios["faint"] == pytest.approx(2.45, abs=0.02)
    assert ratios["strong"] > 10
    assert browser.ask("sideways")["page"] > 0
    assert browser.ask("broken") == ["#nowhere"]
    assert "no caption" in browser.ask("tables")
    assert not browser.ask("pictures")[0]["drawn"]
    assert "http://localhost:9/x.png" in browser.requests()
    assert browser.messages() != []
