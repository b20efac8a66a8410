"""What is no serial number, manufacturer or model, by kind; and that what makers write is one."""

import random

import numpy as np
import polars as pl
import pytest

from pipeline.decode.components import components
from pipeline.decode.decode import decode
from pipeline.lab.synthesize.devices import _LENOVO, _NO_VOWELS, Factory
from pipeline.reference.manufacturers import meant_makers
from pipeline.reference.tables import no_reference
from schemas.identities import is_placeholder, name_fault, serial_fault, with_tuple_faults
from schemas.manufacturers import BUILT_IN_MAKERS

DAMAGE, PLACEHOLDER, FORMAT, SHIFTED = "SPREADSHEET_DAMAGE", "SERIAL_PLACEHOLDER", "SERIAL_FORMAT", "COLUMNS_SHIFTED"
ERRORS = "#N/A #REF! #NAME? #VALUE! #DIV/0! #NULL! #NUM! #SPILL! #WERT! #BEZUG! #NV #¡VALOR! #N/D #ЗНАЧ! #ÉRTÉK!"
KINDS = {
    DAMAGE: (
        *ERRORS.split(),
        *("1.23457E+11", "1,23E+11", "1E+05", "3.2e-7", "12345678.0", "4812,0"),
        *("MAR-24", "24-Mar", "2024-03-01", "01/03/2024", "1.3.2024", "24. März 2024", "2024-03-01 00:00:00", "SEP-02"),
        *("'0012345", "\u20190012345", "`12", "\uff0777001"),
    ),
    PLACEHOLDER: (
        *("TBD", "n/a", "N.A.", "see delivery note", "SEE INVOICE", "follows later", "Not yet known", "no serial"),
        *("To be filled by O.E.M.", "System Serial Number", "x.x.x", "XXX-XX", "test", "<serial>", "- / -", "???"),
        *("Chassis Serial Number", "INVALID", "0123456789", "AAAAAAA", "ab", "ßß", "000000"),
    ),
    FORMAT: (
        *("{serialNumber}", "<SN-1>", "[TAG]", "Device Serial Number", "device_serial_number:", "PKID", "Service Tag"),
        *("A1B / C2D", "A1B;C2D", "A1B, C2D", "A1B & C2D", "A1B|C2D", r"A1B\C2D", "A#1", "SN=55AB", "PF1*"),
        *("\u201c067496475982\u201d", "O\u2019Hara1", "A" * 32 + "B" * 33, "T0GABAEAHAAAA" * 300),
    ),
    SHIFTED: ("LENOVO", "hp", "HP Inc.", "dell", "Microsoft Corporation", "acer"),
    None: (
        *("12E4567", "BCDFGHJ", "5CG1234ABC", "057476635029", "PF-1A2B3C", "VMware-56 4d 1f 8e aa 01", "TBD-1", "12E"),
        *("1234.5", "2024-13-41", "24MAR01", "E+11", "MARCH", "JUNE-X1", "Parallels-1A 2B", "AB" * 32, "A.B.C"),
    ),
}  # fmt: skip


def one(value, rule, *arguments):
    return pl.select(rule(pl.lit(value), *arguments)).item()


@pytest.mark.parametrize(("code", "value"), [(code, value) for code, values in KINDS.items() for value in values])
def test_what_is_no_serial_number(code, value):
    assert one(value, serial_fault, BUILT_IN_MAKERS) == code


@pytest.mark.parametrize("value", ["#N/A", "MAR-24", "1E+05", "'840"])
def test_a_spreadsheet_makes_no_name(value):
    assert one(value, name_fault) == DAMAGE


@pytest.mark.parametrize(
    "value", ["0", "unknown", "System Product Name", "System manufacturer", "Default string", "N/A", "-", "TBC"]
)
def test_a_word_for_nothing_is_no_name(value):
    assert one(value, name_fault) == "TUPLE_PLACEHOLDER"


@pytest.mark.parametrize(
    "value", ["HP", "X1", "840", "Hewlett-Packard", "A/B Systems", "Model 3", "ThinkPad T14 (Gen 3)", "LENOVO", "1000"]
)
def test_a_name_may_be_short_and_may_have_signs(value):
    assert one(value, name_fault) is None


def test_nothing_has_no_fault():
    nothing = pl.lit(None, pl.String)
    assert pl.select(serial_fault(nothing, BUILT_IN_MAKERS), b=name_fault(nothing)).row(0) == (None, None)


def test_inside_a_hash_only_placeholders_and_words_count():
    inside = pl.Series(["VMware-56 4d, 1f", "A/B", "1.5E+11", "TBD", "Default string"])
    assert inside.to_frame("s").select(is_placeholder(pl.col("s"))).to_series().to_list() == [False] * 3 + [True] * 2


@pytest.mark.parametrize("value", [value for code, values in KINDS.items() if code for value in values])
def test_what_is_no_serial_number_is_no_evidence(value):
    cells = {"serial_number": [value], "manufacturer": ["HP"], "model": ["X"], "windows_product_id": ["1.2E+12"]}
    rows = pl.concat([pl.DataFrame(cells), decode(pl.Series([None], dtype=pl.String))], how="horizontal")
    compared = components(with_tuple_faults(rows)).row(0, named=True)
    assert compared["serial_number"] is compared["manufacturer"] is compared["product_id"] is None


def test_what_is_no_model_is_no_evidence():
    cells = {"serial_number": ["S1A2"], "manufacturer": ["HP"], "model": ["#N/A"], "windows_product_id": [None]}
    rows = pl.concat(
        [pl.DataFrame(cells, strict=False), decode(pl.Series([None], dtype=pl.String))], how="horizontal"
    ).with_columns(pl.col("windows_product_id").cast(pl.String))
    assert components(with_tuple_faults(rows)).row(0, named=True)["model"] is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Lenvo", "LENOVO"),
        ("LENOV0", "LENOVO"),
        ("Leonvo", "LENOVO"),
        ("Dell, Inc.", "Dell Inc."),
        ("Mircosoft Corporatoin", "Microsoft Corporation"),
        ("H.P. Inc", "HP"),
        ("Acre", None),
        ("Lemur", None),
        ("Hewlett-Packard", None),
        ("Novo", None),
        ("Microsoft Karporatiom", None),
    ],
)
def test_the_nearest_manufacturer_is_meant(written, meant):
    spellings = no_reference("a").manufacturers
    assert meant_makers(pl.Series([written, written, "GETAC"]), spellings).get(written) == meant


def _serials(source, number):
    """As many serial numbers of every style that `synthesize` knows, made in bulk."""

    def letters(alphabet, length):
        codes = np.frombuffer(alphabet.encode(), np.uint8)[source.integers(0, len(alphabet), (number, length))]
        return pl.Series(np.ascontiguousarray(codes).view(f"S{length}").ravel().astype(str))

    def digits(low, high, width):
        return pl.Series(source.integers(low, high, number)).cast(pl.String).str.zfill(width)

    heads = pl.Series(["PF", "MP", "GM"]).gather(source.integers(0, 3, number).astype(np.uint32))
    return {
        "HP": "5CG" + digits(200, 560, 3) + letters(_NO_VOWELS, 4),
        "Dell Inc.": letters(_NO_VOWELS, 7),
        "LENOVO": heads + letters(_LENOVO, 6),
        "Microsoft Corporation": "0" + digits(0, 10**11, 11),
    }


def _refused(source, number):
    refused = {}
    for maker, serials in _serials(source, number).items():
        faults = serials.to_frame("serial").with_columns(fault=serial_fault(pl.col("serial"), BUILT_IN_MAKERS))
        refused[maker] = faults.drop_nulls("fault")["serial"].to_list()
    return refused


def test_genuine_serials_stay_genuine():
    assert not any(_refused(np.random.default_rng(5), 20_000).values())


def test_nor_are_those_of_made_up_devices_refused():
    factory = Factory(random.Random(11))
    made = pl.Series([factory.device().serial for _ in range(2_000)])
    assert made.to_frame("s").select(serial_fault(pl.col("s"), BUILT_IN_MAKERS)).to_series().null_count() == 2_000


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_a_million_genuine_serials_stay_genuine(seed):
    assert not any(_refused(np.random.default_rng(seed), 250_000).values())
