import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.chromium import browser
from tests.browser.nights import publish_nights

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
PAGES = ("index.html", "night-2/report/index.html", "night-2/report/contoso/index.html")


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
        page.goto((output / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_quiet_self_contained_and_accessible(opened, name, viewport, scheme):
    page = opened(name, viewport=viewport, color_scheme=scheme)
    assert page.complaints == []
    assert len(page.requests) == 1
    violations = Axe().run(page, options=WCAG).response["violations"]
    assert [(found["id"], found["nodes"][0]["html"]) for found in violations] == []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_what_is_there(opened, output, name):
    page = opened(name)
    links = page.eval_on_selector_all("a", "found => found.map(link => link.getAttribute('href'))")
    assert links
    for link in links:
        if link.startswith("#"):
            assert page.locator(f"[id='{link[1:]}']").count() == 1, link
        else:
            assert (output / name).parent.joinpath(link).exists(), link


def test_rows_are_found_by_text_and_reason(opened):
    page = opened("night-2/report/contoso/index.html")
    shown = page.locator("#rejected-rows tbody tr:not([hidden])")
    form = page.locator("form[data-table=rejected-rows]")
    whole = shown.count()
    assert form.locator("output").inner_text() == f"{whole} of {whole} rows shown"
    form.get_by_label("Reason").select_option("BOARD_REPLACED")
    codes = set(shown.evaluate_all("rows => rows.map(row => row.dataset.code)"))
    assert codes == {"BOARD_REPLACED"}
    form.get_by_label("Reason").select_option("")
    form.get_by_label("Search").fill("Bad-Fields")
    assert 0 < shown.count() < whole
    assert all("bad-fields" in text for text in shown.all_inner_texts())
    form.get_by_label("Search").fill("no such text")
    assert form.locator("output").inner_text() == f"0 of {whole} rows shown"


def test_without_its_script_a_page_shows_everything(opened):
    page = opened("night-2/report/contoso/index.html", java_script_enabled=False)
    assert page.locator("form.filter").first.is_hidden()
    assert page.locator("#rejected-rows tbody tr").first.is_visible()


def test_the_keyboard_reaches_the_content_first(opened):
    page = opened("night-2/report/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_printed_page_has_no_controls(opened):
    page = opened("night-2/report/index.html")
    page.emulate_media(media="print")
    assert page.locator("form.filter").first.is_hidden()
    assert page.locator("nav").is_hidden()
    assert page.locator("#rejected-rows").is_visible()
