"""What the checks share: the report, files, images."""
import re
import subprocess

import yaml


class Report:
    """Collects problems; every check says what it looked at."""

    def __init__(self, root):
        self.root = root
        self.problems = []
        self.before = 0

    def problem(self, place, text):
        self.problems.append(f"{place}: {text}")

    def require(self, condition, place, text):
        if not condition:
            self.problem(place, text)
        return bool(condition)

    def done(self, what):
        """Ends a check: says whether it found something."""
        found = len(self.problems) - self.before
        self.before = len(self.problems)
        print(f"  {'ok  ' if found == 0 else f'{found:<4}'} {what}")

    def finish(self):
        for problem in self.problems:
            print(f"problem: {problem}")
        print("no problem" if not self.problems else f"{len(self.problems)} problems")
        return 1 if self.problems else 0

    def text(self, path):
        file = self.root / path
        if not self.require(file.is_file(), path, "is missing"):
            return ""
        return file.read_text(encoding="utf-8")

    def documents(self, path):
        """All documents of a YAML file, nulls left out."""
        try:
            return [document for document in yaml.load_all(self.text(path), Loader=StrictLoader) if document is not None]
        except yaml.YAMLError as error:
            self.problem(path, " ".join(str(error).split()))
            return []

    def document(self, path):
        """The first document, empty where there is none."""
        return (self.documents(path) or [{}])[0]


class StrictLoader(yaml.SafeLoader):
    """YAML in which a key given twice is a mistake."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def image_is_pinned(image):
    """name:tag with a version of at least two numbers, or a digest."""
    if "@sha256:" in image:
        return True
    _, colon, tag = image.rpartition(":")
    return bool(colon) and "/" not in tag and re.search(r"\d+[.-]?\d+(\.\d+)*", tag) is not None and tag != "latest"


def run(command, **options):
    """The exit code and all output of a command."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    return done.returncode, (done.stdout + done.stderr).strip()
