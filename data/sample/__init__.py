"""The demo place: a made-up county, 示范旗 Demo Banner (990121), for showing and testing.

Nothing in it is real: 99 is no province of GB/T 2260, the ground is empty steppe, the border, the
names, the people and the incidents are invented. `build` makes it, `write` puts it into files as
users bring them, `workers` peoples the grids that were drawn on it.
"""

from data.sample.files import write, write_workers
from data.sample.people import workers
from data.sample.place import DemoPlace, build

__all__ = ["DemoPlace", "build", "workers", "write", "write_workers"]
