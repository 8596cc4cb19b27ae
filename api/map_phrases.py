"""What heat maps, grid maps, hot spots and tiles refuse, in Chinese: more of ``api.phrases``."""

from __future__ import annotations

from typing import Final

PERIODS: Final = (
    (
        "no incident(?: of .+)? has been reported yet: there is no period to take",
        "还没有上报过这类事件，无从确定时段",
    ),
    (
        "Import or report some, or give both start and end for a map that is empty",
        "请先导入或上报事件；起止日期都填时可得一张空图",
    ),
    ("the period ends before it begins", "时段的结束早于开始"),
    ("the period ends when it begins", "时段的开始与结束相同"),
    ("Give start before end|Give an end after the start", "开始应早于结束"),
    (r"the period from (\S+) to (\S+) has no length", r"时段 \1 至 \2 没有长度"),
    ("the period has no length", "时段没有长度"),
    (r"The end is exclusive.*", "结束日不计入：只看一天时，请填次日"),
    (r"the year (\d+)(?: is out of range)?", r"年份 \1 超出范围"),
    (r"Give (?:one from )?(\d{4}) to (\d{4})\.?", r"请填 \1 至 \2 年"),
    ("the time has no zone|(?:start|end|made_on) has no time zone", "时间缺少时区"),
    (r"Write it with one: (\S+)", r"请写上时区：\1"),
    (
        "no quarter of this period is over, and a shared map is of a whole one",
        "此时段内还没有结束的季度（13 周），共享图只做整季的",
    ),
    (
        r"The quarter from (\S+) can be shared from (\S+) on; the last finished one began on (\S+)",
        r"从 \1 开始的一季自 \2 起可共享；上一个已结束的季度始于 \3",
    ),
    (r"the period has (\d+)(?: whole)? weeks", r"时段有 \1 周"),
    (r"At most (\d+) are compared", r"最多比较 \1 周"),
    (r"Give (\d+) or more: three blocks of (\d+) weeks", r"至少 \1 周：三段，每段 \2 周"),
    (
        r"the week of (\S+) has not begun, or is out of range",
        r"\1 所在的一周尚未开始，或超出范围",
    ),
    (
        "Its list is made of all reports before it: ask for this week or an earlier one",
        "清单依据此前全部上报做出：请选本周或更早的一周",
    ),
    (
        r"reports begin on (\S+): (\d+) whole weeks before the week of (\S+)",
        r"上报始于 \1：\3 所在周之前只有 \2 个整周",
    ),
    (
        r"nothing has been reported: (\d+) whole weeks before the week of (\S+)",
        r"还没有上报：\2 所在周之前只有 \1 个整周",
    ),
    (r"(\d+) are needed; from less nothing can be learnt", r"至少需要 \1 周，再少看不出规律"),
    (r"(\d+) weeks to be judged of (\d+) reported", r"要检验 \1 周，而有上报的只有 \2 周"),
    (r"Give 1 to (\d+): (\d+) weeks must lie before them", r"请填 1 至 \1：之前须有 \2 周"),
    (r"(\d+) weeks of reports are needed", r"需要 \1 周的上报"),
    (r"Input should be a valid date.*", "不是日期"),
)

GROUND: Final = (
    (
        r"no unit (\S+) with a polygon: there is nothing to map",
        r"没有 \1 这一单位，或它没有边界，无图可做",
    ),
    (r"there is no unit (\S+)", r"没有 \1 这一单位"),
    (
        r"no grid in force lies in a unit (\S+): there is nothing to map",
        r"单位 \1 内没有生效的网格，无图可做",
    ),
    (
        "no grids were in force at the end of the period|there are no grids in force here",
        "此处此时没有生效的网格",
    ),
    ("there are no grids to map", "没有网格，无图可做"),
    ("Choose a later one, or publish an edition", "请选更晚的时段，或先发布网格版本"),
    (
        "Publish an edition(?: first, or ask for another unit|, or give a file of grids)",
        "请先发布网格版本，或换一个单位",
    ),
    ("the area has no streets|the database has no streets", "此处没有街道"),
    ("Ask for a density per km2", "请看每平方公里的密度"),
    (
        "Import some with 'wangge import barriers', or give a file: --along streets.gpkg",
        "请先用 wangge import barriers 导入街道，或改看每平方公里的密度",
    ),
    (
        r"(\S+) km of street in pieces of (\S+) m",
        r"街道共 \1 公里，按每段 \2 米切分太多",
    ),
    (
        r"At most (\S+) pieces: give fewer streets or longer pieces",
        r"最多 \1 段：请用更大的带宽，或更少的街道",
    ),
    ("there is no event with a place in the period", "时段内没有带坐标的事件"),
    ("Give a longer period or other categories", "请放长时段，或换别的类别"),
    (
        r"none of (\S+) events is within (\S+) m of a street",
        r"\1 起事件中，没有一起离街道在 \2 米以内",
    ),
    (
        "Give the streets of the same place, or check the coordinate system of both",
        "请核对街道与事件是否属同一地方、坐标系是否一致",
    ),
    (r"no layer '(.+)'; there are (.+)", r"没有图层 \1；可用 \2"),
    (r"zoom (-?\d+) is outside 0\.\.(\d+)", r"缩放级别 \1 不在 0 至 \2 之间"),
    ("Ask within that range", "请在此范围内选"),
    (
        r"([xy]) (-?\d+) is outside 0\.\.(\d+) at zoom (\d+)",
        r"\4 级的 \1 应在 0 至 \3 之间，这里是 \2",
    ),
    ("Ask for a tile that is there", "请选存在的瓦片"),
)

SCALES: Final = (
    (
        "no building with households is known, so there is no rate per household",
        "没有带户数的建筑，算不出每户的发生率",
    ),
    (
        "Import some with 'wangge import buildings', or ask for --per km2",
        "请先用 wangge import buildings 导入，或改看每平方公里的密度",
    ),
    (r"a bandwidth of (\S+) m", r"带宽 \1 米"),
    (
        r"Give more than 0 and at most (\S+) m; 150, 300 and 600 are usual\.",
        r"请填 0 以上、\1 以内的米数；常用 150、300、600",
    ),
    (
        r"a bandwidth of (\S+) m is wider than the area \((\S+) m\)",
        r"带宽 \1 米，比整个区域（\2 米）还宽",
    ),
    (
        r"Give at most (\S+) m; a tenth of it still shows a pattern\.",
        r"最多 \1 米；取其十分之一才看得出分布",
    ),
    (
        r"a bandwidth of (\S+) m is smaller than the cell of (\S+) m",
        r"带宽 \1 米小于像元 \2 米",
    ),
    (
        r"Use cells of at most (\S+) m or a bandwidth of at least (\S+) m\.",
        r"请用不大于 \1 米的像元，或不小于 \2 米的带宽",
    ),
    (
        r"(\S+) x (\S+) cells are too many; the largest possible is (\S+) x (\S+)",
        r"\1 x \2 个像元太多，最多 \3 x \4",
    ),
    (
        (
            r"(\S+) x (\S+) cells are too many; the largest possible is (\S+) x (\S+) "
            r"\(the map would be (\S+) x (\S+) km\)"
        ),
        r"\1 x \2 个像元太多，最多 \3 x \4（图幅将达 \5 x \6 千米）",
    ),
    (
        r"Use cells of at least (\S+) m, or give a smaller area: .*",
        r"请用不小于 \1 米的像元，或缩小区域：个别远处的事件会撑大图幅",
    ),
    (
        r"Give a bandwidth of at least (\S+) m, or give a smaller area: .*",
        r"请用不小于 \1 米的带宽，或缩小区域：个别远处的事件会撑大图幅",
    ),
    (r"Use larger cells\.", "请用更大的像元"),
    (r"'(.+)' is no measure", r"没有指标 \1"),
    (r"more than (\S+) circles for (\S+) grids", r"\2 个网格的扫描圆超过 \1 个"),
    (
        r"Give a smaller share than (\S+), or scan a part of the area\.",
        "请只扫描区域的一部分",
    ),
    (r"(\S+) is out of range", r"\1 超出范围"),
    (r"Give more than 0, at most (\S+)\.", r"请填 0 以上、\1 以内的数"),
)

SHARING: Final = (
    (
        "hot spots and attention lists do not leave the case team: .*",
        "热点与关注清单不出办案人员：由其分级和理由可推出单起事件",
    ),
    (
        "Share a grid map or a density of a finished quarter: .*",
        "请共享已结束季度的网格图或热力图",
    ),
    (
        "a shared rate needs the households of whole counties, .*",
        "共享的发生率须有全旗县的户数，而此账号只看得到本辖区的",
    ),
    (
        "Ask for per=km2, or for a shared grid map, which has rates",
        "请看每平方公里的密度，或共享的网格图，它有发生率",
    ),
    ("a shared density is of all categories together", "共享的热力图只做全部类别合计"),
    ("Leave the category out, or share a grid map of it", "请不选类别，或共享该类别的网格图"),
    (
        r"a shared table is of one category or of all, not of (\d+) of them",
        r"共享的网格图只做一个类别或全部类别，不做其中 \1 类",
    ),
    ("Make one of each, or leave the categories out", "请逐类做图，或不选类别"),
)

MAP_PHRASES: Final = PERIODS + GROUND + SCALES + SHARING
