"""Search algorithms for orders of layers and for new layers; pure, on numbered layers.

``stack`` defines stacks, orders and their cost. ``storage`` finds orders that store least (with
``greedy``, ``exact`` and ``trie``), ``pulls`` finds orders that pull least, ``choices`` finds plans
between the two. ``relayer`` makes new layers. ``steps`` reads build steps.
"""
