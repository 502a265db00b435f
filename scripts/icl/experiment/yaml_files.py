"""The YAML files of a configuration: read strictly, and named in errors.

Snakemake hands over one merged mapping; the files it came from are read once more, to say which of
them holds a fault and to refuse what YAML lets pass (a key given twice, a mapping within itself).
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from icl.experiment.grid import merge
from icl.job import ConfigError

Key = tuple[str | int, ...]
ROOT = Path(__file__).resolve().parents[3]  # of the checkout
COMMAND_LINE = "--config"
CONFIGURATION_OPTIONS = ("--configfile", "--configfiles")
THEORY, CLAIMS, LAPTOP = "config/theory.yaml", "config/claims.yaml", "config/laptop.yaml"
CLAIMS_FILE = "config/[a-z][a-z0-9_]{0,39}[.]yaml"
YAML = (".yaml", ".yml")
DEEPEST = 50  # levels of mappings and lists in a file; ours have ten
MOST_KEYS = 10_000  # of a mapping once its merge keys are written out; ours have fifty
MERGE = "tag:yaml.org,2002:merge"
MOST_VALUES = 1_000_000  # of a file once its aliases are written out; ours have a thousand


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # where libyaml is there: faster


class _StrictLoader(_SafeLoader):
    """Safe YAML that refuses a key given twice, and says where a value is not of its type.

    It also refuses what looks like another number than it is: 010 is 8 to YAML, and 1:30 is 90.
    """

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"a value is not of its type: {error}", node.start_mark
            ) from None

    def flatten_mapping(self, node):
        """Write a mapping's merge keys out, unless they grow without end."""
        if sum(key.tag == MERGE for key, _ in node.value) > 1:
            raise yaml.constructor.ConstructorError(
                None, None, "key '<<' is given twice: give it a list", node.start_mark
            )
        super().flatten_mapping(node)
        if len(node.value) > MOST_KEYS:
            raise yaml.constructor.ConstructorError(
                None, None, f"more than {MOST_KEYS} keys once '<<' is written out", node.start_mark
            )

    def construct_number(self, node):
        """Read a number that is written as people write it."""
        if re.fullmatch(r"[-+]?0[0-7_]+|.*:.*", node.value):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value} is another number to YAML: quote it, or write it plainly",
                node.start_mark,
            )
        read = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        return read(node)

    def construct_truth(self, node):
        """Read a truth value that is written as one: to YAML, yes, no, on and off are ones too."""
        if node.value.lower() in ("yes", "no", "on", "off"):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value} is a truth value to YAML: write true or false, or quote it",
                node.start_mark,
            )
        return self.construct_yaml_bool(node)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is not a string: quote it", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


for _kind in ("int", "float"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _StrictLoader.construct_number)
_StrictLoader.add_constructor("tag:yaml.org,2002:bool", _StrictLoader.construct_truth)


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        ConfigError: naming the file, where it is missing, not YAML, or not a mapping of strings.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        _refuse_the_deep(text)  # before anything goes down it
        data = yaml.load(text, Loader=_StrictLoader)  # a subclass of SafeLoader
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    _refuse_the_endless(data, path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values, not {show(data)}")
    return data


def _refuse_the_deep(text: str) -> None:
    """Raise `yaml.YAMLError` if mappings and lists are nested too deep: libyaml would crash."""
    depth = 0
    for event in yaml.parse(text, Loader=_StrictLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST} levels deep")


def refuse_unreadable(arguments: Iterable[str]) -> None:
    """End with a message if a configuration file of a command cannot be read as one.

    Snakemake reads configuration files before any of our code but the profile, which calls this:
    what it cannot read would end in its traceback.

    Args:
        arguments: of the command line.
    """
    expected = False
    words = []
    for argument in arguments:  # --configfile=FILE is --configfile FILE
        option, _, value = argument.partition("=")
        words += [option, value] if value and option in CONFIGURATION_OPTIONS else [argument]
    for argument in words:
        if argument.startswith("-"):
            expected = argument in CONFIGURATION_OPTIONS
        elif expected and not _is_file(argument):
            text = f"The configuration cannot be run:\n{argument[:200]}: there is no such file"
            if not argument.endswith(YAML):
                text += (
                    "; all that follows --configfile is taken for files: give a target before it, "
                    f"as in snakemake {argument} --configfile config/laptop.yaml"
                )
            sys.exit(text)
        elif argument.endswith(YAML) and _is_file(argument):
            try:
                claims_file(load_yaml(argument))
            except ConfigError as error:
                sys.exit(f"The configuration cannot be run:\n{error}")


def _is_file(name: str) -> bool:
    """Tell whether a word names a file; one that no file can have names none."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def claims_file(config: Mapping[str, Any]) -> str:
    """Name the file of claims and figures that a configuration is judged by.

    Raises:
        ConfigError: where it is none of config/.
    """
    claims = config.get("claims_file", CLAIMS)
    if not isinstance(claims, str) or not re.fullmatch(CLAIMS_FILE, claims):
        raise ConfigError(
            f"claims_file: {show(claims)} is not allowed; allowed: a file in config/, as {CLAIMS}"
        )
    return claims


def _refuse_the_endless(data: Any, path: str | Path) -> None:
    """Refuse what aliases make endless, or so large that going through it would never end."""
    level, count = [data], 0
    for _ in range(DEEPEST):
        level = [
            value
            for part in level
            if isinstance(part, dict | list)
            for value in (part.values() if isinstance(part, dict) else part)
        ]
        count += len(level)
        if count > MOST_VALUES:
            raise ConfigError(
                f"{path}: has more than {MOST_VALUES} values, its aliases written out"
            )
        if not level:
            return
    raise ConfigError(f"{path}: is nested more than {DEEPEST} levels deep, or holds itself")


def show(value: Any) -> str:
    """Write a value as a message should: short, and with a hint where YAML took it for text."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value):
        text += " (text to YAML: write 1.0e-3, not 1e-3)"
    return text if len(text) <= 80 else f"{text[:77]}..."


def plain(name: str) -> str:
    """Write a name on one line: as it is, or quoted where it would not be seen as it is."""
    return name if name.isprintable() and name.strip() == name != "" else repr(name)


def dotted(key: Key) -> str:
    """Write a key's path as experiments.transition.grid[0].n_items."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{plain(part)}"
    return text or "(top level)"


def from_here(path: Path) -> Path:
    """Write an absolute path as seen from the working directory, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


class Sources:
    """The files that a configuration was merged from, later ones winning.

    Attributes:
        beside: where what stands in none of the files comes from.
    """

    def __init__(self, files: Sequence[str | Path], beside: str = COMMAND_LINE):
        self.beside = beside
        self.files = [(str(path), load_yaml(path)) for path in files]

    @classmethod
    def of_size(
        cls,
        given: Sequence[str | Path],
        config: dict[str, Any] | None = None,
        beside: str = COMMAND_LINE,
    ) -> "Sources":
        """Read a size's files in their order: theory, claims, then the preset and its overlays.

        Args:
            given: the preset, which must be the first, and its overlays; none: the laptop size,
                unless `config` has a preset.
            config: what Snakemake merged of them, or was handed, with what the command line adds.

        Raises:
            ConfigError: where a file is none of a configuration, or they are in another order.
        """
        config = config or {}
        given = given or ([] if "preset" in config else [ROOT / LAPTOP])
        own = cls([from_here(Path(path).resolve()) for path in given])
        if "preset" not in merge(own.merged(), config):
            raise ConfigError(
                "none of the files given is a preset (has the key preset); give one first, as in "
                "--configfile config/laptop.yaml my.yaml"
            )
        own.refuse_overlay_before_preset()
        claims = claims_file(merge(own.merged(), config))
        common = [from_here(ROOT / path) for path in (THEORY, claims)]
        whole = cls([path for path in common if path not in own.paths], beside)
        whole.files += own.files
        return whole

    @property
    def paths(self) -> list[Path]:
        """The files, later ones winning."""
        return [Path(path) for path, _ in self.files]

    @property
    def preset_and_overlays(self) -> list[Path]:
        """The files from the preset on: what a command names after --configfile."""
        first = next(i for i, (_, data) in enumerate(self.files) if "preset" in data)
        return self.paths[first:]

    def merged(self) -> dict[str, Any]:
        """Merge the files as Snakemake does."""
        return merge({}, *(data for _, data in self.files))

    def in_order(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Order claims as the files do; those of the command line come last."""
        listed = [*self.merged()["claims"], *claims]
        return {claim: claims[claim] for claim in dict.fromkeys(listed)}

    def locate(self, key: Key, config: dict[str, Any]) -> str:
        """Name the file that sets a key, or its nearest ancestor, in the merged configuration."""
        deepest, owner, found = 0, self.beside, None
        for path, data in reversed(self.files):
            values = list(walk(data, key))
            if len(values) > deepest:
                deepest, owner, found = len(values), path, values[-1]
            if values and not all(isinstance(value, dict) for value in values):
                break  # a list or a value hides what earlier files have in its place
        merged = list(walk(config, key))
        if len(merged) == len(key) and (deepest < len(key) or not _same(found, merged[-1])):
            return self.beside  # it adds to what the files say, or overrides it
        return owner

    def refuse_overlay_before_preset(self) -> None:
        """Refuse an overlay given before its preset, which would win over it.

        Raises:
            ConfigError: naming the overlay.
        """
        if self.files and "preset" not in self.files[0][1]:
            raise ConfigError(
                f"{self.files[0][0]}: stands before the preset, which wins over it; "
                "allowed: the preset first, as in --configfile config/laptop.yaml my.yaml"
            )

    def refuse_two_presets(self) -> None:
        """Refuse two presets at once: Snakemake would merge one into the other.

        Raises:
            ConfigError: naming the files.
        """
        presets = [path for path, data in self.files if "preset" in data]
        if len(presets) > 1:
            raise ConfigError(
                f"{' and '.join(presets)}: each is a preset (it has the key preset), and a preset "
                "replaces another whole: give one, and an overlay without that key for changes"
            )


def _same(a: Any, b: Any) -> bool:
    """Tell whether two values are equal, or neither is a number (NaN)."""
    return a == b or (a != a and b != b)


def walk(data: Any, key: Key) -> Iterator[Any]:
    """Yield the values along a key, as far as the data have it."""
    for part in key:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return
        yield data
