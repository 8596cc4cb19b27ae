"""What the locate routes and maps refuse, in Chinese: phrases of errors and what to do about them.

Errors are written in English where they arise; a client that asks for Chinese is told the phrases
that stand here in Chinese, and all others as they were written.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from api.language import preferred
from api.map_phrases import MAP_PHRASES
from api.plan_phrases import PLAN_PHRASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gis.errors import Problem

_PHRASES: Final = tuple(
    (re.compile(pattern, re.DOTALL), chinese)
    for pattern, chinese in (
        (r"\((.+), (.+)\) is no position in (.+)", r"(\1, \2) 不是坐标系 \3 中的位置"),
        (
            r"Longitude lies within -180\.\.180 .*",
            "经度应在 -180 至 180 之间，纬度应在 -90 至 90 之间，经度写在前",
        ),
        (r"Did you mean lon=(.+), lat=(.+)\?", r"经纬度写反了吗？是否应为 lon=\1, lat=\2"),
        (r"PROJ does not know the coordinate system (.+)", r"没有坐标系 \1"),
        (r"no coordinate system is called (.+)", r"没有名为 \1 的坐标系"),
        (r"Check the code; known names are (.+)", r"请核对编号；可用 \1"),
        (r"(?:Known|One of): (.+)", r"可用：\1"),
        (r"Input should be greater than (\S+)", r"应大于 \1"),
        (r"Input should be greater than or equal to (.+)", r"不应小于 \1"),
        (r"Input should be less than (\S+)", r"应小于 \1"),
        (r"Input should be less than or equal to (.+)", r"不应大于 \1"),
        (r"Input should be a valid number.*", "不是数字"),
        ("Input should be a finite number", "不是有限的数字"),
        (r"Give a value above (.+)", r"请填大于 \1 的数"),
        (r"Give (.+) at the most", r"请填不大于 \1 的数"),
        (r"Give (.+) at the least", r"请填不小于 \1 的数"),
        (r"Give a (?:finite )?number", "请填一个有限的数字"),
        ("Field required|it is missing", "缺少此项"),
        ("Give it", "请补上"),
        (r"(.+) is no time", r"\1 不是时间"),
        (r"Write it as (.+) or (.+)", r"请写成 \1 或 \2"),
        (r"unknown category (.+)", r"没有类别 \1"),
        (
            r"the body is no JSON that can be read, at character (\d+)",
            r"正文不是可读的 JSON，错在第 \1 个字符处",
        ),
        (
            "(?:the body|it) is no JSON that can be read|the body cannot be read",
            "正文不是可读的 JSON",
        ),
        ("Send JSON", "请发送 JSON"),
        ("the body is no batch", "正文不是批量请求"),
        (r"the body is no Arrow IPC stream.*", "正文不是可读的 Arrow IPC 流，或未传完"),
        (r"Write it with an IPC stream writer.*", "请用 IPC 流写入器写出，并在写完后关闭"),
        (r"(.+) is not read here", r"这里不接受 \1"),
        (r"Send (.+) or (.+)", r"请发送 \1 或 \2"),
        (r"Send (\{.+)", r"请发送 \1"),
        (
            r"at most ([\d,]+) points(.*) are answered at once, and these are ([\d,]+)",
            r"一次最多 \1 个点，这里有 \3 个",
        ),
        ("Send them in parts", "请分批发送"),
        (
            r"([\d,]+) of ([\d,]+) points cannot be taken.*",
            r"\2 个点中有 \1 个无法接受，因此全部未答",
        ),
        ("Correct them or leave them out.*", "请改正或去掉这些点，再发送一次"),
        ("it is no number", "不是数字"),
        (r"(.+) is no accuracy", r"\1 不是精度"),
        (
            r"Give metres above 0, up to ([\d,]+), or leave it out",
            r"请填 0 以上、\1 以内的米数，或不填",
        ),
        ("there is no such field", "没有这一项"),
        (r"sign in first, or send an API key as '(.+)'", r"请先登录，或以 '\1' 发送 API 密钥"),
        (
            r"the role of this account does not allow it \(it needs (\S+)\)",
            r"此账号没有角色，无权这样做（需要权限 \1）",
        ),
        (
            r"the role (\S+) does not allow it \(it needs (\S+)\)",
            r"角色 \1 无权这样做（需要权限 \2）",
        ),
        (
            r"the role (\S+) does not allow it \(it needs (\S+) or (\S+)\)",
            r"角色 \1 无权这样做（需要权限 \2 或 \3）",
        ),
        (r"this key may ask (\d+) times a minute", r"此密钥每分钟最多可问 \1 次，请稍候再试"),
        (
            r"the database is away since (\S+), and none of the (\S+) points lies in a grid .*",
            r"数据库自 \1 起无法连接；\2 个点都不在本辖区网格内，原因须由它回答",
        ),
        (
            "the database does not answer.*",
            "数据库没有应答，或请求耗时过长；没有任何改动，请按 Retry-After 稍候再试",
        ),
        *MAP_PHRASES,
        *PLAN_PHRASES,
    )
)


def wants_chinese(accepted: str) -> bool:
    """Whether an ``Accept-Language`` asks for Chinese before English; none asks for neither."""
    return "zh" in accepted.lower() and preferred(accepted) == "zh"


def chinese(text: str) -> str:
    """A phrase in Chinese, where it is known; else as it is."""
    for pattern, meant in _PHRASES:
        found = pattern.fullmatch(text)
        if found is not None:
            return found.expand(meant)
    return text


def told(detail: str, problems: Sequence[Problem]) -> tuple[str, list[Problem]]:
    """An error's text and its problems in Chinese."""
    found = [
        replace(each, reason=chinese(each.reason), remedy=chinese(each.remedy)) for each in problems
    ]
    if not found:
        return chinese(detail), found
    lines = []
    for each in found:
        row = None if each.row is None else f"第 {each.row} 行"
        where = " ".join(part for part in (row, each.field) if part)
        line = f"{where}：{each.reason}" if where else each.reason
        lines.append(f"{line}。{each.remedy}" if each.remedy else line)
    return "\n".join(lines), found
