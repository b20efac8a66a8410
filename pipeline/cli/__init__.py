"""The command line: parse, call, print, exit."""

from pipeline.cli.main import main

__all__ = ["main"]
