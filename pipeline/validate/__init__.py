"""Validates rows by the rules of `schemas.manifest`, and says what may be meant by columns that are not read."""
