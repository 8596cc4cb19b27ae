"""Names for the demo place: words of map making, so that none can pass for a real place."""

from __future__ import annotations

from collections.abc import Iterator

PROVINCE = ("99", "示范自治区", "Demo Region")
PREFECTURE = ("9901", "示范盟", "Demo League")
COUNTY = ("990121", "示范旗", "Demo Banner")
STREET_OFFICE = ("990121001", "示范街道", "Demo Subdistrict")
TOWNS = (("990121100", "样例镇", "Sample Town"), ("990121101", "演示镇", "Showcase Town"))
SUMUS = (("990121200", "虚构苏木", "Fiction Sumu"), ("990121201", "示例苏木", "Example Sumu"))

COMMUNITIES = (
    ("图例", "Legend"),
    ("指北", "Northpoint"),
    ("等高", "Contour"),
    ("经纬", "Graticule"),
    ("坐标", "Coordinate"),
    ("图廓", "Neatline"),
    ("比例", "Scale"),
    ("格网", "Gridwork"),
    ("方里", "Kilometre"),
    ("投影", "Projection"),
    ("高程", "Elevation"),
    ("水准", "Level"),
    ("罗盘", "Compass"),
    ("测站", "Station"),
    ("拓扑", "Topology"),
    ("图层", "Layer"),
    ("图幅", "Sheet"),
    ("注记", "Label"),
    ("界标", "Landmark"),
    ("晕线", "Hachure"),
    ("基线", "Baseline"),
    ("导线", "Traverse"),
    ("三角", "Triangle"),
    ("子午", "Meridian"),
    ("卯酉", "Vertical"),
    ("正射", "Ortho"),
    ("像元", "Pixel"),
    ("栅格", "Raster"),
    ("矢量", "Vector"),
    ("底图", "Basemap"),
    ("色带", "Ramp"),
    ("符号", "Symbol"),
    ("图斑", "Patch"),
    ("索引", "Index"),
)
VILLAGES = (
    ("样一", "Sample One"),
    ("样二", "Sample Two"),
    ("样三", "Sample Three"),
    ("样四", "Sample Four"),
    ("样五", "Sample Five"),
    ("样六", "Sample Six"),
    ("样七", "Sample Seven"),
    ("样八", "Sample Eight"),
    ("样九", "Sample Nine"),
    ("样十", "Sample Ten"),
    ("样东", "Sample East"),
    ("样西", "Sample West"),
    ("样南", "Sample South"),
    ("样北", "Sample North"),
    ("样中", "Sample Middle"),
    ("样新", "Sample New"),
    ("样河", "Sample River"),
    ("样岗", "Sample Hill"),
)
SHOW_VILLAGES = tuple(
    (han.replace("样", "演"), english.replace("Sample", "Showcase")) for han, english in VILLAGES
)
GACHAS = (
    ("虚远", "Fiction Far"),
    ("虚近", "Fiction Near"),
    ("虚高", "Fiction High"),
    ("虚平", "Fiction Plain"),
    ("虚泉", "Fiction Spring"),
    ("虚丘", "Fiction Mound"),
    ("虚草", "Fiction Grass"),
    ("虚石", "Fiction Stone"),
)
EXAMPLE_GACHAS = tuple(
    (han.replace("虚", "例"), english.replace("Fiction", "Example")) for han, english in GACHAS
)

RIVER, RAILWAY, BORDER = "示范河", "示范铁路", "示范国界(虚构)"
ARTERIALS = {
    "main": "示范大街",
    "west": "样例路",
    "middle": "演示路",
    "east": "图例路",
    "far_east": "指北路",
    "north": "经纬大街",
    "ring_north": "北图廓路",
    "ring_south": "南图廓路",
    "diagonal": "比例尺斜街",
    "diagonal_north": "等高线斜街",
    "county_west": "示范一号县道",
    "county_east": "示范二号县道",
    "county_steppe": "示范三号县道",
    "bank": "滨河路",
}

_STEMS = [
    "格点",
    "标高",
    "测绳",
    "图名",
    "图号",
    "内图",
    "外图",
    "量角",
    "等距",
    "首曲",
    "计曲",
    "间曲",
    "助曲",
    "示坡",
    "独立",
    "方位",
    "磁偏",
    "真北",
    "坐标",
    "纵线",
    "横线",
    "图钉",
    "墨线",
    "蜡纸",
    "彩铅",
    "尺规",
    "圆规",
    "直尺",
    "曲尺",
    "网眼",
    "网线",
    "网目",
    "网结",
    "格心",
    "格角",
    "格边",
    "左图",
    "右图",
    "上图",
    "下图",
    "折图",
    "卷图",
    "拼图",
    "展图",
    "缩图",
    "放图",
    "描图",
    "绘图",
    "读图",
    "识图",
    "用图",
    "校图",
    "审图",
    "存图",
]


def street_names(suffix: str) -> Iterator[str]:
    """Invented street names without end, each once: 格点街, 标高街, ... then 格点东街 and so on."""
    for middle in ("", "东", "西", "南", "北", "中", "前", "后", "上", "下", "一", "二", "三"):
        for stem in _STEMS:
            yield f"{stem}{middle}{suffix}"
