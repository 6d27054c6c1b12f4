"""Make the file of a reader from a run that learned to read lines or paragraphs.

Run:  python training/export_recognizer.py runs/NAME [FILE]
      python -m lab.recognizer FILE IMAGE...
"""
# from week 3

import sys
from pathlib import Path

from lab.run.export import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent / "experiments"))
