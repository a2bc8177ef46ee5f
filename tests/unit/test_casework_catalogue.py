"""Whom to send a case to: the tree of four tiers, the catalogue, the suggestion and its reason."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from casework import city
from casework.allowed import possible
from casework.catalogue import Suggestion, suggest
from casework.moves import (
    LABELS,
    RULES,
    Accept,
    AskReturn,
    Attach,
    Dispatch,
    GrantReturn,
    PassDown,
    RefuseReturn,
)
from casework.organisation import Tree
from casework.register import EditRefusal, check_unit
from casework.rights import may_see
from casework.words import PLATFORM
from hotline.directory import Unit, UnitKind
from tests.unit.test_casework_rules import (
    ASK_RETURN,
    AT_COUNTY,
    AT_TOWN,
    COUNTY,
    DISPATCHER,
    OTHER,
    REFUSE_RETURN,
    VISITOR,
    after,
    dispatch,
    taken_in,
)

UNITS = city.city_units()
TREE, MATTERS = Tree(UNITS), city.matters(UNITS)


def suggested(words: str, topic: str = "") -> Suggestion:
    found = suggest(TREE, MATTERS, topic=topic, place=words, words=words)
    assert found is not None
    return found


def test_the_made_up_city_has_four_tiers_80_departments_90_towns_and_some_300_matters() -> None:
    kinds = [unit.kind for unit in UNITS]
    assert kinds.count(UnitKind.TOWN) == 90 and len(MATTERS) > 300
    assert kinds.count(UnitKind.CITY) + kinds.count(UnitKind.SERVICE) == 80
    depths = {len(TREE.chain(unit)) for unit in UNITS if unit.kind is not UnitKind.EMERGENCY}
    assert depths == {2, 3, 4}
    known = {unit.id for unit in UNITS}
    assert all(not unit.parent or unit.parent in known for unit in UNITS)
    assert len({matter.name for matter in MATTERS}) == len(MATTERS)


def test_yongning_a_case_goes_down_tier_by_tier() -> None:
    """永审服发〔2017〕30号二（一）: 四级联动."""
    village = TREE.named("岱庙街道东关社区居委会")
    assert village is not None
    assert TREE.chain(village) == (PLATFORM, "泰山区政府", "岱庙街道办事处", village.name)
    assert village in TREE.below("岱庙街道办事处") and village not in TREE.below(PLATFORM)
    assert TREE.unit("police") is None and TREE.below("没有") == []


def test_a_tree_with_a_circle_in_it_still_has_ends() -> None:
    one, other = replace(UNITS[10], parent=UNITS[11].id), replace(UNITS[11], parent=UNITS[10].id)
    assert len(Tree([one, other]).chain(one)) == 5


def test_taian_a_matter_goes_to_whose_trade_it_is() -> None:
    """泰政发〔2016〕1号六（二）: 归口管理."""
    found = suggested("东岳大街路灯三晚不亮")
    assert (found.unit.name, found.matter) == ("市城市管理局", "路灯维修")
    assert "归口管理" in found.reason and "泰政发〔2016〕1号六（二）" in found.reason


def test_taian_a_local_matter_goes_to_the_place_first_and_the_trade_assists() -> None:
    """泰政发〔2016〕1号六（二）: 分级负责、属地优先."""
    found = suggested("新泰市羊流镇东关社区有人占道经营")
    assert found.unit.name == "新泰市政府" and found.then[0] == "羊流镇政府"
    assert [unit.name for unit in found.assisting] == ["市城市管理局"] and "属地优先" in found.reason
    nowhere = suggested("有人占道经营")
    assert nowhere.unit.name == "市城市管理局"


def test_a_chosen_matter_counts_more_than_the_words() -> None:
    assert suggested("路灯不亮", topic="室温不达标").unit.name == "热力公司"


def test_a_place_alone_suggests_its_county_and_nothing_suggests_nobody() -> None:
    assert suggested("肥城市王庄镇").unit.name == "肥城市政府"
    assert suggest(TREE, MATTERS, topic="", place="火星", words="你好") is None


def test_every_move_has_a_name_on_pages() -> None:
    assert LABELS.keys() == RULES.keys() and len(set(LABELS.values())) == len(LABELS)


def test_what_is_offered_is_what_state_part_and_unit_allow() -> None:
    sent = after(dispatch())
    assert Dispatch in possible(taken_in(), DISPATCHER) and possible(taken_in(), VISITOR) == [Attach]
    assert {Accept, AskReturn, PassDown} <= set(possible(sent, AT_COUNTY))
    assert possible(sent, AT_TOWN) == []
    asked = after(ASK_RETURN, case=sent)
    assert GrantReturn in possible(asked, DISPATCHER) and GrantReturn not in possible(sent, DISPATCHER)
    assert not {AskReturn, PassDown} & set(possible(asked, AT_COUNTY))
    assert AskReturn not in possible(after(REFUSE_RETURN, case=asked), AT_COUNTY)
    assert RefuseReturn not in possible(after(REFUSE_RETURN, case=asked), DISPATCHER)


def test_a_unit_sees_what_it_has_passed_down_or_assists_with_and_nothing_else() -> None:
    case = after(dispatch(assisting=(OTHER,)))
    assert may_see(case, [AT_COUNTY]) and may_see(case, [replace(AT_COUNTY, unit=OTHER)])
    assert not may_see(case, [AT_TOWN]) and not may_see(taken_in(unit=COUNTY), [AT_COUNTY])
    assert may_see(case, [DISPATCHER]) and not may_see(case, [])


def test_a_unit_goes_nowhere_below_itself_and_no_tier_is_a_fifth_one() -> None:
    units = list(city.demo_units())
    village = next(unit for unit in units if unit.kind is UnitKind.VILLAGE)
    county = next(unit for unit in units if unit.id == "taishan-district")

    def refused(unit: Unit, **changes: Any) -> EditRefusal | None:
        return check_unit(units, [], replace(unit, **changes))

    assert refused(county, parent=village.id) is EditRefusal.CIRCLE
    assert refused(county, parent="daiyue-district") is EditRefusal.TOO_DEEP
    assert refused(county, is_closed=True) is EditRefusal.HAS_BELOW
    assert refused(village, parent="daiyue-district") is None
    assert refused(village, is_closed=True) is None
    assert refused(county, former=("某局",)) is None
