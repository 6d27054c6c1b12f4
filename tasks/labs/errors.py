"""What a stub raises, and what a check raises."""


class NotDone(NotImplementedError):
    """This part of a task has not been written yet; the message says what it should give."""


class CheckFailed(AssertionError):
    """A result is wrong.

    Args:
        concept: the idea that the result contradicts, as a short tag such as `bias-correction`.
        why: the sentence that would have prevented the bug.
        expected, got: both as text, cut to a readable length.
        where: the first place that differs, or an empty text.
    """

    def __init__(
        self, *, concept: str, why: str, expected: str = "", got: str = "", where: str = ""
    ) -> None:
        super().__init__(concept, why, expected, got, where)
        self.concept, self.why = concept, why
        self.expected, self.got, self.where = expected, got, where

    def __str__(self) -> str:
        lines = [f"[{self.concept}]"]
        if self.expected or self.got:
            place = f"   ({self.where})" if self.where else ""
            lines += [f"  expected  {self.expected}", f"  got       {self.got}{place}"]
        return "\n".join([*lines, f"  {self.why}"])
