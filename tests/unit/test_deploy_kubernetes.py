"""The overlays of `deploy/kubernetes/`: rendered, and looked at as a cluster would."""

from __future__ import annotations

import copy
import ipaddress
import re
from typing import Any

import pytest
from pydantic import ValidationError

from bot.config import load
from bot.server import application
from tests.deployment import DEPLOY, fields
from tests.deployment.kustomize import Manifest, containers, render
from tests.deployment.metrics import exposed

OVERLAYS = ("production", "small")
KNOWN = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (DEPLOY / "env.example").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[Manifest]:
    """The objects of each overlay."""
    return render(DEPLOY / "kubernetes" / "overlays" / request.param)


def pods(overlay: list[Manifest]) -> dict[str, Manifest]:
    """Workload -> its template's `metadata` and `spec`."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in overlay if containers(each)}


def named(overlay: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Name -> object, of one kind."""
    return {each["metadata"]["name"]: each for each in overlay if each["kind"] == kind}


def fits(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector (we use no expressions) means these labels."""
    assert set(selector) <= {"matchLabels"}
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


@pytest.mark.behaviour("deploy.manifests")
def test_every_field_of_every_object_exists(overlay: list[Manifest]) -> None:
    for manifest in overlay:
        fields.check(manifest)
    names = [(each["kind"], each["metadata"]["name"]) for each in overlay]
    assert len(names) == len(set(names))


@pytest.mark.behaviour("deploy.manifests")
@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("spec", "replica"), 1, "replica"),
        (("spec", "replicas"), "1", "replicas"),
        (("spec", "template", "spec", "containers", 0, "imagePullPolice"), "Always", "imagePullPolice"),
        (("spec", "template", "spec", "containers", 0, "name"), None, "name"),
    ],
)
def test_a_field_that_does_not_exist_is_noticed(place: tuple[Any, ...], value: Any, told: str) -> None:
    workers = copy.deepcopy(named(render(DEPLOY / "kubernetes" / "base"), "Deployment")["frontdesk-workers"])
    *path, last = place
    inside: Any = workers
    for part in path:
        inside = inside[part]
    inside[last] = value
    with pytest.raises(ValidationError, match=rf"\.{told}\n"):
        fields.check(workers)


@pytest.mark.behaviour("deploy.manifests")
def test_what_is_referred_to_is_there(overlay: list[Manifest]) -> None:
    accounts, maps = named(overlay, "ServiceAccount"), named(overlay, "ConfigMap")
    for pod in pods(overlay).values():
        spec = pod["spec"]
        assert spec.get("serviceAccountName", "default") in {*accounts, "default"}
        volumes = {volume["name"] for volume in spec["volumes"]} | {"data"}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            for source in container.get("envFrom", []):
                assert source.get("secretRef", {"name": "frontdesk"})["name"] == "frontdesk"
                assert source.get("configMapRef", {"name": "frontdesk-settings"})["name"] in maps
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            for probe in _probes(container):
                used = next((probe[kind]["port"] for kind in ("httpGet", "tcpSocket") if kind in probe), None)
                assert used is None or used in ports
    for service in named(overlay, "Service").values():
        selected = [
            pod for pod in pods(overlay).values() if service["spec"]["selector"].items() <= _labels(pod).items()
        ]
        assert len(selected) == 1, "a Service leads to one kind of pod"
        open_ports = {port["name"] for port in selected[0]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= open_ports
    for budget in named(overlay, "PodDisruptionBudget").values():
        assert sum(fits(budget["spec"]["selector"], _labels(pod)) for pod in pods(overlay).values()) == 1
    for ingress in named(overlay, "Ingress").values():
        hosts = {rule["host"] for rule in ingress["spec"]["rules"]}
        assert hosts == {host for tls in ingress["spec"]["tls"] for host in tls["hosts"]}
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            service = named(overlay, "Service")[path["backend"]["service"]["name"]]
            assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
        assert {f"https://{host}" for host in hosts} == {maps["frontdesk-settings"]["data"]["PUBLIC_URL"]}
    for scaler in named(overlay, "HorizontalPodAutoscaler").values():
        target = named(overlay, scaler["spec"]["scaleTargetRef"]["kind"])[scaler["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in target["spec"], "the autoscaler counts them, and nobody else"
        for metric in scaler["spec"]["metrics"]:
            assert metric["external"]["metric"]["name"] in exposed()
    for workload in (each for each in overlay if containers(each)):
        assert fits(workload["spec"]["selector"], workload["spec"]["template"]["metadata"]["labels"])


@pytest.mark.behaviour("deploy.manifests")
def test_settings_are_known_and_good(overlay: list[Manifest]) -> None:
    given = named(overlay, "ConfigMap")["frontdesk-settings"]["data"]
    assert set(given) <= KNOWN
    settings = load(given)
    frontdesk = pods(overlay)["frontdesk-workers"]["spec"]["containers"][0]
    assert frontdesk["ports"][0]["containerPort"] == settings.http_port
    assert settings.http_host == "0.0.0.0"


@pytest.mark.behaviour("deploy.health")
def test_the_probes_ask_for_pages_that_there_are(overlay: list[Manifest]) -> None:
    app = application([], probes={}, metrics_token=None, loopback=True)
    pages = {getattr(route, "path", "") for route in app.routes}
    for name in ("frontdesk-platforms", "frontdesk-workers"):
        (container,) = pods(overlay)[name]["spec"]["containers"]
        assert {probe["httpGet"]["path"].partition("?")[0] for probe in _probes(container)} <= pages
        # A platform process has no model; one that has it back is no condition for new workers with a new key.
        query = "?exclude=model" if name == "frontdesk-workers" else ""
        assert container["readinessProbe"]["httpGet"]["path"] == f"/readyz{query}"
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "a store that is away restarts nothing"


@pytest.mark.behaviour("deploy.drain")
def test_a_pod_has_longer_than_its_drain(overlay: list[Manifest]) -> None:
    drain_s = load(named(overlay, "ConfigMap")["frontdesk-settings"]["data"]).drain_s
    for name in ("frontdesk-platforms", "frontdesk-workers"):
        spec = pods(overlay)[name]["spec"]
        before_s = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] >= before_s + drain_s + 10


@pytest.mark.behaviour("deploy.confined")
def test_containers_may_next_to_nothing(overlay: list[Manifest]) -> None:
    for pod in pods(overlay).values():
        spec = pod["spec"]
        own = spec["securityContext"]
        assert own["runAsNonRoot"] is True
        assert own["runAsUser"] > 0
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            first, _, _ = container["image"].partition("/")
            assert not re.search(r"[.:].*/", container["image"]), f"{first}: a registry is the overlay's own affair"
    assert not named(overlay, "Secret"), "secrets are referred to, never written down"


@pytest.mark.behaviour("deploy.network")
def test_pods_reach_what_they_need_and_nothing_else() -> None:
    small = render(DEPLOY / "kubernetes" / "overlays" / "small")
    parts = {name: _labels(pod) for name, pod in pods(small).items()}
    workers, redis, postgres = parts["frontdesk-workers"], parts["redis"], parts["postgres"]
    assert _may_send(small, workers, redis, 6379)
    assert _may_send(small, workers, postgres, 5432)
    assert not _may_send(small, workers, redis, 22)
    assert not _may_send(small, redis, postgres, 5432)
    assert not _may_send(small, postgres, workers, 8080)
    assert not _may_send(small, {"app": "stranger"}, redis, 6379)
    for labels in (redis, postgres):
        assert not _may_leave(small, labels, "93.184.216.34", 443)
    production = render(DEPLOY / "kubernetes" / "overlays" / "production")
    for overlay in (small, production):
        assert _may_leave(overlay, workers, "93.184.216.34", 443)
        assert not _may_leave(overlay, workers, "93.184.216.34", 25)
        for inside in ("10.1.2.3", "169.254.169.254", "172.20.0.1", "192.168.1.1", "fd00::1", "fe80::1"):
            assert not _may_leave(overlay, workers, inside, 443)
    assert _may_leave(production, workers, "10.1.2.3", 6379)


def _policies(overlay: list[Manifest], labels: dict[str, str], direction: str) -> list[Manifest]:
    """The specs that bind pods with these labels in this direction; with none of them everything is allowed."""
    specs = [each["spec"] for each in named(overlay, "NetworkPolicy").values()]
    return [spec for spec in specs if direction in spec["policyTypes"] and fits(spec["podSelector"], labels)]


def _may_send(overlay: list[Manifest], sender: dict[str, str], receiver: dict[str, str], port: int) -> bool:
    """Whether a pod reaches another one in the same namespace."""

    def opens(spec: Manifest, direction: str, side: str, other: dict[str, str]) -> bool:
        return any(
            port in {each["port"] for each in rule["ports"]}
            and any("podSelector" in peer and fits(peer["podSelector"], other) for peer in rule[side])
            for rule in spec.get(direction, [])
        )

    out, into = _policies(overlay, sender, "Egress"), _policies(overlay, receiver, "Ingress")
    return (not out or any(opens(spec, "egress", "to", receiver) for spec in out)) and (
        not into or any(opens(spec, "ingress", "from", sender) for spec in into)
    )


def _may_leave(overlay: list[Manifest], sender: dict[str, str], address: str, port: int) -> bool:
    """Whether a pod reaches an address outside the namespace."""

    def holds(block: Manifest) -> bool:
        ip = ipaddress.ip_address(address)
        return ip in ipaddress.ip_network(block["cidr"]) and not any(
            ip in ipaddress.ip_network(each) for each in block.get("except", [])
        )

    bound = _policies(overlay, sender, "Egress")
    return not bound or any(
        port in {each["port"] for each in rule["ports"]}
        and any("ipBlock" in peer and holds(peer["ipBlock"]) for peer in rule["to"])
        for spec in bound
        for rule in spec.get("egress", [])
    )


def _labels(pod: Manifest) -> dict[str, str]:
    labels: dict[str, str] = pod["metadata"]["labels"]
    return labels


def _probes(container: Manifest) -> list[Manifest]:
    return [container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")]


@pytest.mark.behaviour("deploy.manifests")
def test_every_overlay_is_looked_at() -> None:
    assert set(OVERLAYS) == {path.name for path in (DEPLOY / "kubernetes" / "overlays").iterdir()}
