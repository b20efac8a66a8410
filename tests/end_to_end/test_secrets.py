"""Product keys wherever people put them: in the clear in nothing that a run or a check writes."""

import polars as pl
import pytest

from pipeline.lab.synthesize.capture import capture
from tests.cli.running import command
from tests.conftest import TENANT
from tests.ingest.test_secrets import BARE, FULL_WIDTH, KEY

FORMS = (
    KEY,
    KEY.lower(),
    BARE,
    BARE.lower(),
    KEY.replace("-", " "),
    KEY.replace("-", "\u2013"),
    KEY.translate(FULL_WIDTH),
)
HEADER = "Device Serial Number,Windows Product ID,Hardware Hash,Group Tag"


def everything(folder):
    """All text below a folder, names included, with the place it comes from."""
    for path in folder.rglob("*"):
        yield str(path.relative_to(folder)), path.name
        if path.suffix == ".parquet":
            rows = pl.read_parquet(path, glob=False)
            yield str(path), str(rows.drop(pl.selectors.binary()).to_dicts())
        elif path.is_file():
            yield str(path), path.read_bytes().decode("utf-8", "replace")


@pytest.fixture
def delivered(world):
    made = [capture(world.factory.device()) for _ in FORMS]
    lines = [f"A1B{at},{form},{made[at]}," for at, form in enumerate(FORMS)]
    lines += [f"A2B{at},,,{form}" for at, form in enumerate(FORMS)]
    lines += [f'"A3B{at}","{form}","{made[at]}",""' for at, form in enumerate(FORMS)]
    lines += [f"A4B,{form},,,too,many" for form in FORMS]
    text = "\n".join([HEADER, *lines, ""])
    named = "\n".join(f"PKID,{form}\n330512345678{at},x" for at, form in enumerate(FORMS))
    for name, content in (
        ("rows", text),
        ("header", named),
        (KEY, "PKID\n3305123456799\n"),
        (BARE, "PKID\n3305123456798\n"),
    ):
        world.put(f"contoso/{TENANT}/{name}.csv", content.encode())
    world.put(f"{KEY}/{BARE}/a.csv", b"PKID\n3305123456797\n")
    world.put(f"contoso/{TENANT}/none.csv", f"{BARE},x\n{KEY},y\n".encode())
    return world


def said(*arguments, cwd):
    done = command(*arguments, cwd=cwd)
    return done.returncode, done.stdout + done.stderr


def test_a_product_key_is_nowhere_in_the_clear(delivered):
    code, told = said("run", "inbox", "--run-id", "a", "--log-format", "json", cwd=delivered.home)
    assert code == 0, told
    texts = [("console", told), *everything(delivered.home / "runs"), *everything(delivered.home / "registry")]
    shown = [(place, form) for place, text in texts for form in FORMS if form in text]
    assert shown == []
    rejected = pl.concat(
        [pl.read_parquet(path, glob=False) for path in (delivered.home / "runs" / "a" / "rejected").glob("*.parquet")]
    )
    exposed = rejected.filter(pl.col("reasons").list.contains("PRODUCT_KEY_EXPOSED"))
    of_rows = exposed.filter(pl.col("source_file").str.ends_with("rows.csv"))
    assert of_rows["source_line"].to_list() == list(range(2, 2 + 4 * len(FORMS)))
    assert exposed.height - of_rows.height == 2 * len(FORMS) - 1 + 3 + 2
    assert exposed.select(pl.col("windows_product_id", "group_tag").is_in(FORMS)).sum().row(0) == (0, 0)


def test_nor_does_a_check_show_one(delivered):
    place = delivered.inbox / "contoso" / TENANT
    for form in ("text", "json"):
        code, told = said(
            "check", *map(str, sorted(place.iterdir())), "--partner", "contoso", "--tenant", TENANT, "--format", form,
            cwd=delivered.home,
        )  # fmt: skip
        assert code == 1
        assert [shown for shown in FORMS if shown in told] == []
