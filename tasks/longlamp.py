"""Three of LongLaMP's tasks: a user's abstracts, product reviews and Reddit posts.

Source: Kumar et al., "LongLaMP: A Benchmark for Personalized Long-form Text Generation" (2024,
arXiv 2407.11016) and its released prompt code. The fourth, e-mails, needs the Avocado corpus.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tasks.budget import LAMP, BudgetRule
from tasks.example import Behavior, Example
from tasks.task import Kind, Tokenizer
from tasks.templates.fields import TextFields
from tasks.templates.lamp_task import FormError, LaMPTask

LONGEST_ABSTRACT = 750
"""Words of an abstract that the released code shows at most."""


class LongLaMPTask(LaMPTask):
    """A LongLaMP task. In a history, `content` is what was asked for and `response` the long text.

    Unlike in LaMP, the user's text is what a prompt has to cut. Templates of item prompts therefore
    read {content} as that text, and {response} as what was asked for (`_swap`). Lengths follow
    LaMP's budget rules, so that all tasks share one; the released code cuts each item by itself.

    Class attributes:
        folder: the name of the authors' configuration, without `_user` or `_temporal`.
        owner_field: the field of a row that names its user.
        item_fields: the fields of a profile item, as the authors' files call them.
        text_field: the one of them that holds the user's long text.
        request_template: what was asked for, over these fields: an input without its instruction.
    """

    kind = Kind.GENERATION
    metrics = ("rouge1", "rougeL", "meteor")
    max_new_tokens = 512
    response_in_text = True
    ending = " . Following the given patterns "
    reserved_words = "Following the given patterns"
    form_hint = "Convert the authors' files with `bench data longlamp`"
    owner_field: ClassVar[str]
    item_fields: ClassVar[tuple[str, ...]]
    text_field: ClassVar[str]
    request_template: ClassVar[str]

    def query(self, input: str) -> str:
        """The whole input."""
        if not input.lower().startswith(self.lead.lower()):
            raise FormError(
                f"the input is not a {self.name} prompt: it doesn't start with {self.lead!r}",
                self.form_hint,
            )
        return input.strip()

    def behavior(self, raw: Mapping[str, Any]) -> Behavior:
        fields = TextFields(raw)
        request = self.request_template.format_map(fields)
        behavior = super().behavior({**raw, "text": fields[self.text_field]})
        return replace(behavior, content=request, response=fields[self.text_field])

    def demonstration(self, behavior: Behavior, tokens: int | None, tokenizer: Tokenizer) -> str:
        return super().demonstration(_swap(behavior), tokens, tokenizer)

    def personalized_prompt(
        self,
        example: Example,
        behaviors: Sequence[Behavior],
        tokenizer: Tokenizer,
        max_length: int,
        rule: BudgetRule = LAMP,
    ) -> str:
        swapped = [_swap(behavior) for behavior in behaviors]
        return super().personalized_prompt(example, swapped, tokenizer, max_length, rule)


def _swap(behavior: Behavior) -> Behavior:
    """The behaviour with its long text as `content`, which is what a budget cuts."""
    return replace(behavior, content=behavior.response or "", response=behavior.content)


class LongLaMPAbstract(LongLaMPTask):
    """Personalized abstract generation, from a title and key phrases."""

    name = "LongLaMP-abstract"
    folder = "abstract_generation"
    owner_field = "name"
    item_fields = ("title", "abstract")
    text_field = "abstract"
    lead = "Generate an abstract for the title"
    instruction = lead
    corpus_template = "{title} {abstract}"
    request_template = '"{title}"'
    item_template = '"{content}" is the abstract for the title {response}'
    ending = (
        ". Use the above abstracts as context to understand the style and language of the user "
        "and, "
    )
    reserved_words = ending
    bullets: ClassVar[str] = "items:"

    def query(self, input: str) -> str:
        """The input up to its list of key phrases."""
        before, marker, _ = super().query(input).partition(self.bullets)
        return f"{before}{marker}"

    def item(self, behavior: Behavior, content: str) -> str:
        words = content.split()
        if len(words) > LONGEST_ABSTRACT:
            content = " ".join(words[:LONGEST_ABSTRACT])
        return super().item(behavior, content)

    def assemble(self, items: list[str], input: str) -> str:
        return f"{', and '.join(items)}{self.ending}{input}"


class LongLaMPReview(LongLaMPTask):
    """Personalized product reviews, from a rating, a description and a summary."""

    name = "LongLaMP-review"
    folder = "product_review"
    owner_field = "reviewerId"
    item_fields = ("overall", "summary", "description", "reviewText")
    text_field = "reviewText"
    lead = "Generate the review text written by a reviewer"
    instruction = f"{lead} who has a given an overall rating of"
    corpus_template = "{overall} {summary} {description} {reviewText}"
    request_template = (
        '"{overall}" for a product with description "{description}". '
        'The summary of the review text is "{summary}".'
    )
    request_form: ClassVar[re.Pattern[str]] = re.compile(
        r'"(?P<overall>.*?)" for a product with description "(?P<description>.*)"\. '
        r'The summary of the review text is "(?P<summary>.*?)"\.',
        re.DOTALL,
    )

    def item(self, behavior: Behavior, content: str) -> str:
        """Rating and description, then the summary and the review."""
        asked = self.request_form.fullmatch(behavior.response or "")
        if asked is None:
            raise ValueError(f"not the request of a review: {behavior.response!r}")
        return (
            f'"{asked["overall"]}" is a rating for the product with description '
            f'"{asked["description"]}". "{asked["summary"]}" is summary for "{content}"'
        )


class LongLaMPTopic(LongLaMPTask):
    """Personalized Reddit posts, from a summary."""

    name = "LongLaMP-topic"
    folder = "topic_writing"
    owner_field = "author"
    item_fields = ("summary", "content")
    text_field = "content"
    lead = "Generate the content for a reddit post"
    instruction = lead
    corpus_template = "{summary} {content}"
    request_template = "{summary}"
    item_template = '"{response}" is a summary for "{content}"'

    def query(self, input: str) -> str:
        """The summary."""
        return super().query(input)[len(self.lead) :].strip()


ALL: tuple[type[LongLaMPTask], ...] = (LongLaMPAbstract, LongLaMPReview, LongLaMPTopic)
