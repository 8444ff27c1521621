"""Who adds a modality embedding: what the catalog says of each model, held to the model's installed source.

The source is parsed, not run: a model that puts features in the place of their placeholders calls `masked_scatter` or
`index_put` on the table's vectors, with features alone; one that adds them has the vectors in that argument again.
"""

import ast
import functools
import importlib.util
from pathlib import Path

import pytest
from peers import load, needs

from mmtokedu.catalog import styles

PLACES = "masked_scatter", "index_put"
TYPE = "type", "modality", "segment"  # what a table of kinds would be called


@functools.cache
def source(path):
    needs(load, "transformers")
    folder = Path(importlib.util.find_spec("transformers").origin).parent
    return ast.parse((folder / path).read_text(encoding="utf-8"))


def told(name):
    """(path, [(class, function)]) that a row of the census names."""
    place, *functions = styles.row(name).modality.source.split(", ")
    return place.split()[-1], [function.split(".") for function in functions]


def function(tree, owner, name):
    (found,) = (
        part
        for one in tree.body
        if isinstance(one, ast.ClassDef) and one.name == owner
        for part in one.body
        if isinstance(part, ast.FunctionDef) and part.name == name
    )
    return found


def placements(body):
    """[(what is written into, what is put there)] of a function, as source."""
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [
        (
            ast.unparse(call.func.value),
            ast.unparse(call.args[-1] if call.args else call.keywords[1].value),
            ast.unparse(call),
        )
        for call in calls
        if call.func.attr in PLACES
    ]


def additions(body):
    """Sums and `+=` of a function in which the vectors that enter the model are a term."""
    sums = [node for node in ast.walk(body) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)]
    sums += [node for node in ast.walk(body) if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)]
    terms = lambda node: (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    vectors = lambda term: isinstance(term, (ast.Name, ast.Subscript)) and ast.unparse(term).startswith("inputs_embeds")
    return [ast.unparse(node) for node in sums if any(map(vectors, terms(node)))]


@pytest.mark.parametrize("name", styles.rows())
def test_features_take_the_place_of_what_the_table_says_or_are_added(name):
    path, functions = told(name)
    for owner, called in functions:
        body = function(source(path), owner, called)
        found = placements(body)
        assert found and all(into == "inputs_embeds" for into, _, _ in found)
        adds = [call for _, what, call in found if "inputs_embeds" in what.replace("inputs_embeds.d", "")]
        assert bool(adds) == (styles.row(name).modality.adds == "yes"), found
        assert bool(additions(body)) == (styles.row(name).modality.adds == "yes")


@pytest.mark.parametrize("name", styles.rows())
def test_no_table_of_kinds(name):
    """No learned table or vector of the model's own file is called after types, kinds or segments."""
    path, _ = told(name)
    learned = [
        node.targets[0].attr
        for node in ast.walk(source(path))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute)
        and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in ("nn.Embedding", "nn.Parameter")
    ]  # fmt: skip
    assert not [found for found in learned if any(word in found for word in TYPE)], learned


def test_the_check_sees_an_embedding_where_there_is_one():
    """BERT adds one; and a table that a model adds to its vectors would be found."""
    embeddings = source("models/bert/modeling_bert.py")
    assert "token_type_embeddings" in ast.unparse(function(embeddings, "BertEmbeddings", "__init__"))
    forged = ast.parse("def forward(self, inputs_embeds, ids):\n    inputs_embeds = inputs_embeds + self.kind(ids)")
    assert additions(forged.body[0]) == ["inputs_embeds + self.kind(ids)"]
