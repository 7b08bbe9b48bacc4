"""Events that start a retraining (prefect.yaml), for whoever runs outside of a flow."""

import logging
import os

DATA_INGESTED, DRIFT_DETECTED = "llp.data.ingested", "llp.drift.detected"
LIVE_DATA = {"prefect.resource.id": "llp.data.live"}
_ANSWER_SECONDS = 5.0
"""So long each of Prefect's tries to reach its server takes at most."""

logger = logging.getLogger(__name__)


def announce_ingest(version: int, told: str) -> bool:
    """Tells Prefect's server of a new version of the live data, if there is a server.

    Args:
        version: its number.
        told: what changed, in words.

    Returns:
        Whether a server has taken it. Where one does not, a warning says so.
    """
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        return False
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.events import Event, Resource

    event = Event(event=DATA_INGESTED, resource=Resource(LIVE_DATA), payload={"version": version, "changed": told})
    try:
        with get_client(httpx_settings={"timeout": _ANSWER_SECONDS}, sync_client=True) as client:
            client.request("POST", "/events", json=[event.model_dump(mode="json")])
    except httpx.HTTPError as error:
        logger.warning(
            "Prefect's server at %s was not told of version %d, so that no retraining starts by itself (%s). "
            "`llp run-flow retrain` is one by hand.",
            httpx.URL(address).copy_with(username=None, password=None),
            version,
            error,
        )
        return False
    return True
