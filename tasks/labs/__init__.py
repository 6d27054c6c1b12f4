"""What makes the tasks of `tasks/week*` work: checking, hints, progress, release and grading."""
