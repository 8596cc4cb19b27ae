"""Hot spots: tests of where, and forecasts of where next. Arrays in, arrays out; no database.

``neighbours_of`` says which grids touch. ``hot_grids`` is the test that is shown; ``gi_star`` and
``local_moran`` are there to compare with other programs. ``scan`` looks for circles, and weeks, of
any size; ``emerging`` follows hot spots over weeks; ``knox`` and ``repeat_addresses`` ask whether
one event brings another. ``attention`` forecasts the coming week and ``backtest`` says how such
forecasts have done.

All counts are per grid, in the order of the grids; times are whole weeks or days counted from any
origin; coordinates are metres in a local CRS, easting and northing.
"""

from maps.hotspots.attention import Attention, Reason, attention
from maps.hotspots.backtest import BackTest, Method, Verdict, backtest
from maps.hotspots.discovery import HotGrids, adjusted, alarms, binomial_p, hot_grids, poisson_p
from maps.hotspots.emerging import Emerging, Kind, emerging
from maps.hotspots.forecast import Part
from maps.hotspots.local import GiStar, LocalMoran, gi_star, local_moran, permutation_p
from maps.hotspots.near_repeat import NearRepeats, RepeatAddresses, knox, repeat_addresses
from maps.hotspots.neighbours import Neighbours, neighbours_of
from maps.hotspots.scan import Cluster, Scan, scan

__all__ = [
    "Attention",
    "BackTest",
    "Cluster",
    "Emerging",
    "GiStar",
    "HotGrids",
    "Kind",
    "LocalMoran",
    "Method",
    "NearRepeats",
    "Neighbours",
    "Part",
    "Reason",
    "RepeatAddresses",
    "Scan",
    "Verdict",
    "adjusted",
    "alarms",
    "attention",
    "backtest",
    "binomial_p",
    "emerging",
    "gi_star",
    "hot_grids",
    "knox",
    "local_moran",
    "neighbours_of",
    "permutation_p",
    "poisson_p",
    "repeat_addresses",
    "scan",
]
