"""Orders of layers and of build steps, and new layers, that store or pull less.

``input`` reads the images as stacks. ``layers``, ``steps`` and ``relayer`` make the three kinds of
plans of it with the algorithms of ``dedupe.reorder``. ``proposals`` describes what a plan does to
each image, ``proofs`` compares the merged views, and ``plans`` has the types that reports show.
"""
