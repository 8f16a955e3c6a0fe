"""The words of the field as types: identities, images as sources find them, rows, tables."""
