"""A user's own task, with data: what the generated sample knows nothing of."""

from tasks import Kind
from tasks.lamp import LaMPTask
from tests.tasks.support import write_set


class Garden(LaMPTask):
    """Which bed a gardener plants something in."""

    name = "garden"
    folder = "garden"
    kind = Kind.CLASSIFICATION
    labels = ("sun", "shade")
    metrics = ("accuracy", "f1")
    history_has_labels = True
    lead = instruction = "Sun or shade? plant:"
    marker = "plant:"
    response_field = "bed"
    item_template = '"{content}" grows in the {response}'


def write_garden(root):
    """Write a train and a dev set of three gardeners each to the time split of `root`."""
    for set in ("train", "dev"):
        ids = [f"{set}{n}" for n in range(3)]
        asked = [
            {
                "id": id,
                "user_id": id,
                "input": f"{Garden.instruction} plant {id}",
                "profile": [{"id": f"{id}-{n}", "text": f"herb {n}", "bed": "sun"} for n in (1, 2)],
            }
            for id in ids
        ]
        golds = dict.fromkeys(ids, "sun")
        write_set(root / "time" / "garden" / set, asked, golds, set=set, task="garden")
