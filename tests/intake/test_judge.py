import pandera.errors
import polars as pl
import pytest

from pipeline.clock import Stopwatch
from pipeline.decode.decode import decode
from pipeline.intake.judge import Rulebook, judge
from schemas.device import DECODED_PATTERNS, DECODED_TYPES
from schemas.kinds import REGISTRATION
from tests.conftest import AS_OF


@pytest.mark.parametrize("name", DECODED_PATTERNS)
def test_a_value_that_the_decoder_never_makes_is_a_fault_and_no_verdict(name):
    rows = decode(pl.Series(["AAAA"])).with_columns(request_kind=pl.lit(REGISTRATION))
    value = ["?"] if isinstance(DECODED_TYPES[name], pl.List) else "?"
    wrong = rows.with_columns(pl.Series(name, [value], DECODED_TYPES[name]))
    with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors), match=name):
        judge(wrong, Rulebook(None, AS_OF, 128), Stopwatch())
