import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline import arrays

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5))


@given(st.lists(st.sampled_from([b"\n", b"a", b"bcdefgh", b"\0"])).map(b"".join))
def test_places_are_where_the_byte_stands(text):
    found = arrays.places(np.frombuffer(text, np.uint8), ord("\n"))
    assert found.tolist() == [at for at, byte in enumerate(text) if byte == ord("\n")]


@given(NUMBERS)
def test_distinct_and_repeated_numbers(numbers):
    assert arrays.distinct(np.asarray(numbers, np.int64)).tolist() == sorted(set(numbers))
    repeated = arrays.repeated(pl.Series(numbers, dtype=pl.Int64))
    assert repeated.to_list() == sorted({number for number in numbers if numbers.count(number) > 1})
