"""Binds caio's functions over the old modules as a script imports them.

Nothing of the old code is imported here. A module that is there already is bound at once; any other
when its own import has run. What else has taken a function's name by then is found and given ours.
"""

from __future__ import annotations

import atexit
import functools
import importlib.abc
import importlib.machinery
import inspect
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from .._errors import InvalidInput
from ._bindings import AFTER_ERROR, Binding, Call, NotComparable, all_bindings
from ._record import Recorder, digest

DEFAULT_REPORT = "caio-shadow.jsonl"

_lock = threading.RLock()
_installed: _Installed | None = None


class Installed:
    """What ``install`` did: ``mode``, ``report`` (a path or None), ``bound`` names so far."""

    mode: str
    report: str | None
    bound: list[str]


class _Installed(Installed):
    def __init__(self, mode: str, bindings: Sequence[Binding], recorder: Recorder | None) -> None:
        self.mode = mode
        self.report = recorder.path if recorder else None
        self.bound = []
        self._recorder = recorder
        self._by_module: dict[str, list[Binding]] = {}
        for binding in bindings:
            self._by_module.setdefault(binding.module, []).append(binding)
        self._undo: list[tuple[Any, str, Any, Any]] = []
        self.finder = _Finder(self)

    def wants(self, module: str) -> bool:
        return module in self._by_module

    def bind(self, module: ModuleType) -> None:
        for binding in self._by_module.get(module.__name__, ()):
            self._bind_one(module, binding)

    def bind_loaded(self) -> None:
        for name in self._by_module:
            module = sys.modules.get(name)
            if module is not None:
                self.bind(module)

    def _bind_one(self, module: ModuleType, binding: Binding) -> None:
        owner: Any = module
        *path, name = binding.target.split(".")
        for part in path:
            owner = getattr(owner, part, None)
        original = vars(owner).get(name) if owner is not None else None
        if not callable(original) or hasattr(original, "__caio_original__"):
            # Another version of the old module: there is nothing to stand in for.
            return
        bound = self._wrap(module, binding, original)
        setattr(owner, name, bound)
        self._undo.append((owner, name, original, bound))
        if not path:
            _rebind(original, bound)
        if binding.name not in self.bound:
            self.bound.append(binding.name)

    def _wrap(self, module: ModuleType, binding: Binding, original: Callable[..., Any]) -> Any:
        if self._recorder is not None:
            wrapper = _shadow(module, binding, original, self._recorder)
        else:
            wrapper = _replace(module, binding, original)
        functools.update_wrapper(wrapper, original)
        wrapper.__caio_original__ = original  # type: ignore[attr-defined]
        return wrapper

    def undo(self) -> None:
        for owner, name, original, bound in reversed(self._undo):
            if vars(owner).get(name) is bound:
                setattr(owner, name, original)
            if isinstance(owner, ModuleType):
                _rebind(bound, original)
        self._undo.clear()
        if self._recorder is not None:
            self._recorder.flush()

    def flush(self) -> None:
        if self._recorder is not None:
            self._recorder.flush()


def _rebind(old: Any, new: Any) -> None:
    """Modules that said ``from … import`` hold the function under a name of their own."""
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType):
            continue
        for name, value in list(vars(module).items()):
            if value is old and name != "__caio_original__":
                setattr(module, name, new)


def _arguments(original: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]:
    signature = inspect.signature(original)
    names = list(signature.parameters)
    defaults = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }

    def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        given = {**defaults, **dict(zip(names, args)), **kwargs}
        if len(args) > len(names) or given.keys() != signature.parameters.keys():
            signature.bind(*args, **kwargs)  # raises what the call itself would raise
        return given

    return read


def _shadow(
    module: ModuleType, binding: Binding, original: Callable[..., Any], recorder: Recorder
) -> Callable[..., Any]:
    """The old function, with ours beside it. Whatever happens to ours, the script sees the old one."""
    read = _arguments(original)
    clock = time.perf_counter_ns

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        problem: Exception | None = None
        call = inputs = None
        begin = clock()
        try:
            # Before the old function changes what it is given.
            call = Call(module, read(args, kwargs))
            inputs = binding.inputs(call)
        except Exception as error:
            problem = error
        early_ns = clock() - begin
        raised: BaseException | None = None
        result = None
        begin = clock()
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            raised = error
        old_ns = clock() - begin
        if raised is None or isinstance(raised, Exception):
            try:
                _compare(binding, recorder, call, inputs, problem, result, raised, old_ns, early_ns)
            except Exception as error:
                _note(recorder, binding, error)
        if raised is not None:
            raise raised
        return result

    return wrapper


def _compare(
    binding: Binding,
    recorder: Recorder,
    call: Call | None,
    inputs: Any,
    problem: Exception | None,
    result: Any,
    raised: BaseException | None,
    old_ns: int,
    early_ns: int,
) -> None:
    if problem is not None or call is None:
        _note(recorder, binding, problem or NotComparable("no call"))
        return
    old = {"raises": type(raised).__name__} if raised is not None else binding.old(call, result)
    begin = time.perf_counter_ns()
    try:
        ours = binding.ours(inputs)
    except Exception as error:
        ours = {"raises": _class_name(error)}
    ours_ns = early_ns if binding.early else time.perf_counter_ns() - begin
    if _same(old, ours):
        recorder.count(binding.name, old_ns, ours_ns)
        return
    recorder.difference(
        {
            "function": binding.name,
            "input": digest(inputs),
            "old": old,
            "ours": ours,
            "old_ns": old_ns,
            "ours_ns": ours_ns,
            "defect": binding.explain(inputs, old, ours),
        }
    )


def _class_name(error: Exception) -> str:
    # `BatchInvalid` is the old `ValueError`, with the check's name.
    return "ValueError" if type(error).__name__ == "BatchInvalid" else type(error).__name__


def _same(old: Any, ours: Any) -> bool:
    return type(old) is type(ours) and bool(old == ours) or (
        isinstance(old, (list, tuple)) and isinstance(ours, (list, tuple)) and list(old) == list(ours)
    )


def _note(recorder: Recorder, binding: Binding, error: Exception) -> None:
    """A failure of ours: recorded if that is possible, and never raised."""
    try:
        kind = "not_compared" if isinstance(error, NotComparable) else "failure"
        recorder.difference({"function": binding.name, kind: f"{type(error).__name__}: {error}"})
    except Exception:
        pass


def _replace(module: ModuleType, binding: Binding, original: Callable[..., Any]) -> Callable[..., Any]:
    ours, inputs, adopt = binding.ours, binding.inputs, binding.adopt
    if binding.direct:
        # A function of its own, since its attributes are set; ours are shared.
        def direct(*args: Any, **kwargs: Any) -> Any:
            return ours(*args, **kwargs)

        return direct
    read = _arguments(original)
    after_error = AFTER_ERROR.get(binding.name)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = Call(module, read(args, kwargs))
        try:
            answer = ours(inputs(call))
        except Exception as error:
            if after_error is not None:
                after_error(call, error)
            raise
        return adopt(call, answer)

    return wrapper


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the other finders find a module, and has it bound once it has been executed."""

    def __init__(self, installed: _Installed) -> None:
        self._installed = installed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not self._installed.wants(fullname):
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._installed)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any, installed: _Installed) -> None:
        self._loader = loader
        self._installed = installed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module looks as if nobody had been there.
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._installed.bind(module)


def _chosen(only: Iterable[str] | None, mode: str) -> list[Binding]:
    bindings = [binding for binding in all_bindings() if binding.shadow or mode == "replace"]
    if only is None:
        return bindings
    if isinstance(only, str):
        only = [only]
    chosen: list[Binding] = []
    for wanted in only:
        fits = [it for it in bindings if it.name == wanted or it.name.startswith(f"{wanted}.")]
        if not fits:
            known = ", ".join(binding.name for binding in bindings)
            raise InvalidInput(f"there is no {wanted!r} to {mode}; known: {known}", "install.unknown")
        chosen.extend(binding for binding in fits if binding not in chosen)
    return chosen


def install(
    mode: str = "shadow",
    only: Iterable[str] | None = None,
    report: str | os.PathLike[str] | None = None,
) -> Installed:
    global _installed
    if mode not in ("shadow", "replace"):
        raise InvalidInput(f"mode is 'shadow' or 'replace', not {mode!r}", "install.mode")
    bindings = _chosen(only, mode)
    recorder = None
    if mode == "shadow":
        recorder = Recorder(report or os.environ.get("CAIO_SHADOW_REPORT") or DEFAULT_REPORT)
    with _lock:
        uninstall()
        installed = _Installed(mode, bindings, recorder)
        sys.meta_path.insert(0, installed.finder)
        _installed = installed
        installed.bind_loaded()
        return installed


def uninstall() -> None:
    global _installed
    with _lock:
        installed, _installed = _installed, None
        if installed is not None:
            if installed.finder in sys.meta_path:
                sys.meta_path.remove(installed.finder)
            installed.undo()


@atexit.register
def _flush() -> None:
    if _installed is not None:
        _installed.flush()
