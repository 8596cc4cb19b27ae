"""What plans refuse, in Chinese: more of ``api.phrases``."""

from __future__ import annotations

from typing import Final

MOVES: Final = (
    (r"nothing would change: the buildings.*", "不会有变化：这些网格的楼栋已无法分得更均匀"),
    ("Name a further neighbour, or move cells by hand", "请再加一个相邻网格，或手工移动地块"),
    ("nothing would change", "不会有变化"),
    ("Choose other cells", "请另选地块"),
    (r"there (?:is|are) no cells? (.+)", r"没有编号为 \1 的地块"),
    (r"there (?:is|are) no grids? ([^i]+)(?: in plan (\d+))?", r"方案里没有编号为 \1 的网格"),
    ("Look at the plan anew", "请重新读取方案"),
    (
        r"grid (\S+) would reach over the line of (\S+) into (.+)",
        r"网格 \1 会越过社区（村）\2 的界线，进入 \3",
    ),
    ("Choose cells of its own unit", "请只选本社区（村）的地块"),
    (
        r"grid (\S+) would be in (\d+) pieces: cells? (.+) and (\d+) more would be cut off",
        r"网格 \1 会断成 \2 块：地块 \3 等（另有 \4 个）会被隔开",
    ),
    (
        r"grid (\S+) would be in (\d+) pieces: cells? (.+) would be cut off",
        r"网格 \1 会断成 \2 块：地块 \3 会被隔开",
    ),
    (
        "Take the piece along, or choose cells at its edge",
        "请连同断开的部分一起移，或改选边上的地块",
    ),
    ("the grid would be no single polygon", "网格会不成一整块（只有一点相连）"),
    ("one grid is no merge", "一个网格谈不上合并"),
    ("Name two or more", "请选两个或更多"),
    (r"a grid of 1 cell cannot become several: .*", "只有一个地块的网格不能再拆：楼栋不拆开"),
    ("Choose a grid of several cells", "请选有几个地块的网格"),
    (r"a grid of (\d+) cells cannot become (\d+)", r"有 \1 个地块的网格不能拆成 \2 个"),
    (r"Give (\d+) to (\d+)", r"请填 \1 至 \2"),
    ("the line leaves all cells on one side", "这条线没有把地块分到两边"),
    ("Draw it across the grid, from outside to outside", "请从网格外画到网格外，穿过整个网格"),
    ("the outline crosses itself", "画的范围自己相交"),
    ("Draw it anew", "请重画"),
    ("no cell lies in the polygon", "画的范围里没有地块"),
    ("Draw it larger", "请画大一些"),
    (
        r"(\d+) cells? lies? in the polygon, none of them in (\S+), .*",
        r"画的范围里有 \1 个地块，都不属于该网格所在的社区（村）\2，网格不越过它的界线",
    ),
    (
        "Name a grid of the same unit, or make a new one of them",
        "请改选同一社区（村）的网格，或新建网格",
    ),
    ("rebalancing takes two or more grids of one unit", "平分户数要选同一社区（村）的两个以上网格"),
    ("Choose others", "请另选"),
    ("these grids do not touch one another", "这些网格互不相邻"),
    ("Choose neighbours", "请选相邻的网格"),
    ("there is nothing to mend", "没有要修补的"),
    (
        r"(\d+) parts? ha(?:s|ve) no neighbour that could take (?:it|them)",
        r"\1 处没有可以接收的相邻网格",
    ),
    ("See the findings of the plan", "请看“规则”一栏"),
    ("nobody lives there", "那里没有住户"),
    (
        "a river or a railway without a bridge lies between its parts",
        "各部分之间隔着没有桥的河流或铁路",
    ),
    ("Draw a line, or move cells", "请画线拆分，或移动地块"),
    (
        r"it divides into (\d+) parts?, not into (\d+): .*",
        r"只能拆成 \1 个，拆不成 \2 个：有一栋楼的户数已超过一份",
    ),
    (r"Ask for (\d+), draw a line, or move cells", r"请拆成 \1 个，或画线拆分，或移动地块"),
    ("there is no move to take back", "没有可撤销的改动"),
    ("there is no move to make again", "没有可重做的改动"),
    (r"plan (\d+) has no move (\d+)", r"方案 \1 没有第 \2 步"),
    ("See its history", "请看历史"),
)
PLANS: Final = (
    (r"there is no plan (\d+)", r"没有方案 \1"),
    (r"locked: (.+)\. Unlock them first", r"已锁定：\1。请先解锁"),
    (
        r"these grids were changed since version (\d+): .*",
        r"第 \1 版之后别人改动了这些网格。请重新读取方案后再做，双方的改动都没有丢失",
    ),
    (
        r"plan (\d+) is at version (\d+), not at (\d+): load it anew",
        r"方案 \1 现为第 \2 版，不是第 \3 版：请重新读取",
    ),
    (
        r"plan (\d+) is submitted: take it back to the table first.*",
        r"方案 \1 已送审：退回后才能改动",
    ),
    (
        r"plan (\d+) is approved: take it back to the table first.*",
        r"方案 \1 已批准：退回后才能改动",
    ),
    (
        r"(\S+) worked on plan (\d+): another person has to approve it",
        r"\1 参与了方案 \2 的编制：须由另一人审批",
    ),
    (r"plan (\d+) is \w+, not .+", r"方案 \1 的状态不允许这一步"),
    (r"plan (\d+) was published: make a branch of it", r"方案 \1 已发布：请另起方案"),
    (
        r"edition (\d+) was not drawn here: it has no cells to move",
        r"第 \1 版不是在这里划分的：没有可移动的地块",
    ),
    (
        r"Make a branch of it, which gives it some: wangge plan branch (\d+)",
        "请由它另起方案，就会有地块",
    ),
    (
        r"area (\S+) has no buildings, so its grids have no cells to move",
        r"辖区 \1 没有楼栋，网格就没有可移动的地块",
    ),
    ("Import buildings first", "请先导入楼栋"),
)
CHECKS: Final = (
    (r"(\d+) cells? ha(?:s|ve) no grid", r"\1 个地块没有网格"),
    (r"Move what has none to a grid, or 'repair'", "请把它们移入网格，或自动并入相邻网格"),
    (
        r"unit (\S+) has no grid \((\S+) km2 uncovered\)",
        r"社区（村）\1 没有网格（\2 平方公里空缺）",
    ),
    ("Draw grids for it", "请为它划分网格"),
    (r"gap in unit (\S+): (\S+) m2 at (.+)", r"社区（村）\1 有空缺：\2 平方米，在 \3"),
    ("Give it to a grid", "请归入一个网格"),
    (
        r"grids of unit (\S+) reach over its line: (\S+) m2 at (.+)",
        r"社区（村）\1 的网格越过界线：\2 平方米，在 \3",
    ),
    ("Cut them at the line", "请沿界线截断"),
    (r"grids (\S+) and (\S+) overlap: (\S+) m2 at (.+)", r"网格 \1 与 \2 重叠：\3 平方米，在 \4"),
    ("Give it to one of them", "请只归其中一个"),
    ("the edition has no grids", "这一版没有网格"),
    ("Draw or import some", "请划分或导入"),
    (r"neighbouring grids do not share their vertices: (.+)", r"相邻网格的顶点不一致：\1"),
    ("Draw them anew, or clean the layer before importing it", "请重画，或清理后再导入"),
)
PLAN_PHRASES: Final = (*MOVES, *PLANS, *CHECKS)
