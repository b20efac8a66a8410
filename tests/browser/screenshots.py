"""Makes the pictures of the README: `python -m tests.browser.screenshots`."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.browser.chromium import browser
from tests.browser.nights import ROOT, publish_nights

PICTURES = {
    "run": ("night-2/report/index.html", "h1"),
    "partner": ("night-2/report/contoso/index.html", "#rows"),
    "history": ("index.html", "h1"),
}


def main():
    folder = ROOT / "data" / "screenshots"
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory() as home, browser() as chromium:
        output = publish_nights(Path(home))
        page = chromium.new_page(viewport={"width": 1100, "height": 700}, color_scheme="light")
        for name, (path, place) in PICTURES.items():
            page.goto((output / path).as_uri())
            page.locator(place).first.evaluate("element => element.scrollIntoView()")
            page.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main()
