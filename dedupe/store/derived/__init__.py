"""Rows that are worked out from entries once, and kept in the catalog.

``runs``     the files: immutable folders, renamed into place
``rules``    the version of the SQL that made them
``deriver``  finds what lacks rows, and makes them
"""
