"""Point to polygon, exactly: a layer of polygons and points in, the polygon that answers out.

``Locator`` (``index.py``) is what other code uses. ``arcs`` lays out the shared borders, ``cells``
the index over them, ``lookup`` asks it, ``borders`` and ``doubt`` tell how sure an answer is, and
``file`` keeps it. All but ``index``, ``file`` and ``shapes`` load the compiler when imported.
"""

from gis.locator.index import CHUNK, Border, Locator, Nearest, Shares

__all__ = ["CHUNK", "Border", "Locator", "Nearest", "Shares"]
