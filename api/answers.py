"""Answers to a batch on their way out: JSON or an Arrow stream.

What is the same for many places is written once and put together; a place alone costs its numbers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from datetime import datetime

    from api.batches import Batch, People
    from grids.locating.batches import Answers, Group, Outside
    from grids.people.answering import Responsible


def to_json(batch: Batch, answers: Answers, as_of: datetime) -> bytes:
    """The document that ``BatchOut`` describes."""
    parts = [_head(each, batch.common.people) for each in answers.groups]
    ids = batch.ids if batch.ids is not None else [None] * len(answers)
    if not isinstance(ids, list):
        ids = ids.to_pylist()
    texts = []
    columns = (
        ids, answers.group.tolist(), answers.distance_to_border_m.tolist(),
        answers.confidence.tolist(), answers.ask_back.tolist(),
    )  # fmt: skip
    for row, (id_, group, border_m, confidence, ask_back) in enumerate(zip(*columns, strict=True)):
        told = answers.outside.get(row)
        texts.append(
            f'{{"id":{_json(id_)},{parts[group]},"distance_to_border_m":{_number(border_m)},'
            f'"confidence":{_number(confidence)},"ask_back":{"true" if ask_back else "false"},'
            f"{_outside(told) if told else _NOWHERE}}}"
        )
    head = {
        "at": batch.at.isoformat(),
        "as_of": as_of.isoformat(),
        "count": len(answers),
        "inside": _inside(answers),
    }
    return f'{json.dumps(head)[:-1]},"answers":[{",".join(texts)}]}}'.encode()


_NOWHERE = '"nearest":null,"border":null'


def _inside(answers: Answers) -> int:
    holds = np.array([each.grid is not None for each in answers.groups], dtype=bool)
    return int(holds[answers.group].sum()) if len(answers) else 0


def _head(group: Group, people: People) -> str:
    grid = group.grid
    told = {
        "inside": grid is not None,
        "reason": group.reason,
        "grid": {"id": grid.grid_id, "code": grid.code} if grid else None,
        "unit_code": grid.unit_code if grid else None,
        "edition_id": group.edition.id if group.edition else None,
        "responsible": [_person(each) for each in _named(group, people)],
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))[1:-1]


def _named(group: Group, people: People) -> list[Responsible]:
    return list(group.responsible[:1] if people == "first" else group.responsible)


def _person(each: Responsible) -> dict[str, Any]:
    return {
        "person_id": str(each.person_id),
        "name": each.name,
        "role": each.role,
        "reason": each.reason,
    }


def _outside(told: Outside) -> str:
    nearest = told.nearest and {
        "id": told.nearest.grid_id,
        "code": told.nearest.code,
        "unit_code": told.nearest.unit_code,
        "distance_m": told.nearest.distance_m,
    }
    border = told.across and {"name": told.across.name, "distance_m": told.across.distance_m}
    return f'"nearest":{_json(nearest)},"border":{_json(border)}'


def _json(value: Any) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    return repr(value) if value == value else "null"  # noqa: PLR0124 - NaN is not itself


def to_arrow(batch: Batch, answers: Answers, as_of: datetime) -> bytes:
    """The same as a table, a row for each place, in an uncompressed IPC stream.

    The people are a list column, or the first one's columns; what is outside has columns too.
    """
    groups = answers.groups
    of_group: dict[str, pa.Array] = {
        "reason": pa.array([each.reason for each in groups], pa.string()),
        "grid_id": pa.array([e.grid.grid_id if e.grid else None for e in groups], pa.int64()),
        "grid_code": pa.array([e.grid.code if e.grid else None for e in groups], pa.string()),
        "unit_code": pa.array([e.grid.unit_code if e.grid else None for e in groups], pa.string()),
        "edition_id": pa.array([e.edition.id if e.edition else None for e in groups], pa.int64()),
    }
    person = pa.struct([(name, pa.string()) for name in ("person_id", "name", "role", "reason")])
    people = [[_person(each) for each in _named(group, batch.common.people)] for group in groups]
    if batch.common.people == "all":
        of_group["responsible"] = pa.array(people, pa.list_(person))
    else:
        first = pa.array([each[0] if each else None for each in people], person)
        for number, name in enumerate(("person_id", "person_name", "role", "person_reason")):
            of_group[name] = pc.struct_field(first, number)
    index = pa.array(answers.group)
    table = {} if batch.ids is None else {"id": batch.ids}
    table |= {name: column.take(index) for name, column in of_group.items()}
    for name in ("distance_to_border_m", "confidence"):
        table[name] = pa.array(getattr(answers, name), from_pandas=True)
    table["ask_back"] = pa.array(answers.ask_back)
    rows = range(len(answers))
    near = [answers.outside[row].nearest if row in answers.outside else None for row in rows]
    across = [answers.outside[row].across if row in answers.outside else None for row in rows]
    if batch.common.nearest:
        table["nearest_code"] = pa.array([e.code if e else None for e in near], pa.string())
        table["nearest_m"] = pa.array([e.distance_m if e else None for e in near], pa.float64())
    table["border_name"] = pa.array([e.name if e else None for e in across], pa.string())
    table["border_m"] = pa.array([e.distance_m if e else None for e in across], pa.float64())
    made = pa.table(table, metadata={"at": batch.at.isoformat(), "as_of": as_of.isoformat()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return bytes(sink.getvalue())
