"""Manifests to judged rows: ingest, decode, validate and authorize, part by part."""
