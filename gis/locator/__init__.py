"""Point to polygon, exactly: a layer of polygons and points in, the polygon that answers out.

``Locator`` (``index.py``) is what other code uses. ``arcs`` lays out the shared borders, ``cells``
the index over them, ``lookup`` asks it, ``borders`` and ``doubt`` tell how sure an answer is, and
``file`` keeps it; ``layers`` asks several. What reads the kernels loads the compiler when imported:
all but ``index``, ``answers``, ``layers``, ``file`` and ``shapes``.
"""

from gis.locator.answers import Border, Nearest, Shares
from gis.locator.index import CHUNK, Locator
from gis.locator.layers import Layers

__all__ = ["CHUNK", "Border", "Layers", "Locator", "Nearest", "Shares"]
