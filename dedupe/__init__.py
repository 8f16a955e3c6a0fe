"""Storage analyst for container images: what is shared, shadowed and stored twice."""

import os
import sys

__version__ = "0.1.0"

# When polars is imported, it looks in /var/tmp/polars-$USER/spill for folders whose name is a
# number, and deletes those whose number is not the ID of a live process. It follows links. So any
# local user can put a link there and make root delete folders that the link leads to.
#
# The variable moves the spill folder to a path that cannot exist: /dev/null is not a folder.
# Nothing is lost, since our tables never spill. It is set here because this module runs before all
# others of the package, in worker processes too.
#
# A value that is set already is kept: a user who controls our environment controls what we run
# anyway. If polars is loaded already, it belongs to another program and keeps its spill folder.
if "polars" not in sys.modules:
    os.environ.setdefault("POLARS_OOC_SPILL_DIR", f"{os.devnull}/spill")
