"""Draws by the hash of an id: as good as random, and the same in a graph that has grown."""

import torch

from llp_core.hashing import hash_order, node_hashes, pair_hashes
from llp_core.sampling import generator

IDS = [f"node {number}" for number in range(2000)]


def test_an_id_has_one_hash_on_every_machine() -> None:
    # `printf a | b2sum -l 64` prints 40f89e395b66422f: these bytes, the lowest first
    assert node_hashes(["a", "b"]).tolist() == [3405396810240292928, 8453121595177857668]
    assert node_hashes([]).shape == (0,)
    assert node_hashes(IDS).unique().numel() == len(IDS)


def test_a_pair_has_no_direction_and_shares_its_hash_with_no_other() -> None:
    hashes = node_hashes(IDS[:300])
    pairs = torch.combinations(torch.arange(300)).T
    found = pair_hashes(hashes, pairs)
    assert torch.equal(found, pair_hashes(hashes, pairs.flip(0)))
    assert found.unique().numel() == pairs.shape[1]


def test_what_comes_in_between_moves_nothing_past_another() -> None:
    some = torch.arange(0, len(IDS), 3)
    whole = hash_order(node_hashes(IDS), generator(0, "order"))
    part = hash_order(node_hashes([IDS[number] for number in some.tolist()]), generator(0, "order"))
    assert torch.equal(whole[torch.isin(whole, some)], some[part])


def test_an_order_is_a_permutation_that_the_generator_decides() -> None:
    hashes = node_hashes(IDS)
    first = hash_order(hashes, generator(0, "order"))
    assert torch.equal(first.sort().values, torch.arange(len(IDS)))
    assert torch.equal(first, hash_order(hashes, generator(0, "order")))
    other = hash_order(hashes, generator(1, "order"))
    both = torch.isin(first[:1000], other[:1000]).sum()  # of two independent orders some 500, give or take 16
    assert 420 < both < 580
    assert 420 < (first[:1000] < 1000).sum() < 580
