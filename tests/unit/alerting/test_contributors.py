"""What cells add to the change of a total."""

from random import Random

import numpy as np
import pytest

from earlywarn.alerting.contributors import shares_of_change


def test_of_a_ticket_all_cells_together_add_up_to_the_totals_change() -> None:
    rng = Random(1)
    usual = np.array([[rng.uniform(10, 1000) for _ in range(9)], [rng.uniform(1e3, 1e6) for _ in range(9)]])
    seen = usual * np.array([[rng.uniform(0.3, 1.2) for _ in range(9)] for _ in range(2)])
    members = np.arange(9) < 7
    count, amount = seen[:, members].sum(axis=1)
    ticket = usual[1, members].sum() / usual[0, members].sum()
    scaled = usual * count / usual[0, members].sum()
    change = (seen - scaled)[1] - (seen - scaled)[0] * ticket
    assert change[members].sum() == pytest.approx(amount - count * ticket)
    for direction, sign in (("up", 1.0), ("down", -1.0)):
        toward = np.where(members, np.maximum(sign * change, 0.0), 0.0)
        shares = shares_of_change(seen, usual, members, "mean_ticket", direction, usual_ticket=ticket)  # type: ignore[arg-type]  # is one
        assert shares == pytest.approx(toward / toward.sum())
        assert not shares[~members].any()


def test_nothing_changed_nothing_carries() -> None:
    usual = np.array([[10.0, 15.0], [100.0, 900.0]])
    for measure in ("transactions", "amount", "mean_ticket"):
        shares = shares_of_change(usual, usual, np.ones(2, dtype=bool), measure, "down", usual_ticket=40.0)  # type: ignore[arg-type]
        assert not shares.any()
    nothing = np.zeros((2, 2))
    assert not shares_of_change(usual, nothing, np.zeros(2, dtype=bool), "mean_ticket", "up", usual_ticket=0.0).any()


def test_who_is_paid_less_often_as_all_are_has_no_part_in_what_became_of_a_ticket() -> None:
    """A tenth of all payments is left, and those of one cell are of half as much again."""
    usual = np.array([[10.0, 20.0, 40.0], [100.0, 900.0, 1_200.0]])
    seen = 0.1 * usual * [[1.0, 1.0, 1.0], [1.0, 1.0, 1.5]]
    shares = shares_of_change(seen, usual, np.ones(3, dtype=bool), "mean_ticket", "up", usual_ticket=2_200 / 70)
    assert shares == pytest.approx([0.0, 0.0, 1.0])
