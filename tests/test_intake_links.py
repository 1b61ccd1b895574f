"""Who is who: ids that hang together are one customer, whatever the order; members that share an id are reported."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.profiles.intake.identity import link

MEMBER, DEVICE, PHONE = 0, 1, 2


def linked(strength, pairs, merge=False):
    left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return link(np.array(strength, dtype=np.int64), left, right, merge)


def test_a_device_and_a_phone_follow_their_member():
    # 0, 1 members; 2, 3 devices; 4 phone:  0-2-4   1-3
    result = linked([MEMBER, MEMBER, DEVICE, DEVICE, PHONE], [(0, 2), (2, 4), (1, 3)])
    assert result.customer.tolist() == [0, 1, 0, 1, 0]
    assert not result.shared.any()


def test_ids_without_a_member_are_called_by_the_strongest():
    result = linked([DEVICE, DEVICE, PHONE], [(0, 2), (1, 2)])
    assert result.customer.tolist() == [0, 0, 0]


def test_two_members_with_one_phone_are_reported_and_kept_apart():
    result = linked([MEMBER, MEMBER, PHONE], [(0, 2), (1, 2)])
    assert result.customer.tolist() == [0, 1, 2]
    assert result.shared.tolist() == [False, False, True]
    assert result.pairs.tolist() == [[2, 0], [2, 1]]


def test_they_are_merged_only_when_told_and_still_reported():
    result = linked([MEMBER, MEMBER, PHONE], [(0, 2), (1, 2)], merge=True)
    assert result.customer.tolist() == [0, 0, 0]
    assert result.shared.tolist() == [False, False, True]


def test_in_a_chain_each_id_goes_to_the_member_it_is_nearest_to():
    # 0 - 2(device) - 4(phone) - 3(device) - 1: the phone is two links from both
    result = linked([MEMBER, MEMBER, DEVICE, DEVICE, PHONE], [(0, 2), (2, 4), (4, 3), (3, 1)])
    assert result.customer.tolist() == [0, 1, 0, 1, 4]
    assert result.pairs.tolist() == [[4, 0], [4, 1]]


def test_what_hangs_on_a_shared_id_alone_is_nobodys():
    # 0, 1 share phone 3; device 2 knows only that phone
    result = linked([MEMBER, MEMBER, DEVICE, PHONE], [(0, 3), (1, 3), (2, 3)])
    assert result.customer.tolist() == [0, 1, 2, 3]


def test_no_ids_at_all():
    assert linked([], []).customer.tolist() == []


@st.composite
def graphs(draw):
    strength = sorted(draw(st.lists(st.integers(0, 2), min_size=1, max_size=9)))
    node = st.integers(0, len(strength) - 1)
    pairs = [(a, b) for a, b in draw(st.lists(st.tuples(node, node), max_size=12)) if strength[a] != strength[b]]
    return strength, pairs


@pytest.mark.parametrize("merge", [False, True])
@given(graph=graphs(), data=st.data())
def test_laws_of_linking(merge, graph, data):
    strength, pairs = graph
    result = linked(strength, pairs, merge)
    shuffled = data.draw(st.permutations([(b, a) for a, b in pairs]))
    assert linked(strength, shuffled, merge).customer.tolist() == result.customer.tolist()
    members = np.flatnonzero(np.array(strength) == MEMBER)
    names = result.customer
    assert (names[names] == names).all(), "a customer is called by one of its own ids"
    if not merge:
        assert (names[members] == members).all(), "members stay who they are"
    else:
        assert all(names[a] == names[b] for a, b in pairs), "what is linked is one customer"
    if not result.shared.any():
        assert all(names[a] == names[b] for a, b in pairs), "without conflicts, what is linked is one customer"
