import json
import random
import shutil
from base64 import b64decode

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.main import cli
from pipeline.devices.choosing import Choice
from pipeline.devices.exporting import export
from pipeline.devices.layouts import CELLS, LAYOUTS, lines, obstacles, with_cells
from pipeline.errors import Fault, UsageError
from pipeline.ingest.survey import survey
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.lab.synthesize.night import INTUNE
from pipeline.listener import Silence
from pipeline.match.keys import with_keys
from pipeline.reference.tables import assigned_profiles
from pipeline.registry import Registry
from pipeline.registry.writer import fill
from schemas.device import COMPONENT_TYPES
from schemas.registry import REGISTERED
from tests.conftest import OTHER_TENANT, TENANT, make_world

SERIAL, PKID, HASH, TAG, USER = INTUNE
MAKER, MODEL = "Manufacturer name", "Device model"
OF_THE_DEVICE = {"HASH_NO_TPM", "HASH_FROM_WINPE", "HASH_CAPTURE_TIME", "VIRTUAL_MACHINE", "UUID_COLLISION"}
KEY = "ABCDE-12345-FGHIJ-67890-KLMNO"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A world whose registry has devices of every identity, with tags and users of every kind."""
    world = make_world(tmp_path_factory.mktemp("full"), Factory(random.Random(5)))
    tags = (
        "Sales",
        "B\u00fcro \u20ac",
        "a,b",
        "\u0141\u00f3d\u017a",
        "\u00c3\u00a9",
        'say "x"',
        "",
        "Order ID",
        "x" * 128,
    )
    hashed = [{HASH: capture(world.factory.device()), TAG: tag, USER: "ann@contoso.example"} for tag in tags]
    world.deliver(f"contoso/{TENANT}/a.csv", *hashed)
    tuples = [
        {SERIAL: f"PF0TUP0{number}", MAKER: "LENOVO", MODEL: model, PKID: pkid}
        for number, (model, pkid) in enumerate(
            [("X1", ""), ("T14, Gen 3", ""), ("", "3305966022189"), ("Caf\u00e9", "")]
        )
    ]
    world.deliver(f"contoso/{OTHER_TENANT}/b.csv", *tuples)
    record = {"tenant_id": TENANT, "registered_via": "intune", "manufacturer": "LENOVO"}
    world.import_existing(
        record | {"serial_number": "PF0IMP01"},
        record | {"serial_number": "PF0IMP02", "model": "X1", "group_tag": "=1+1"},
        record | {"serial_number": "PF0IMP03", "model": "X1", "group_tag": "y" * 129},
    )
    published = world.run()
    assert published.rejected.is_empty()
    return world


def exported(world, layout, folder, **choice):
    registry = Registry.open(world.registry, create=False)
    return export(registry, folder, LAYOUTS[layout], Choice(**choice), assigned_profiles(), Silence())


def left_out(folder):
    return pl.read_csv(folder / "left_out.csv", infer_schema=False)


def test_an_exported_file_registers_every_row_elsewhere(full, tmp_path):
    for layout in LAYOUTS:
        done = exported(full, layout, tmp_path / layout)
        elsewhere = tmp_path / f"world {layout}"
        elsewhere.mkdir()
        second = make_world(elsewhere, full.factory)
        for tenant in (TENANT, OTHER_TENANT):
            if (tmp_path / layout / tenant).exists():
                shutil.copytree(tmp_path / layout / tenant, second.inbox / "contoso" / tenant)
        published = second.run()
        assert published.registered.height == done.devices > 0
        assert published.rejected.is_empty()
        assert set(published.registered["warnings"].explode()) <= OF_THE_DEVICE | {None}
        assert set(published.files["layout"]) == {layout}
        assert set(published.files["encoding"]) <= {"cp1252", "utf-8", "ascii"}
        assert done.devices + done.left_out == 16
        if layout == "intune":
            first = pl.concat([pl.read_parquet(f) for f in full.home.glob("runs/*/registered/*.parquet")])
            same = ["hardware_hash_id", "group_tag", "assigned_user"]
            assert published.registered.join(first, on=same, how="anti", nulls_equal=True).is_empty()


def test_what_cannot_be_written_is_listed_with_its_reason(full, tmp_path):
    exported(full, "intune", tmp_path / "i")
    told = dict(left_out(tmp_path / "i").select("group_tag", "reason").iter_rows())
    assert told["a,b"] == "group_tag: a comma, a quotation mark or a line break"
    assert told['say "x"'] == "group_tag: a comma, a quotation mark or a line break"
    assert told["\u0141\u00f3d\u017a"] == "group_tag: a character that ANSI does not have"
    assert told["\u00c3\u00a9"] == "group_tag: characters that would be read as UTF-8"
    assert told["'=1+1"].endswith("group_tag: begins like a formula")
    assert left_out(tmp_path / "i").height == 4 + 4 + 3
    exported(full, "partner_center", tmp_path / "p")
    told = dict(left_out(tmp_path / "p").select("serial_number", "reason").iter_rows())
    assert told == {
        "PF0TUP01": "model: a comma, a quotation mark or a line break",
        "PF0IMP01": "no hash, no product ID, and not all of serial number, manufacturer and model",
    }


@pytest.mark.parametrize("size", [1, 2, 3, 1_000, 2_999, 3_000])
def test_hashes_are_padded_with_zeros(size):
    blob = bytes(range(1, 256)) * 12
    types = {name: pl.Binary if name == "hardware_hash" else pl.String for name in CELLS}
    cells = with_cells(pl.DataFrame([dict.fromkeys(CELLS) | {"hardware_hash": blob[:size]}], types))
    written = cells.select(lines(LAYOUTS["intune"])).item().split(",")[2]
    assert b64decode(written, validate=True) == blob[:size].ljust(3_000, b"\0")


def test_partner_center_s_files_hold_one_tenant_and_tag(full, tmp_path):
    exported(full, "partner_center", tmp_path / "p")
    files = pl.read_csv(tmp_path / "p" / "files.csv", infer_schema=False)
    assert not files.select("tenant_id", "group_tag").is_duplicated().any()
    written = {str(path.relative_to(tmp_path / "p")) for path in (tmp_path / "p").glob("*/*.csv")}
    assert written == set(files["file"])
    assert all(file.startswith(f"{tenant}/") for file, tenant in files.select("file", "tenant_id").iter_rows())
    assert files["devices"].cast(pl.Int64).sum() == 14


def test_filters_choose_what_is_exported(full, tmp_path):
    assert exported(full, "intune", tmp_path / "a", group_tag="sales").devices == 1
    assert exported(full, "partner_center", tmp_path / "b", tenant_id=OTHER_TENANT, model="x1").devices == 1
    nothing = exported(full, "intune", tmp_path / "c", profile="none")
    assert (nothing.files, nothing.devices, nothing.left_out) == (0, 0, 0)
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["files.csv", "left_out.csv"]


def test_the_command_tells_and_never_overwrites(full, tmp_path, monkeypatch):
    monkeypatch.chdir(full.home)
    done = CliRunner().invoke(
        cli,
        standalone_mode=False,
        args=["registry", "export", "--layout", "intune", "--format", "json", f"{tmp_path}/new"],
    )
    assert done.return_value == 1
    assert json.loads(done.stdout) == {"folder": f"{tmp_path}/new", "files": 1, "devices": 5, "left_out": 11}
    assert "11 devices cannot be written" in done.stderr
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = CliRunner().invoke(
        cli, standalone_mode=False, args=["registry", "export", "--layout", "intune", f"{tmp_path}/new"]
    )
    assert again.exception.exit_code == 2
    assert "nothing is ever overwritten" in str(again.exception)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_folders_are_private_and_may_be_empty_ones(full, tmp_path):
    (tmp_path / "empty").mkdir()
    exported(full, "intune", tmp_path / "empty")
    assert {oct(path.stat().st_mode)[-2:] for path in (tmp_path / "empty").rglob("*")} == {"00"}
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for taken in ("empty", "link", "file"):
        with pytest.raises(UsageError, match="not empty"):
            exported(full, "intune", tmp_path / taken)


@pytest.mark.parametrize("where", ["sync_tree", "keep_private", "_Files.finish"])
def test_nothing_is_left_of_an_export_that_fails(full, tmp_path, monkeypatch, where):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"pipeline.devices.exporting.{where}", fails)
    with pytest.raises(Fault, match="No space left"):
        exported(full, "intune", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_files_are_no_longer_than_the_portal_allows(tmp_path):
    registry = Registry.open(tmp_path / "registry", create=True)
    numbers = pl.int_range(2_101, eager=True)
    rows = pl.DataFrame({"number": numbers}).select(
        event=pl.lit(REGISTERED),
        device_id=pl.col("number").cast(pl.String),
        tenant_id=pl.lit(TENANT),
        registered_via=pl.lit("partner_center"),
        identity=pl.lit("hash"),
        hardware_hash=pl.lit(b"OA"),
        group_tag=pl.when(pl.col("number") % 2 == 0).then(pl.lit("even")),
        serial_number=pl.lit("PF") + pl.col("number").cast(pl.String),
        manufacturer=pl.lit("LENOVO"),
    )
    components = pl.DataFrame(schema=COMPONENT_TYPES).clear(rows.height).drop("serial_number", "manufacturer")
    with registry.writer() as writer:
        writer.write(fill(with_keys(pl.concat([rows, components], how="horizontal"))))
        registry.commit(writer)
    for layout, most, files in (("intune", 500, 5), ("partner_center", 1_000, 4)):
        done = export(registry.reopened(), tmp_path / layout, LAYOUTS[layout], Choice(), assigned_profiles(), Silence())
        assert (done.files, done.devices, done.left_out) == (files, 2_101, 0)
        texts = [path.read_bytes() for path in (tmp_path / layout).glob("*/*.csv")]
        assert max(text.count(b"\r\n") for text in texts) == most + 1
        assert all(text.startswith(LAYOUTS[layout].header.encode() + b"\r\n") for text in texts)
        assert all(len(text.splitlines()[1].split(b",")[2]) == 4_000 for text in texts)


_TEXTS = st.text(
    st.sampled_from(
        'aZ09 -._\u00a0\u00c3\u00a9\u00e2\u201a\u20ac\u0178\u00f0\u0178\u00b0\u00df\u2019\u0141\u00bf\u00e9\u0081\t,"'
    ),
    max_size=8,
)


@given(tag=_TEXTS, user=_TEXTS)
def test_what_is_written_is_read_back_as_it_is(tmp_path, tag, user):
    given_cells = dict.fromkeys(CELLS) | {"hardware_hash": b"OA", "group_tag": tag, "assigned_user": user}
    types = {name: pl.Binary if name == "hardware_hash" else pl.String for name in CELLS}
    cells = with_cells(pl.DataFrame([given_cells], types))
    layout = LAYOUTS["intune"]
    if obstacles(cells, layout)[0] is not None:
        return
    line = cells.select(lines(layout)).item()
    path = tmp_path / "file.csv"
    path.write_bytes(f"{layout.header}\r\n{line}".encode("cp1252"))
    read = path.read_bytes().decode(survey(path, 10**6).encoding).splitlines()[1].split(",")
    assert (read[3], read[4]) == (tag, user)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"hardware_hash": b"OA" + bytes(2_999)}, "hardware_hash: longer than 3,000 bytes"),
        ({"hardware_hash": b"OA", "serial_number": "a\u00adb"}, "serial_number: a character that is not seen"),
        ({"hardware_hash": b"OA", "serial_number": " ab"}, "serial_number: blanks around it"),
        ({"hardware_hash": b"OA", "group_tag": KEY}, "group_tag: a product key"),
        ({"product_id": "330596602218"}, "windows_product_id: not 13 digits"),
        ({"product_id": "3305966022189", "model": "Model"}, "its line would read like a header"),
        ({"serial_number": "pending", "manufacturer": "HP", "model": "X1"}, "serial_number: SERIAL_PLACEHOLDER"),
    ],
)
def test_obstacles(cells, told):
    types = {name: pl.Binary if name == "hardware_hash" else pl.String for name in CELLS}
    rows = with_cells(pl.DataFrame([dict.fromkeys(CELLS) | cells], types))
    assert obstacles(rows, LAYOUTS["partner_center"]).to_list() == [told]
