import pytest

from llp_core.datasets import DATASETS, get_dataset
from llp_core.errors import InputError


def test_every_name_leads_to_its_data_set():
    published = ["cora", "citeseer", "pubmed", "computers", "photos", "cs", "physics", "collab"]
    names = ["debian", *published, "collab-shape", "citation2-shape", "files"]
    assert list(DATASETS) == names
    assert [get_dataset(name).name for name in names] == names


def test_small_graphs_have_larger_shares():
    large = {name for name, dataset in DATASETS.items() if dataset.new_node_share == dataset.test_share == 0.1}
    small = {name for name, dataset in DATASETS.items() if dataset.new_node_share == dataset.test_share == 0.3}
    assert small == {"debian", "cora", "citeseer", "files"}
    assert large | small == set(DATASETS)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(InputError, match=r"data set 'Coro' is not known. Did you mean cora"):
        get_dataset("Coro")


def test_a_name_like_no_other_gets_all():
    with pytest.raises(InputError, match=r"There are debian, cora, .*, files\."):
        get_dataset("zzz")
