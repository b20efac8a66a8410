import re

import polars as pl
import pytest

from pipeline.ingest.layout import parse_header
from pipeline.ingest.secrets import MASK, holds_product_key, mask_in_name, mask_product_keys

KEY = "QX7KV-2MNPB-9RTWF-4CDGH-6JKYM"
FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
BARE = KEY.replace("-", "")
KEYS = [
    KEY,
    KEY.lower(),
    KEY.translate(FULL_WIDTH),
    BARE,
    BARE.lower(),
    BARE.translate(FULL_WIDTH),
    *(KEY.replace("-", joint) for joint in (" ", " - ", "--", "\u00a0", "\u2013", "\u2212", "\u00ad", "\u3000")),
    *(other.join(KEY) for other in ("\0", "\u200b")),
    f"x{KEY}y",
    f"key:{BARE}.",
    f"_{BARE}_",
    "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE",
    "aaaaa bbbbb ccccc ddddd eeee1",
    f"{BARE} {BARE};{BARE}",
]  # fmt: skip
OTHERS = [
    "aaaaa-bbbbb-ccccc-ddddd-eeeee",
    "Those seven words stand right there",
    BARE + "A",
    "9" + BARE,
    BARE[:-1],
    "A" * 25,
    "00330-80000-00000-AA123",
    "11111111-1111-4111-8111-111111111111",
    "HP Elite Mini 800 G9 Desktop PC",
    "VMware-56 4d 1f 8e aa 01 02 03-04 05 06 07 08 09 0a 0b",
]


@pytest.mark.parametrize("text", KEYS)
def test_every_form_of_a_key_is_blotted_out(text):
    given = pl.DataFrame({"text": [text]})
    held, masked = given.select(holds_product_key(pl.col("text")), masked=mask_product_keys(pl.col("text"))).row(0)
    assert held
    for shown in (masked, mask_in_name(text)):
        rest = shown.replace(MASK, "")
        assert rest != shown
        assert not re.search(r"[BCDFGHJKMPQRTVWXY2346789]{3}", re.sub("~[0-9a-f]{8}", "", rest).upper())


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_key_stays(text):
    given = pl.DataFrame({"text": [text]})
    shown = given.select(holds_product_key(pl.col("text")), masked=mask_product_keys(pl.col("text"))).row(0)
    assert shown == (False, text)
    assert mask_in_name(text) == text


def test_a_key_that_names_a_column_is_seen_by_nobody():
    header = parse_header(f"Windows Product ID,{KEY},{BARE}")
    assert header.exposes_key
    assert KEY not in str(header)
    assert BARE not in str(header)
    assert not parse_header("Windows Product ID,Group Tag").exposes_key
