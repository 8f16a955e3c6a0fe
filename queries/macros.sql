-- Helpers that several queries share.

-- every ancestor of a path, the root '' included: 'a/b/c' -> ['', 'a', 'a/b']; the root has none
CREATE MACRO ancestors_of(path) AS
    CASE
        WHEN path = '' THEN []::VARCHAR[]
        ELSE list_transform(
            range(len(string_split(path, '/'))),
            lambda n: array_to_string(string_split(path, '/')[1:n], '/')
        )
    END;

-- the folder that holds a path; the root's is null
CREATE MACRO parent_of(path) AS
    CASE
        WHEN path = '' THEN NULL
        WHEN contains(path, '/') THEN regexp_replace(path, '/[^/]*$', '')
        ELSE ''
    END;

-- bytes of a path's printable form
CREATE MACRO path_bytes(path) AS
    unhex(array_to_string(list_transform(
        regexp_extract_all(path, '\\\\|\\x[0-9a-f]{2}|[^\\]+'),
        lambda piece: CASE
            WHEN piece = '\\' THEN '5c'
            WHEN piece[1] = '\' THEN piece[3:4]
            ELSE hex(encode(piece))
        END
    ), ''));

-- least common multiple of 1 to 60: a share of one unit among up to 60 images is exact in it
CREATE MACRO share_scale() AS 9690712164777231700912800::HUGEINT;
