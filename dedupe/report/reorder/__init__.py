"""Proposed orders and divisions, as text, JSON and Markdown."""
