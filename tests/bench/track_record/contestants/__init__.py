"""The detectors that are compared, all behind `contestant.Contestant`; `CONTESTANTS` names them."""

from collections.abc import Callable

from track_record.contestants.contestant import Contestant
from track_record.contestants.ewma_chart import EwmaChart
from track_record.contestants.own_cusum import OwnCusum
from track_record.contestants.product import Product
from track_record.contestants.usual_change import UsualChange
from track_record.contestants.yardstick import Yardstick
from track_record.sample import Sample

PRODUCT = "product"
CONTESTANTS: dict[str, Callable[[Sample], Contestant]] = {
    "fixed threshold on change": UsualChange,
    "EWMA chart": EwmaChart,
    "own-cell regression CUSUM": OwnCusum,
    "yardstick": Yardstick,
    PRODUCT: Product,
}

__all__ = ["CONTESTANTS", "PRODUCT", "Contestant"]
