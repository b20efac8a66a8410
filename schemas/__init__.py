"""Declarations only: what a row, a record and an output look like, and what can be said about them.

Nothing here reads a file, a clock or the environment, and nothing here imports `pipeline`.
"""
