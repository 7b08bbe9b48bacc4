"""The type of the fixture `make_model`."""

from collections.abc import Callable

from llp_core.models import LinkModel

MakeModel = Callable[..., LinkModel]
