"""Storage analyst for container images: what is shared, shadowed and stored twice."""

import os
import sys

__version__ = "0.1.0"

# At import polars deletes from /var/tmp/polars-$USER/spill every folder that is named by a number
# and no live process, and it follows links: any local user can plant one there and let root delete
# folders of the user's choice. The variable moves that folder to a path that nobody can make, since
# no file has entries below it. We lose nothing: no table of ours spills. It is set here because
# this module runs before any other of the package, in worker processes too.
#
# A value that is set already stays: whoever sets our environment decides what we run anyway. And
# where polars is loaded already, it is another program's and must keep its spill folder.
if "polars" not in sys.modules:
    os.environ.setdefault("POLARS_OOC_SPILL_DIR", f"{os.devnull}/spill")
