"""Terms of the field as types: identities, images as sources find them, entries, tables."""
