"""python -m mmtokedu.course build MASTERS | grade FOLDER | quiz --seed TEXT"""

import argparse
import sys
from pathlib import Path


def parser():
    top = argparse.ArgumentParser(prog="python -m mmtokedu.course", description="Make assignments, and grade them.")
    commands = top.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="masters to student, solution and autograder versions")
    build.add_argument("masters", type=Path, help="a master notebook, or a folder of them (and of seed.txt)")
    build.add_argument("--out", type=Path, default=Path("build/course"))
    build.add_argument("--seed", default="", help="a text that only you know; it draws the rules and the hidden cases")
    commands.add_parser("quiz", help="exam sheets and keys from the chapters' questions: quiz --help", add_help=False)
    grade = commands.add_parser("grade", help="a folder of submissions to marks and feedback")
    grade.add_argument("folder", type=Path, help="submissions: notebooks, or folders with one in each")
    grade.add_argument("--key", type=Path, required=True, help="NAME/autograder/key.json, which build made")
    grade.add_argument("--out", type=Path, help="default: FOLDER-graded")
    grade.add_argument("--jobs", type=int, help="submissions at a time; default: half of the processors")
    grade.add_argument("--call", type=float, default=10, metavar="SECONDS", help="for one call of a function")
    grade.add_argument(
        "--cells", type=float, default=60, metavar="SECONDS", help="for all cells; a third of it for one"
    )
    grade.add_argument("--whole", type=float, default=180, metavar="SECONDS", help="for all calls of a submission")
    grade.add_argument("--memory", type=int, default=2048, metavar="MB", help="for each process of a submission")
    grade.add_argument("--again", action="store_true", help="grade again what was graded before and has not changed")
    grade.add_argument("--gpu", action="store_true", help="grade GPU questions too, on this machine's CUDA card")
    grade.add_argument("--gradebook", type=Path, help="a Canvas gradebook (CSV); a copy of it is filled")
    grade.add_argument("--column", default="", help="its column; default: the assignment's title")
    grade.add_argument("--book", default="", metavar="URL", help="where the built book is, for links in the feedback")
    return top


def main(arguments=None):
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["quiz"]:
        from mmtokedu.course import quiz

        return quiz.main(words[1:])
    given = parser().parse_args(words)
    for stream in (sys.stdout, sys.stderr):  # a name that this terminal cannot show stops nothing
        stream.reconfigure(errors="backslashreplace")
    try:
        if given.command == "build":
            from mmtokedu.course._build import build

            build(given.masters, given.out, given.seed)
        else:
            grade(given)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{error}")


def grade(given):
    if sys.platform == "win32":
        sys.exit("grading needs Linux or macOS; on Windows use WSL")
    from mmtokedu.course import _grade
    from mmtokedu.course._gradebook import Gradebook
    from mmtokedu.course._report import write_all

    folder = given.folder.resolve()
    out = given.out or folder.with_name(folder.name + "-graded")
    limits = _grade.Limits(given.call, given.cells, given.whole, given.memory << 20, given.gpu)
    # A gradebook that cannot be filled is told before a class is graded.
    gradebook = given.gradebook and Gradebook(given.gradebook, _grade.read_key(given.key), given.column)
    beside = (given.gradebook,)
    key, _, results = _grade.grade(folder, given.key, out, limits, given.jobs, again=given.again, beside=beside)
    print("".join(f"{line}\n" for line in write_all(key, results, out, given.book)), end="")
    if gradebook:
        text, said = gradebook.filled(results)
        names = "gradebook.csv", "gradebook-automatic-part.csv"  # so that nobody takes a part for the whole
        name = names[any(result["by_hand"] for result in results)]
        for other in names:
            (out / other).unlink(missing_ok=True)
        (out / name).write_text(text, encoding="utf-8", newline="")
        print("\n".join(f"gradebook: {line}" for line in said))
    for result in results:
        for note in result["notes"]:
            if result["state"] in _grade.NOT_MARKED or not note.startswith(("cell ", "before the first cell")):
                print(f"look at {result['student']}: {note}")
    print(f"{len(results)} submissions; marks in {out / 'grades.csv'}, pages for students in {out / 'feedback'}")


if __name__ == "__main__":
    main()
