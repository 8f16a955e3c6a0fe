"""Answers that reports are made of: a finished value each, figures from ``queries/``."""
