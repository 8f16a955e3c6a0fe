"""Answers that reports show: values made of the rows of ``queries/``.

Questions are asked through ``interface.Questions``; nothing here knows the store.
"""
