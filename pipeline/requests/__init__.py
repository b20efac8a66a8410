"""Requests over time: which rows of a night are decided, and what becomes of them."""
