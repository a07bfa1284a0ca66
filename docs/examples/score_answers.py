"""Score answers that were made elsewhere.

A missing answer, and one that is no label of the task, count as wrong.
"""

from tasks import Prediction
from tasks.lamp import LaMP3

golds = {"a": "5", "b": "4", "c": "1"}
answers = [Prediction("a", "5"), Prediction("b", "no idea")]  # "c" has no answer

for score in LaMP3().score(answers, golds).values():
    print(f"{score.metric} {score.value:.3f} (n={score.n}, failed {score.n_failed}, "
          f"unparsed {score.n_unparsed})")  # fmt: skip
