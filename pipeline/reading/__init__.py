"""Manifests to staged rows: the pieces of work, their order, and the processes that do them.

Worker processes load this and nothing above it, so that they start soon.
"""
