import csv
import io
import os
import random
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, settings

from pipeline.config import RunConfig, parse_moment
from pipeline.flow import run
from pipeline.lab.synthesize.devices import Factory
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.listener import Silence
from pipeline.registry import Registry
from pipeline.registry.importing import ImportResult, import_records
from pipeline.runs.concluding import RunResult
from schemas.registry import IMPORT_COLUMNS

_QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
# In CI the examples are the same each time; at a desk new ones are tried, and many with --hypothesis-profile long.
settings.register_profile(
    "suite", deadline=None, max_examples=12, derandomize="CI" in os.environ, suppress_health_check=_QUIET
)
settings.register_profile("long", deadline=None, max_examples=3_000, suppress_health_check=_QUIET)
settings.load_profile("suite")

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER_TENANT = "22222222-2222-4222-8222-222222222222"
AS_OF = parse_moment("2026-01-15T02:00:00Z")

PARTNERS = """partner_id,name,partner_type,channel,region,provider_id
contoso,Contoso,direct_csp,partner_center_csv,EU,
fabrikam,Fabrikam,indirect_provider,partner_center_api,EU,
northwind,Northwind,indirect_reseller,partner_center_csv,EU,fabrikam
tailspin,Tailspin,indirect_reseller,partner_center_api,EU,
adatum,Adatum,oem,oem_direct_api,EU,
"""
AUTHORIZATIONS = "partner_id,tenant_id,status,granted_at,revoked_at\n" + "".join(
    f"{partner},{tenant},active,2024-01-01T00:00:00Z,\n"
    for partner in ("contoso", "northwind", "tailspin", "adatum")
    for tenant in (TENANT, OTHER_TENANT)
)
TENANTS = f"""tenant_id,region,cloud,verified_domains
{TENANT},EU,public,contoso.example
{OTHER_TENANT},EU,public,
"""


@dataclass
class Published:
    """A run as its readers see it."""

    result: RunResult
    registered: pl.DataFrame
    deregistered: pl.DataFrame
    rejected: pl.DataFrame
    files: pl.DataFrame

    @property
    def manifest(self) -> dict[str, Any]:
        return self.result.manifest

    def reasons(self) -> dict[tuple[str, int], list[str]]:
        """All codes of each row by file and line; none for one that was carried out."""
        rejected = {(file, line): codes for file, line, codes in self._of(self.rejected, "reasons")}
        done = [*self._of(self.registered, "warnings"), *self._of(self.deregistered, "warnings")]
        return {(file, line): [] for file, line, _ in done} | rejected

    def warnings(self) -> dict[tuple[str, int], list[str]]:
        sets = (self.registered, self.deregistered, self.rejected)
        rows = [row for each in sets for row in self._of(each, "warnings")]
        return {(file, line): codes for file, line, codes in rows}

    @staticmethod
    def _of(rows: pl.DataFrame, column: str) -> list[tuple[str, int, list[str]]]:
        return rows.select("source_file", "source_line", column).rows()


def read_published(folder: Path, result: RunResult) -> Published:
    return Published(
        result,
        pl.read_parquet(sorted((folder / "registered").glob("*.parquet")), glob=False),
        pl.read_parquet(sorted((folder / "deregistered").glob("*.parquet")), glob=False),
        pl.read_parquet(sorted((folder / "rejected").glob("*.parquet")), glob=False),
        pl.read_parquet(folder / "files.parquet", glob=False),
    )


@dataclass
class World:
    """A partner operations team's folders."""

    home: Path
    factory: Factory
    runs: int = 0
    existing: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def registry(self) -> Path:
        return self.home / "registry"

    def reference(self, name: str, text: str) -> None:
        (self.home / "reference" / name).write_text(text, encoding="utf-8")

    def put(self, path: str, content: bytes) -> Path:
        place = self.inbox / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def deliver(self, path: str, *rows: dict[str, str], header: tuple[str, ...] | None = None) -> Path:
        """Write a manifest; its header is the layout that has the columns of all rows."""
        named = {name for row in rows for name in row}
        header = header or (INTUNE if named <= set(INTUNE) else PARTNER_CENTER)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([row.get(name, "") for name in header] for row in rows)
        return self.put(path, text.getvalue().encode("utf-8"))

    def import_existing(self, *records: dict[str, str], restore: bool = False) -> ImportResult:
        path = self.home / "existing.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, IMPORT_COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(records)
        return import_records(Registry.open(self.registry, create=True), path, restore=restore)

    def shared(self, text: str) -> str:
        """A text as it stands in its nights; another one where they are shared (`tests/worlds/together.py`)."""
        return text

    def own(self, text: str) -> str:
        """A text of its nights as the test knows it."""
        return text

    def mine(self, rows: pl.DataFrame, _column: str = "source_file") -> pl.DataFrame:
        """Those of some rows of its nights that are its own."""
        return rows

    def run(self, *, as_of: datetime = AS_OF, **options: Any) -> Published:
        self.runs += 1
        options.setdefault("run_id", f"run-{self.runs}")
        result = run(RunConfig.beside(self.inbox, as_of=as_of, **options))
        return read_published(result.folder, result)


@pytest.fixture
def factory() -> Factory:

    return Factory(random.Random(20260115))


class Notices(Silence):
    """Keeps the notices of a run."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def notice(self, text: str) -> None:
        self.told.append(text)


def make_world(home: Path, factory: Factory) -> World:
    """A world with the partners, authorizations and tenants of this module, and an empty inbox."""
    made = World(home, factory)
    made.inbox.mkdir()
    (home / "reference").mkdir()
    made.reference("partners.csv", PARTNERS)
    made.reference("authorizations.csv", AUTHORIZATIONS)
    made.reference("tenants.csv", TENANTS)
    return made


@pytest.fixture
def world(tmp_path: Path, factory: Factory) -> World:
    return make_world(tmp_path, factory)


@pytest.fixture(scope="session")
def played(tmp_path_factory) -> Callable[[Callable[[World], None], Path], World]:
    """Copies of worlds, each of which was played once: by what plays it, and where the copy shall be."""
    homes: dict[Callable[[World], None], World] = {}

    def copied(play: Callable[[World], None], home: Path) -> World:
        if play not in homes:
            homes[play] = make_world(tmp_path_factory.mktemp("played"), Factory(random.Random(20260115)))
            play(homes[play])
        once = homes[play]
        shutil.copytree(once.home, home, dirs_exist_ok=True)
        return World(home, deepcopy(once.factory), runs=once.runs)

    return copied


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--alone", action="store_true", help="share no night between tests of worlds")
    parser.addoption("--rows", type=int, default=20_000, help="rows of a benchmark's night")
    parser.addoption("--plot", type=Path, help="where a benchmark draws how a night grows")
    parser.addoption("--files", type=int, default=100_000, help="files of a hostile benchmark")
    parser.addoption("--records", type=int, default=1_000_000, help="records of the long run")
    parser.addoption("--seed", type=int, default=1, help="seed of the long run")
    parser.addoption("--kills", type=int, default=1_000, help="kills of the long run")
    parser.addoption("--mutants", type=int, default=100, help="mutants of the long run")
    parser.addoption("--of", default="", help="only mutants of modules whose path has this in it")
    parser.addoption("--races", type=int, default=200, help="races of the long run")
    parser.addoption("--registry", type=Path, help="where a benchmark's registry is built once, and used again")
    parser.addoption("--existing", type=int, default=50_000, help="registered devices of a benchmark")
