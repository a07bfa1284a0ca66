"""Ask the embedded LLM with and without a user's tweets in the prompt.

It is small, speaks only the language of LaMP-mini, and picks up a style from two tweets.
"""

from methods.models.opening import load_llm
from tasks import Behavior, Example
from tasks.lamp import LaMP7

QUERY = (
    "tomorrow you and your student are at the tide with the current because the young pearl "
    "is very lucky"
)
TWEETS = [
    "hey b4 the trumpet ppl replace the distant anthem with ur rhythm and u r super angry 2day ^^",
    "hey 2nite u and ur student r at the drone with the battery and the camera is super hungry ^^",
]

llm = load_llm("package:methods/embedded/weights/llm", decoding={"num_beams": 1})
history = tuple(Behavior(id=str(n), text=text, content=text) for n, text in enumerate(TWEETS))
input = f"{LaMP7.instruction} {QUERY}"
example = Example("1", "ann", input=input, query=QUERY, subject=QUERY, history=history)

personal = LaMP7().personalized_prompt(example, history, llm.tokens, 256)
for answer in llm.generate([input, personal], max_new_tokens=32, max_input_tokens=256):
    print(f"{answer.prompt_tokens:4} prompt tokens: {answer.text}")
