"""Validates rows by the rules of `schemas.manifest`, and says what may be meant by columns that are not read."""

from pipeline.validate.rows import VALIDATE_ROWS, derive, validate
from pipeline.validate.unclear_columns import lone_numbers, rows_with_lone, unclear

__all__ = ["VALIDATE_ROWS", "derive", "lone_numbers", "rows_with_lone", "unclear", "validate"]
