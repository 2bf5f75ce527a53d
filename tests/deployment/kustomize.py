"""As much of Kustomize as our overlays use; whatever else a kustomization says is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Manifest = dict[str, Any]

CLUSTER_WIDE = frozenset({"Namespace"})
WORKLOADS = frozenset({"Deployment", "StatefulSet"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Map(_Strict):
    name: str
    envs: list[str] = []
    literals: list[str] = []
    behavior: Literal["create", "merge"] = "create"


class _Image(_Strict):
    name: str
    new_name: Annotated[str | None, Field(alias="newName")] = None
    new_tag: Annotated[str | None, Field(alias="newTag")] = None
    digest: str | None = None


class _Target(_Strict):
    kind: str
    name: str


class _Patch(_Strict):
    target: _Target
    patch: str


class _Change(_Strict):
    op: Literal["add", "replace", "remove"]
    path: str
    value: Any = None


class Kustomization(_Strict):
    """The file `kustomization.yaml`."""

    api: Annotated[Literal["kustomize.config.k8s.io/v1beta1"], Field(alias="apiVersion")]
    kind: Literal["Kustomization"]
    namespace: str | None = None
    resources: list[str]
    maps: Annotated[list[_Map], Field(alias="configMapGenerator")] = []
    images: list[_Image] = []
    patches: list[_Patch] = []


def render(folder: Path) -> list[Manifest]:
    """The objects of an overlay; a generated ConfigMap keeps its plain name."""
    overlay = Kustomization.model_validate(yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8")))
    objects: list[Manifest] = []
    for name in overlay.resources:
        path = folder / name
        objects += render(path) if path.is_dir() else read(path)
    for given in overlay.maps:
        _generate(objects, given, folder)
    for patch in overlay.patches:
        changed = [each for each in objects if _is(each, patch.target.kind, patch.target.name)]
        assert changed, f"{folder.name}: no object is {patch.target}"
        for each in changed:
            for change in yaml.safe_load(patch.patch):
                _apply(each, _Change.model_validate(change))
    for each in objects:
        for container in containers(each):
            for image in overlay.images:
                _name(container, image)
        if overlay.namespace and each["kind"] not in CLUSTER_WIDE:
            each["metadata"]["namespace"] = overlay.namespace
    return objects


def read(path: Path) -> list[Manifest]:
    """The objects of one file."""
    return [copy.deepcopy(each) for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def containers(manifest: Manifest) -> list[Manifest]:
    """The containers of a workload; of anything else none."""
    if manifest["kind"] not in WORKLOADS:
        return []
    spec = manifest["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def _is(manifest: Manifest, kind: str, name: str) -> bool:
    return bool(manifest["kind"] == kind and manifest["metadata"]["name"] == name)


def _generate(objects: list[Manifest], given: _Map, folder: Path) -> None:
    lines = [line for name in given.envs for line in (folder / name).read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in [*lines, *given.literals] if line.strip() and not line.startswith("#")]
    data = {name: value for name, _, value in pairs}
    existing = [each for each in objects if _is(each, "ConfigMap", given.name)]
    assert bool(existing) == (given.behavior == "merge"), f"{given.name}: behavior is {given.behavior}"
    if existing:
        existing[0]["data"] |= data
    else:
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": given.name}, "data": data})


def _apply(manifest: Manifest, change: _Change) -> None:
    """One operation of a JSON patch (RFC 6902) on members of objects."""
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in change.path.split("/")[1:]]
    place: Any = manifest
    for part in parents:
        place = place[part]
    assert change.op == "add" or last in place, f"{change.path} is not there"
    if change.op == "remove":
        del place[last]
    else:
        place[last] = change.value


def _name(container: Manifest, image: _Image) -> None:
    if container["image"] == image.name:
        tag = f"@{image.digest}" if image.digest else f":{image.new_tag}" if image.new_tag else ""
        container["image"] = f"{image.new_name or image.name}{tag}"
