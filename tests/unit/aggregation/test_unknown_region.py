"""The way out of a region that a panel does not have."""

from earlywarn.aggregation.unknown_region import region_hint
from earlywarn.domain.region import RegionResolver
from earlywarn.reference.nuts import load_regions


def test_a_panel_with_regions_of_its_own_names_where_another_is_declared() -> None:
    own = RegionResolver(load_regions(), level=None, declared=("North", "South"))
    assert region_hint("Coast", own) == (
        "; if it is one, add it to regions of the panel in the settings ([panels.regions])"
    )
    assert region_hint("Coast", RegionResolver(load_regions(), level=2, countries=("CH",))) == ""
