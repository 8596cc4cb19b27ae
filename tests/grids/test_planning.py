"""Planning on the database: how grids are called."""

import pytest

from grids.planning import grid_name


@pytest.mark.parametrize(
    ("unit", "name"),
    [("河东社区", "河东社区第3网格"), ("Area 2/MIT", "Area 2/MIT 3"), ("Хөх хот", "Хөх хот 3")],
)
def test_a_grid_is_called_after_its_unit_in_the_script_of_its_name(unit, name):
    assert grid_name(unit, 3) == name
