"""Questions as outputs: the custom element of `mmtokedu/explore/ask.js`, and between its tags the question as plain text.

The text is what viewers without scripts show, with the answer folded, and what is printed; the book puts a printed page's
answers at its end (`book/_ext/mmpage.py`).
"""

import hashlib
import html
import json

from mmtokedu.explore._front import front
from mmtokedu.show.markup import Html

LETTERS = "ABCDEFGH"


def output(asked):
    """An output with all of these questions, of one page and place: a Predict, or the numbered questions of a quiz."""
    kind = asked[0].at
    labels = ["Predict" if kind == "predict" else "Question"]
    if len(asked) > 1:
        labels = [f"{labels[0]} {number} of {len(asked)}" for number in range(1, len(asked) + 1)]
    elements = [
        f'<mm-explore-ask question="{html.escape(json.dumps(data(question, label), ensure_ascii=False))}">'
        f"{still(question, label)}</mm-explore-ask>\n"
        for question, label in zip(asked, labels, strict=True)
    ]
    body = "".join(elements) + "<script>(globalThis.mmData ??= {}).ask ??= {};</script>\n"
    words = " ".join(question.text for question in asked)
    return Html(kind, body + front("ask"), words, hashlib.sha256(body.encode()).hexdigest()[:12])


def data(asked, label):
    """What the element needs to ask, mark and explain a question, as data that JSON holds."""
    fields = ["kind", "text", "hint", "answer", "said"]
    fields += ["options"] if asked.kind == "choice" else ["unit", "tolerance", "why", "wrong"]
    return {"name": f"{asked.stem}/{asked.id}", "label": label} | {field: getattr(asked, field) for field in fields}


def still(asked, label):
    """The question as plain text: its hint and its answer folded, what is known of wrong answers with it."""
    if asked.kind == "choice":
        says = [f"{letter}. {text}" for letter, (text, _) in zip(LETTERS, asked.options)]
        answer, others = says[asked.answer], list(zip(says, (why for _, why in asked.options)))
        why = others.pop(asked.answer)[1]
        place = "".join(f"<p>{escaped(text)}</p>" for text in says)
    else:
        answer, why = f"{asked.said}.", asked.why
        others = [(f"{asked.write(number)}:", cause) for number, cause in asked.wrong]
        place = f"<p>________ {escaped(asked.unit)}</p>"
    known = "".join(f"<li>{escaped(other)} <i>{escaped(cause)}</i></li>" for other, cause in others)
    return (
        f'<div class="mm-ask"><p class="mm-ask-label"><b>{label}</b></p><p>{escaped(asked.text)}</p>{place}'
        f"<details><summary>Hint</summary><p>{escaped(asked.hint)}</p></details>"
        f'<details class="mm-ask-answer"><summary>Answer</summary><p><b>{escaped(answer)}</b> {escaped(why)}</p>'
        f"<ul>{known}</ul></details></div>"
    )


def escaped(text):
    return html.escape(text, quote=False)
