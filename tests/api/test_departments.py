"""``GET /api/v1/departments``: those that a case may be sent to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import Range

from grids.people import duty
from tests import factories

if TYPE_CHECKING:
    from tests.api.conftest import Town

URL = "/api/v1/departments"


def test_those_in_force_with_their_matters(own_town: Town) -> None:
    with own_town.database.transaction() as session:
        bureau = duty.add_department(session, "人社局", area=factories.COUNTY, actor="t")
        duty.set_matters(session, bureau, {"labour": True, "neighbour": False}, actor="t")
        duty.add_department(session, "村办", area=factories.VILLAGES[1], actor="t")
        gone = duty.add_department(session, "旧局", area=factories.COUNTY, actor="t")
        gone.valid = Range(None, datetime.now(UTC) - timedelta(days=1))
        number = bureau.id
        clerk = factories.account(session, "community", factories.VILLAGES[0])
        analyst = factories.account(session, "analyst", factories.COUNTY)
        of_clerk, of_analyst = (
            {"Authorization": f"Bearer {factories.key(session, each)}"} for each in (clerk, analyst)
        )
    assert own_town.client.get(URL, headers=of_analyst).status_code == 403
    first, second = own_town.client.get(URL).json()["items"]
    assert first == {
        "id": number, "name": "人社局", "area_code": factories.COUNTY, "attendance": "on_call",
        "matters": [
            {"category": "labour", "is_lead": True}, {"category": "neighbour", "is_lead": False},
        ],
    }  # fmt: skip
    assert (second["name"], second["matters"]) == ("村办", [])
    # Another village's is not there; that of the county is, which serves this one.
    assert own_town.client.get(URL, headers=of_clerk).json()["items"] == [first]
    served = own_town.client.get(URL, params={"area": factories.VILLAGES[0]}).json()["items"]
    assert served == [first]
    assert own_town.client.get(URL, params={"area": "x"}).status_code == 422
