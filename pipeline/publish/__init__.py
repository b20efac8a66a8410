"""Decisions and staged rows to the published sets and the registry's new records."""
