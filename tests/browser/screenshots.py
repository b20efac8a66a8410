"""Makes the pictures of the README: `python -m tests.browser.screenshots`."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.browser.chromium import browser
from tests.browser.nights import ROOT, publish_nights

NIGHTS = 6
PAGES = {
    "run": f"night-{NIGHTS}/report/index.html",
    "partner": f"night-{NIGHTS}/report/contoso/index.html",
    "history": "index.html",
}
SCREENS = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


def main():
    folder = ROOT / "data" / "screenshots"
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory() as home, browser() as chromium:
        output = publish_nights(Path(home), NIGHTS)
        for screen, size in SCREENS.items():
            for scheme in ("light", "dark"):
                page = chromium.new_page(viewport=size, color_scheme=scheme)
                for name, path in PAGES.items():
                    page.goto((output / path).as_uri())
                    page.evaluate("for (const one of document.querySelectorAll('.group')) { one.open = true; break }")
                    page.screenshot(path=folder / f"{name}-{screen}-{scheme}.png")


if __name__ == "__main__":
    main()
