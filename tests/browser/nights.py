"""`data/`, delivered and published in a few nights, for pages to be looked at."""

import shutil
from pathlib import Path

from pipeline import RunConfig, run
from pipeline.config import parse_moment
from pipeline.registry import Registry
from pipeline.registry.importing import import_records

ROOT = Path(__file__).parents[2]


def publish_nights(home, nights=2):
    """Publish them below a folder; returns where."""
    shutil.copytree(ROOT / "data" / "reference", home / "reference")
    import_records(Registry.open(home / "registry", create=True), ROOT / "data" / "existing_devices.csv")
    delivered = sorted(path for path in (ROOT / "data" / "inbox").rglob("*") if path.is_file())
    for at in range(1, nights + 1):
        for path in delivered[at % nights :: nights]:
            place = home / path.relative_to(ROOT / "data")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        moment = parse_moment(f"2026-11-{20 + at}T02:00:00Z")
        run(RunConfig.beside(home / "inbox", as_of=moment, run_id=f"night-{at}"))
    return home / "runs"
