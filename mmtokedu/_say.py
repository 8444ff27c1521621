"""A result that nobody takes says itself: in a script as in the last line of a cell, and never twice."""

import dis
import sys


def said(result):
    """`result`, printed where the call of our caller is a statement of its own, as `doctor()` alone on a line is.

    Where the value is used (`print(doctor())`, `report = doctor()`), or is shown already (the last line of a notebook's
    cell, a line at Python's prompt), nothing is printed.
    """
    frame = sys._getframe(2)
    after = [i.opname for i in dis.get_instructions(frame.f_code) if i.offset > frame.f_lasti]
    if after[:1] == ["POP_TOP"]:  # the next thing that the calling line does is to throw the value away
        coding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(str(result).encode(coding, "replace").decode(coding))  # a console that has no ✓ shows a ?
    return result
