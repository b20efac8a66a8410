import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pipeline.report.pages import render
from pipeline.report.remaining import MOST_DEVICES
from pipeline.report.telling import who
from schemas.reasons import CATALOGUE, REASON_CODES, WARNING_CODES
from tests.browser.chromium import browser
from tests.browser.nights import publish_nights

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
RUN, CONTOSO = "night-2/report/index.html", "night-2/report/contoso/index.html"
PAGES = ("index.html", RUN, CONTOSO)
OPEN_ONE_OF_A_KIND = """document
  .querySelectorAll("details:not(.group, .case), .group:first-of-type, .case:first-of-type")
  .forEach((one) => { one.open = true })"""
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
OFF_SCREEN = """Array.from(document.querySelectorAll("body *"))
  .filter((one) => !one.closest(".skip, thead") && one.getBoundingClientRect().width > 0)
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 || one.getBoundingClientRect().left < -1)
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return publish_nights(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture
def opened(chromium, output):
    """Opens a page from disk, without network; everything that it asks for or complains about is kept."""
    contexts = []

    def open_page(name, **settings):
        context = chromium.new_context(offline=True, **({"viewport": DESKTOP} | settings))
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        path, _, place = name.partition("#")
        page.goto((output / path).as_uri() + (f"#{place}" if place else ""))
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_quiet_self_contained_and_accessible(opened, output, name):
    page = opened(name, viewport=DESKTOP, color_scheme="light")
    require_accessible(page)
    links = page.eval_on_selector_all("a", "found => found.map(link => link.getAttribute('href'))")
    assert links
    for link in links:
        if link.startswith("#"):
            assert page.locator(f"[id='{link[1:]}']").count() == 1, link
        else:
            assert (output / name).parent.joinpath(link).exists(), link


@pytest.mark.parametrize("name", PAGES)
def test_they_are_so_in_the_dark_and_on_a_phone_where_nothing_lies_off_screen(opened, name):
    page = opened(name, viewport=PHONE, color_scheme="dark")
    require_accessible(page)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OFF_SCREEN) == []


def require_accessible(page):
    page.evaluate(OPEN_ONE_OF_A_KIND)
    assert page.complaints == []
    assert len(page.requests) == 1
    violations = Axe().run(page, options=WCAG).response["violations"]
    assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0


def shown_rows(page):
    return page.locator("#groups .group:not([hidden]) tbody tr:not([hidden])")


def test_tiles_filter_and_the_address_keeps_it(opened):
    page = opened(CONTOSO)
    whole = shown_rows(page).count()
    output = page.locator("form[data-scope=groups] output")
    assert output.inner_text() == f"{whole} of {whole} rows shown"
    tile = page.locator("a.tile[href='#who=customer']")
    number = int(tile.locator("b").inner_text())
    assert number < whole
    tile.click()
    expect(shown_rows(page)).to_have_count(number)
    assert output.inner_text() == f"{number} of {whole} rows shown"
    assert tile.get_attribute("aria-current") == "true"
    assert set(page.locator(".group:visible").evaluate_all("all => all.map(one => one.dataset.who)")) == {"customer"}
    again = opened(CONTOSO + page.evaluate("location.hash"))
    assert shown_rows(again).count() == number
    again.get_by_text("Show all").first.click()
    expect(shown_rows(again)).to_have_count(whole)


@pytest.mark.parametrize(("place", "key"), [(RUN, "who"), (RUN, "outcome"), (CONTOSO, "who")])
def test_every_tile_shows_as_many_rows_as_it_says(opened, place, key):
    page = opened(place)
    for tile in page.locator(f"a.tile[href^='#{key}=']").all():
        tile.click()
        expect(shown_rows(page)).to_have_count(int(tile.locator("b").inner_text()))


def test_rows_are_found_by_text_and_their_groups_open(opened):
    page = opened(CONTOSO)
    search = page.locator("form[data-scope=groups] input")
    whole = shown_rows(page).count()
    search.fill("Bad-Fields")
    assert 0 < shown_rows(page).count() < whole
    assert all("bad-fields" in text for text in shown_rows(page).all_inner_texts())
    assert all(row.is_visible() for row in shown_rows(page).all())
    assert page.evaluate("location.hash") == "#q=Bad-Fields"
    shown = [shown_rows(opened(CONTOSO + f"#q=Bad-Fields&who={who}")).count() for who in ("partner", "waiting")]
    assert all(shown)
    assert sum(shown) == shown_rows(page).count()
    search.fill("no such text")
    assert page.locator(".group:visible").count() == 0


def test_a_link_to_a_reason_opens_it(opened):
    page = opened(f"{CONTOSO}#BOARD_REPLACED")
    assert page.locator("[id=BOARD_REPLACED] tbody tr").first.is_visible()
    assert page.locator(".group[open]").count() == 1


def test_tables_are_sorted_by_their_heads(opened):
    page = opened(RUN)
    table = page.locator("#first-partners")
    rows = "rows => rows.map(row => Number(row.cells[1].textContent))"
    head = table.get_by_role("columnheader", name="Rows")
    for direction, down in (("ascending", False), ("descending", True)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == direction
        numbers = table.locator("tbody tr").evaluate_all(rows)
        assert numbers == sorted(numbers, reverse=down)


def test_without_its_script_a_page_shows_everything(opened):
    page = opened(CONTOSO, java_script_enabled=False)
    assert page.locator("form.filter").first.is_hidden()
    page.locator("[id=BOARD_REPLACED] summary").click()
    assert page.locator("[id=BOARD_REPLACED] tbody tr").first.is_visible()
    assert page.locator("[id='who=partner']").is_visible()


@pytest.mark.parametrize("partners", [3, 400])
def test_no_page_is_longer_than_twelve_screens_before_something_is_opened(opened, output, partners):
    for name in (RUN, CONTOSO):
        place = f"long-{partners}/{name}"
        (output / place).parent.mkdir(parents=True)
        first = (output / name.replace("night-2", "night-1")).with_name("report.json")  # the night with departures
        left = json.loads(first.read_text())["remaining"]
        report = json.loads((output / name).with_name("report.json").read_text())
        report = everything_wrong(report | {"remaining": left}, partners)
        (output / place).write_text(render(report), encoding="utf-8")
        page = opened(place, viewport={"width": 1280, "height": 800})
        assert page.evaluate("document.documentElement.scrollHeight") <= 12 * 800
        assert (output / place).stat().st_size <= 2 * 2**20


def everything_wrong(report, partners):
    """The page of a night with every reason and warning, a thousand rows, and many nights before it."""
    rows = report["rejected_rows"]["listed"]
    codes = [row["code"] for row in rows]
    some = report["reasons"][0] | {"rows": 10, "again": 5}
    report["reasons"] = [some | {"code": code, "meaning": code, "who": who(code)} | told(code) for code in REASON_CODES]
    report["warnings"] = [report["warnings"][0] | {"code": code} | told(code) for code in WARNING_CODES]
    report["rejected_rows"] = {
        "of": 10 * len(REASON_CODES),
        "listed": [
            rows[at % len(codes)] | {"code": code, "meaning": code, "again": at % 2 == 0}
            for at in range(1_000)
            for code in (REASON_CODES[at % len(REASON_CODES)],)
        ],
    }
    report["trend"] = [report["trend"][-1]] * 30
    left = report["remaining"]
    all_steps = [{"step": step["step"], "owner": "customer", "state": "open"} for step in left["steps"]]
    left |= {"of": 100_000, "listed": [left["listed"][0] | {"steps": all_steps}] * MOST_DEVICES}
    if report["page"] == "run":
        report["partners"] = [report["partners"][0] | {"partner_id": f"p{at}"} for at in range(partners)]
    return report


def told(code):
    return {name: getattr(CATALOGUE[code], name) for name in ("sentence", "remedy", "outcome", "owner")}


def test_the_keyboard_reaches_the_content_first(opened):
    page = opened("night-2/report/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_printed_page_has_every_row_and_no_controls(opened):
    page = opened(RUN)
    page.emulate_media(media="print")
    assert page.locator("form.filter").first.is_hidden()
    assert page.locator("nav").first.is_hidden()
    heights = page.locator("#groups tbody tr").evaluate_all(
        "rows => rows.map(row => row.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) > 0
