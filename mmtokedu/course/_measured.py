"""A measured question: a prediction first, then one arm of an experiment changed over three seeds, then words.

The seeds' numbers are drawn from the prediction's own words, so values that were drawn before it was changed do not fit it
any more. That is all a file can show: whoever writes another prediction and measures again has values that fit again.
The receipt, twelve letters and digits of the prediction, can be collected before; then no later one fits it.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha256

SEEDS = 1, 2, 3
RECORD = 1, "the result: a prediction, the arm, three seeds"
AGAIN = 2, "one of your three seeds, run again with your function, gives your values"
PROBE = 1, "at a number that you do not see, the experiment gives what it should"
PARTS = RECORD, AGAIN, PROBE
WORDS = "the words"
PRINTED = "result.json "  # how the line of a notebook begins that holds the result
LARGEST = 1 << 16  # bytes of a result
LONGEST = 2000  # characters of a prediction
SPREAD = 12  # numbers at which the answer sheet measures


@dataclass(frozen=True)
class Measured:
    """A question whose answer is measured: `arms` are its variants, text -> (arguments before, arguments after).

    The function of the notebook that is asked takes a whole number, from which it draws its data, then the arguments of
    an arm (numbers or text), and returns one number, `value`. `rubric` is what a person marks the words by: (criterion, (what earns 0
    points, what earns 1, ...)). `prediction` and `words` are those of the answer sheet; `{before}` and `{after}` in them
    stand for what it measured.
    """

    name: str
    value: str
    predict: str
    arms: dict
    rubric: tuple
    prediction: str
    words: str
    section: str = ""
    link: str = ""
    difficulty: str = "hard"
    minutes: int = 30
    tolerance: float = 1e-9
    needs: str = ""

    @property
    def rules(self):
        """The arms as the builder takes rules: text -> the values it fixes."""
        return {text: {"before": before, "after": after} for text, (before, after) in self.arms.items()}

    @property
    def by_hand(self):
        """The points that a person gives."""
        return sum(len(levels) - 1 for _, levels in self.rubric)

    @property
    def points(self):
        return sum(points for points, _ in PARTS) + self.by_hand

    def lines(self):
        """The rubric as (name, points) of each line."""
        return [(name, points) for points, name in PARTS] + [(f"{WORDS}, marked by a person", self.by_hand)]

    def recorded(self, arm, function, number, secret):
        """What grading needs, as data. `number` is the one that students do not see, `secret` chooses the seed to run again."""
        before, after = self.arms[arm]
        return {
            "title": self.name,
            "value": self.value,
            "rule": arm,
            "before": list(before),
            "after": list(after),
            "tolerance": self.tolerance,
            "section": self.section,
            "link": self.link,
            "rubric": [[criterion, list(levels)] for criterion, levels in self.rubric],
            "probe": [number, float(function(number, *before)), float(function(number, *after))],
            "secret": secret,
        }


def asked(question, kit):
    """What of a record a student's notebook holds: how to measure, and nothing of what comes out."""
    return {name: question[name] for name in ("rule", "before", "after", "value")} | {"kit": kit}


def receipt(kit, name, prediction):
    """Twelve letters and digits that stand for a prediction in this kit; another wording has others."""
    words = "\0".join([kit, name, prediction]).encode("utf-16-le", "surrogatepass")  # two halves are one character
    return sha256(words).hexdigest()[:12]


def number(receipt, seed):
    """The number a seed stands for under a prediction: the experiment draws its data from it."""
    return int.from_bytes(sha256(f"{receipt}\0{seed}".encode()).digest()[:4], "big") >> 1


def measured(name, question, prediction, function):
    """The result of a prediction: both arms at each of the three seeds. `function(number, *arguments)` gives a number."""
    mark = receipt(question["kit"], name, prediction)
    rows = []
    for seed in SEEDS:
        at = number(mark, seed)
        both = (float(function(at, *question[arm])) for arm in ("before", "after"))
        rows.append({"seed": seed} | dict(zip(("unchanged", "value"), both)))
    about = {"question": name, "kit": question["kit"], "arm": question["rule"]}
    return about | {"prediction": prediction, "receipt": mark, "seeds": rows}


def told(result, question):
    """A result as the lines that a notebook prints; the last holds all of it, and is what is graded."""
    rows = [
        f"{question['value']}; the arm: {result['arm']}",
        f"{'seed':>4} {'number':>11} {'unchanged':>10} {'changed':>10}",
    ]
    for row in result["seeds"]:
        at = number(result["receipt"], row["seed"])
        rows.append(f"{row['seed']:4} {at:11} {row['unchanged']:10.4g} {row['value']:10.4g}")
    return "\n".join([*rows, "", PRINTED + json.dumps(result)])


def spread(values):
    """Values in words: mean, lowest and highest."""
    mean = sum(values) / len(values)
    return f"{mean:.3g} on average ({min(values):.3g} to {max(values):.3g} over {len(values)} numbers)"


# ---------------------------------------------------------------- what was handed in, from strangers


def printed(text):
    """The results in what a cell printed, each as text."""
    return re.findall(rf"^{re.escape(PRINTED)}(\{{.{{,{LARGEST}}}\}})$", text, re.M) if PRINTED in text else []


def read(data, name, question, kit):
    """(the result, "") of a text or the bytes of a file, or (None, what is wrong with it). Raises nothing for what is in it."""
    if len(data) > LARGEST:
        return None, f"the result has {len(data) >> 10} kB; {LARGEST >> 10} kB is the most"
    try:
        found = json.loads(data)  # finds out which Unicode it is
    except (ValueError, RecursionError):
        return None, "the result is no JSON that can be read; run the cell that measures again"
    if not isinstance(found, dict):
        return (
            None,
            f"the result is a JSON {type(found).__name__}, not an object with question, arm, prediction and seeds",
        )
    problem = _problem(found, name, question, kit)
    if problem:
        return None, problem
    rows = {row["seed"]: [float(row["unchanged"]), float(row["value"])] for row in found["seeds"]}
    return {"prediction": found["prediction"], "receipt": found["receipt"], "seeds": [[s, *rows[s]] for s in SEEDS]}, ""


def _problem(found, name, question, kit):
    """What is wrong with a result, or "": the first of what can be."""
    for key, wanted in (("question", name), ("kit", kit), ("arm", question["rule"])):
        if found.get(key) != wanted:
            return f"the result's {key} is {_brief(found.get(key))}; asked is {_brief(wanted)}"
    prediction = found.get("prediction")
    if not isinstance(prediction, str) or not prediction.strip():
        return "the result has no prediction"
    if len(prediction) > LONGEST:
        return f"the prediction has {len(prediction)} characters; {LONGEST} are the most"
    mark = receipt(kit, name, prediction)
    if found.get("receipt") != mark:
        return (
            f"the prediction was changed after the values were drawn: its words have the receipt {mark}, the result says "
            f"{_brief(found.get('receipt'))}. Run the cells of the prediction and of the measurement again, in this order"
        )
    return _rows_problem(found.get("seeds"))


def _rows_problem(rows):
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return "the result has no list of seeds"
    seeds = [row.get("seed") for row in rows]
    if any(type(seed) is not int for seed in seeds) or sorted(seeds) != list(SEEDS):
        given = ", ".join(map(_brief, seeds[:6])) or "none"
        return f"the seeds are {given}; asked are {', '.join(map(str, SEEDS))}, each once"
    for row in rows:
        for arm in ("unchanged", "value"):
            if not _is_number(row.get(arm)):
                return f"at seed {row['seed']} `{arm}` is {_brief(row.get(arm))}, not a finite number"
    return ""


def _is_number(value):
    return type(value) in (int, float) and -1e15 <= value <= 1e15


def _brief(value):
    """A value in few words, for a sentence."""
    if isinstance(value, str):
        return f"“{value[:60]}”" + " ..." * (len(value) > 60)
    if value is None:
        return "missing"
    if isinstance(value, (list, dict)):
        return f"a {type(value).__name__}"
    if type(value) is int and abs(value) > 10**15:
        return "a number of more than 15 digits"
    return json.dumps(value)


def handed(name, question, kit, printed, files):
    """(the result, what is wrong, where it was found, what there is to say) of what a student handed in for a question.

    `printed` are the results that the notebook's cells printed, the last one counts; `files` are (name, bytes or None,
    problem) of files called result.json, which count where the notebook holds no result.
    """
    sources = [("the notebook", text, "") for text in reversed(printed)] + list(files)
    found = [(where, *(read(data, name, question, kit) if data is not None else (None, problem)))
             for where, data, problem in sources]  # fmt: skip
    if not found:
        return (
            None,
            "no result was handed in: the notebook has printed none, and there is no result.json beside it",
            "",
            [],
        )
    in_notebook = [f for f in found if f[0] == "the notebook"]
    others = [f for f in found if f[0] != "the notebook"]
    where, result, problem = (in_notebook or others)[0]
    notes = []
    if in_notebook and any(other[1] != result for other in others):
        notes.append(f"{others[0][0]} is not what the notebook printed for {name}; the notebook's counts")
    return result, problem, where, notes
