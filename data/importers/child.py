"""The child process in which GDAL opens a file: ``python -m data.importers.child REQUEST OUT``.

GDAL's hundreds of readers are the largest attack surface of a GIS. Here it runs with one driver,
no network, an empty environment, and limits of memory, time and output, and hands back Arrow data;
when a file kills it, the import ends with an error and the server lives on.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from data.importers import layers


def _limit(memory: int, cpu_s: int, output: int) -> None:
    for what, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, output),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (limit, limit))


def _answer(request: dict[str, Any], out: Path) -> dict[str, Any]:
    # pyogrio takes these along when it finds them; they would cost a second of start and are
    # not used: what goes back is Arrow with WKB inside.
    for unused in ("geopandas", "pandas", "pyproj", "shapely"):
        sys.modules[unused] = None  # type: ignore[assignment]
    import pyarrow as pa  # noqa: PLC0415
    import pyogrio  # noqa: PLC0415
    from pyogrio.raw import read_arrow  # noqa: PLC0415

    path = request["path"]
    try:
        listed = [[str(name), str(kind)] for name, kind in pyogrio.list_layers(path)]
        answer: dict[str, Any] = {"layers": listed}
        names = [name for name, _ in listed]
        chosen = layers.pick(names, request["layer"], request["preferred"])
        if chosen is None:
            return answer
        answer["layer"] = chosen
        options: dict[str, Any] = {"datetime_as_string": True, "where": request["where"]}
        if request["encoding"]:
            options["encoding"] = request["encoding"]
        if request.get("stream"):
            _stream(path, answer, options)
            return {}
        meta, table = read_arrow(path, layer=chosen, **options)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        return {"error": str(error)}
    except (pa.ArrowException, MemoryError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    answer |= _told(meta, table.column_names)
    with pa.OSFile(str(out), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return answer


def _told(meta: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {
        "crs": meta["crs"],
        "geometry": meta["geometry_name"] or ("wkb_geometry" if "wkb_geometry" in names else None),
        "fid": meta.get("fid_column") or None,
    }


def _stream(path: str, answer: dict[str, Any], options: dict[str, Any]) -> None:
    """Write the answer in one line, then batches as an Arrow stream, to standard output."""
    import pyarrow as pa  # noqa: PLC0415
    import pyogrio  # noqa: PLC0415
    from pyogrio.raw import open_arrow  # noqa: PLC0415

    counted = pyogrio.read_info(path, layer=answer["layer"])["features"]
    answer["rows"] = counted if counted >= 0 else None
    with open_arrow(path, layer=answer["layer"], use_pyarrow=True, **options) as (meta, reader):
        answer |= _told(meta, reader.schema.names)
        sink = sys.stdout.buffer
        sink.write(json.dumps(answer).encode() + b"\n")
        with pa.ipc.new_stream(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
        sink.flush()


def main(arguments: list[str]) -> int:
    """Read the request (JSON), limit this process, answer in JSON on standard output."""
    request = json.loads(arguments[0])
    _limit(request["memory"], request["cpu_s"], request["output"])
    answer = _answer(request, Path(arguments[1]))
    if answer:
        sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
