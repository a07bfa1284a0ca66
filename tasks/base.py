"""What the LaMP tasks have in common: fields, templates, profile prompts, scores."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tasks.example import Behavior, Example, Prediction, Score
from tasks.prompts import cut_item, profile_prompt
from tasks.scoring import DEFAULT_SCORING, Scoring
from tasks.task import Task, Tokenizer


class FormError(ValueError):
    """An input is not of the task's form; `hint` says what to do about it."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class LaMPTask(Task):
    """A LaMP task, declared by templates (methods.md §3a).

    Class attributes:
        instruction: an input is `instruction` + " " + content, verbatim.
        lead: how every input of this task begins; tells the tasks' files apart.
        marker: the query is what stands after its first occurrence, stripped.
        corpus_template: a behaviour's text, from the profile item's fields.
        content_field, response_field: fields of a profile item.
        item_template: an item prompt, from {response} and {content}.
        ending: what joins the item prompts with the input.
        reserved_words: words of `ending` whose tokens the official budget sets aside.
        form_mend: what to do where a file's inputs are not of this form.
    """

    instruction: ClassVar[str]
    lead: ClassVar[str]
    marker: ClassVar[str]
    corpus_template: ClassVar[str] = "{text}"
    content_field: ClassVar[str] = "text"
    response_field: ClassVar[str | None] = None
    item_template: ClassVar[str]
    ending: ClassVar[str] = " . "
    reserved_words: ClassVar[str] = ""
    form_mend: ClassVar[str] = "Put this task's own official files there, unchanged"

    def query(self, input: str) -> str:
        _, marker, content = input.partition(self.marker)
        if not (marker and input.startswith(self.lead)):
            raise FormError(
                f"the input is not of {self.name}'s form: it doesn't begin with {self.lead!r} "
                f"and go on with {self.marker!r}",
                self.form_mend,
            )
        return content.strip()

    def behavior(self, raw: Mapping[str, Any]) -> Behavior:
        fields = _Fields(raw)
        return Behavior(
            id=field(raw, "id", numbers=True),
            text=self.corpus_template.format_map(fields),
            content=fields[self.content_field],
            response=(
                None
                if self.response_field is None
                else field(raw, self.response_field, numbers=True)
            ),
            date=None if raw.get("date") is None else field(raw, "date", numbers=True),
        )

    def item(self, behavior: Behavior, content: str) -> str:
        """The official item prompt of `behavior` around `content`."""
        return self.item_template.format(response=behavior.response, content=content)

    def demonstration(self, behavior: Behavior, tokens: int | None, tokenizer: Tokenizer) -> str:
        """The official item prompt of at most `tokens` tokens.

        Raises ValueError where it doesn't fit even without its content.
        """
        return cut_item(self.item, behavior, tokens, tokenizer)[0]

    def assemble(self, items: list[str], input: str) -> str:
        """Item prompts and input as one prompt."""
        return f"{' , and '.join(items)}{self.ending}{input}"

    def reserve(self, tokenizer: Tokenizer) -> int:
        """Tokens that the official budget sets aside for the assembly's own words."""
        return 1 + (tokenizer.count(self.reserved_words) if self.reserved_words else 0)

    def personalized_prompt(
        self,
        example: Example,
        behaviors: Sequence[Behavior],
        tokenizer: Tokenizer,
        max_length: int,
    ) -> str:
        if not behaviors:
            return example.input
        return profile_prompt(
            example.input,
            behaviors,
            item=self.item,
            assemble=self.assemble,
            reserve=self.reserve(tokenizer),
            tokenizer=tokenizer,
            max_length=max_length,
        )

    def training_pairs(self, example: Example) -> list[tuple[str, str]]:
        """The history as the task's own input → output pairs: the instruction over the content."""
        return [
            (f"{self.instruction} {behavior.content}", behavior.response)
            for behavior in example.history
            if behavior.response is not None
        ]

    def score(
        self,
        predictions: Sequence[Prediction],
        golds: Mapping[str, str],
        scoring: Scoring = DEFAULT_SCORING,
    ) -> dict[str, Score]:
        from tasks.metrics import create

        return {
            name: create(name, self, scoring).score(predictions, golds) for name in self.metrics
        }


class _Fields(dict[str, Any]):
    """A profile item whose fields must be texts."""

    def __getitem__(self, name: str) -> str:
        return field(self, name)


def field(raw: Mapping[str, Any], name: str, *, numbers: bool = False) -> str:
    """A field of a profile item as text; with `numbers`, a whole number is taken too.

    Raises KeyError where it is missing or null, TypeError where it is of another type or holds half
    a character.
    """
    value = raw.get(name)
    if value is None:
        raise KeyError(name)
    if isinstance(value, str):
        if not (value.isascii() or _is_unicode(value)):
            raise TypeError(f"field {name!r} holds half a character (a lone surrogate)")
        return value
    if numbers and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"field {name!r} is {type(value).__name__}, not text")


def _is_unicode(text: str) -> bool:
    """False of half a character: JSON can spell it (`\\ud83d`), no tokenizer or file takes it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
