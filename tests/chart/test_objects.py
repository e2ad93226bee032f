"""The objects that the chart makes fit each other, the border and the rules of a cluster."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ibcf.config import load
from tests.chart.support.helm import CASES, CHART, Helm, Object, every, one

HEALTH = {"/health/live", "/health/ready"}
TIMER_C_S = 185


def pod(objects: list[Object]) -> Any:
    """Return the pod template."""
    return one(objects, "StatefulSet")["spec"]["template"]


def container(objects: list[Object]) -> Any:
    """Return the one container."""
    [found] = pod(objects)["spec"]["containers"]
    return found


@pytest.mark.parametrize("values", [None, *CASES], ids=lambda path: path.name if path else "defaults")
def test_lint_finds_nothing(helm: Helm, values: Path | None) -> None:
    """`helm lint --strict` is content with the defaults and with each mode."""
    arguments = ["--values", str(values)] if values else []
    ended = helm.run("lint", "--strict", str(CHART), *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("version", ["1.27.0", "1.35.0"])
def test_renders_for_old_and_new_clusters(helm: Helm, case: Path, version: str) -> None:
    """The same kinds of objects come out for the oldest and the newest version of Kubernetes."""
    kinds = {found["kind"] for found in helm.template("--values", str(case), "--kube-version", version)}
    assert {"StatefulSet", "ConfigMap", "Service", "ServiceAccount", "PodDisruptionBudget"} <= kinds


def test_older_clusters_are_refused(helm: Helm) -> None:
    """A cluster older than the chart supports is told so."""
    ended = helm.run("template", "ibcf", str(CHART), "--kube-version", "1.26.0")
    assert ended.returncode != 0
    assert "1.27" in ended.stderr


def test_selectors_find_the_pods(objects: list[Object]) -> None:
    """StatefulSet, Services and PodDisruptionBudget select the labels that the pods carry."""
    labels = pod(objects)["metadata"]["labels"].items()
    stateful_set = one(objects, "StatefulSet")
    selectors = [stateful_set["spec"]["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in every(objects, "Service")]
    selectors += [one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    for selector in selectors:
        ours = {key: value for key, value in selector.items() if not key.startswith("statefulset.kubernetes.io/")}
        assert ours
        assert ours.items() <= labels


def test_one_pod_for_each_instance(objects: list[Object], case: Path) -> None:
    """There are as many replicas as instances, each with a configuration file of its own."""
    instances = YAML(typ="safe").load(case)["instances"]
    assert one(objects, "StatefulSet")["spec"]["replicas"] == len(instances)
    assert len(one(objects, "ConfigMap", "ibcf-config")["data"]) == len(instances)


def test_each_pod_finds_its_file(objects: list[Object], case: Path) -> None:
    """The file that the container is told to read exists for every node or pod on which it can run."""
    values = YAML(typ="safe").load(case)
    is_host = values.get("network", {}).get("mode", "hostNetwork") == "hostNetwork"
    verb, path = container(objects)["args"]
    assert verb == "run"
    folder, _, name = path.rpartition("/")
    variable = "NODE_NAME" if is_host else "POD_NAME"
    assert name == f"$({variable}).yaml"
    assert variable in {entry["name"] for entry in container(objects)["env"]}
    assert folder in {mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    keys = set(one(objects, "ConfigMap", "ibcf-config")["data"])
    hosts = [one["name"] for one in values["instances"]] if is_host else [f"ibcf-{at}" for at in range(len(keys))]
    assert keys == {f"{host}.yaml" for host in hosts}


def test_mounts_have_volumes_and_volumes_have_sources(objects: list[Object], case: Path) -> None:
    """Every mount names a volume, every volume a ConfigMap or Secret that is there, with the keys that it takes."""
    volumes = {volume["name"]: volume for volume in pod(objects)["spec"]["volumes"]}
    claims = {
        claim["metadata"]["name"] for claim in one(objects, "StatefulSet")["spec"].get("volumeClaimTemplates", [])
    }
    mounts = {mount["name"] for mount in container(objects)["volumeMounts"]}
    assert mounts == set(volumes) | claims
    assert not any("subPath" in mount for mount in container(objects)["volumeMounts"]), "a subPath never changes"
    config_maps = {found["metadata"]["name"]: found["data"] for found in every(objects, "ConfigMap")}
    secrets = {found["metadata"]["name"]: found["data"] for found in every(objects, "Secret")}
    values = YAML(typ="safe").load(case)
    existing = {values.get(section, {}).get("existingSecret") for section in ("keys", "tls")}
    for volume in volumes.values():
        if "configMap" in volume:
            assert config_maps[volume["configMap"]["name"]]
        if "secret" in volume and volume["secret"]["secretName"] not in existing:
            held = secrets[volume["secret"]["secretName"]]
            assert {item["key"] for item in volume["secret"]["items"]} <= set(held)


def test_configuration_is_one_that_the_border_accepts(objects: list[Object], tmp_path: Path) -> None:
    """Each rendered configuration loads without a fault, with its policies and key where the pod has them."""
    for folder in ("config", "policies", "keys", "tls"):
        (tmp_path / folder).mkdir()
    (tmp_path / "keys" / "token.key").write_text("00" * 32)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / "tls" / name).write_text("-----BEGIN anything")
    for name, text in one(objects, "ConfigMap", "ibcf-policies")["data"].items():
        (tmp_path / "policies" / name).write_text(text)
    declared = {
        (entry["containerPort"], entry["protocol"]) for entry in container(objects)["ports"] if entry["name"] != "admin"
    }
    [admin] = [entry["containerPort"] for entry in container(objects)["ports"] if entry["name"] == "admin"]
    for name, text in one(objects, "ConfigMap", "ibcf-config")["data"].items():
        path = tmp_path / "config" / name
        path.write_text(text)
        config = load(path)
        assert {
            (entry.address.port, "UDP" if entry.transport == "udp" else "TCP") for entry in config.listeners
        } == declared
        assert config.admin.address.port == admin
        assert config.admin.address.address.is_unspecified, "the kubelet asks the pod's own address"
        [service] = config.enum
        assert service.zone_file is not None
        assert service.zone_file.exists()


def test_ports_of_services_exist(objects: list[Object]) -> None:
    """Every Service port leads to a named port of the container with the same protocol."""
    ports = {entry["name"]: entry for entry in container(objects)["ports"]}
    for service in every(objects, "Service"):
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]]["protocol"] == port["protocol"]
            assert ports[port["targetPort"]]["containerPort"] == port["port"]


def test_governing_service_exists(objects: list[Object]) -> None:
    """The StatefulSet names a headless Service of the chart that also lists pods that drain."""
    service = one(objects, "Service", one(objects, "StatefulSet")["spec"]["serviceName"])
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_probes_ask_the_admin_port(objects: list[Object]) -> None:
    """All three probes ask a health endpoint that exists; liveness does not look at readiness."""
    found = container(objects)
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert found[name]["httpGet"]["port"] == "admin"
        assert found[name]["httpGet"]["path"] in HEALTH
    assert found["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert found["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_pod_has_no_rights(objects: list[Object]) -> None:
    """Non-root, read-only root, no capability, no service account token, the default seccomp profile."""
    spec = pod(objects)["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    rights = container(objects)["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}


def test_drain_has_time_for_a_ringing_call(objects: list[Object]) -> None:
    """The grace period is longer than Timer C, so that SIGTERM does not cut a call that rings."""
    assert pod(objects)["spec"]["terminationGracePeriodSeconds"] > TIMER_C_S


def test_host_network_and_service_mode_differ_where_they_must(helm: Helm) -> None:
    """On the host's network pods stick to their nodes; in service mode each pod has a balancer."""
    host = helm.template("--values", str(CHART / "ci" / "hostnetwork.values.yaml"))
    spec = pod(host)["spec"]
    assert (spec["hostNetwork"], spec["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    [term] = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["edge-1", "edge-2"]
    assert not [service for service in every(host, "Service") if service["spec"].get("type") == "LoadBalancer"]

    balanced = helm.template("--values", str(CHART / "ci" / "service.values.yaml"))
    assert pod(balanced)["spec"]["hostNetwork"] is False
    balancers = [service for service in every(balanced, "Service") if service["spec"].get("type") == "LoadBalancer"]
    assert [service["spec"]["loadBalancerIP"] for service in balancers] == ["192.0.2.21", "192.0.2.22"]
    pods = [service["spec"]["selector"]["statefulset.kubernetes.io/pod-name"] for service in balancers]
    assert pods == ["ibcf-0", "ibcf-1"]
    assert {service["spec"]["externalTrafficPolicy"] for service in balancers} == {"Local"}


def test_monitoring_finds_the_admin_service(helm: Helm) -> None:
    """The ServiceMonitor selects the admin Service alone and asks a port and path that exist."""
    objects = helm.template("--values", str(CHART / "ci" / "hostnetwork.values.yaml"))
    monitor = one(objects, "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    [service] = [found for found in every(objects, "Service") if wanted <= found["metadata"]["labels"].items()]
    [endpoint] = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["path"] == "/metrics"
    assert monitor["namespaceSelector"]["matchNames"] == ["border"]


def test_changed_policy_restarts_the_pods_unless_told_otherwise(helm: Helm) -> None:
    """A new policy changes the pod template; with restartOnChange=false it does not."""

    def checksum(*arguments: str) -> object:
        return pod(helm.template(*arguments))["metadata"].get("annotations", {}).get("checksum/config")

    assert checksum() != checksum("--set-string", "policies.extra\\.zone=x")
    assert checksum("--set", "restartOnChange=false") is None


@pytest.mark.parametrize(
    "setting",
    [
        "replicas=3",
        "network.mode=hostnetwork",
        "instances=null",
        "instances[0].address=border.example",
        "instances[0].node=worker-1",
        "ports.admin=70000",
        "ports.sip[0].protocol=SCTP",
        "image.repository=",
        "config.version=2",
        "persistence.size=ten",
        "terminationGracePeriodSeconds=5",
        "metrics.serviceMonitor.enabled=maybe",
        "metrics.serviceMonitor.interval=fast",
        "keys.secret=00ff",
    ],
)
def test_schema_refuses_wrong_values(helm: Helm, setting: str) -> None:
    """A value that does not exist or cannot be is refused before anything is rendered."""
    base = ["instances[0].name=node-1", "instances[0].address=192.0.2.11"] if setting.startswith("instances[0]") else []
    base += ["ports.sip[0].name=home", "ports.sip[0].port=5060"] if setting.startswith("ports.sip") else []
    arguments = [part for one in [*base, setting] for part in ("--set", one)]
    ended = helm.run("template", "ibcf", str(CHART), *arguments)
    assert ended.returncode != 0
    assert "values don't meet the specifications of the schema" in ended.stderr, ended.stderr


def test_notes_warn_of_what_is_not_ready_for_service(helm: Helm) -> None:
    """The notes name documentation addresses, UDP behind balancers and records without a volume."""
    values = str(CHART / "ci" / "service.values.yaml")
    ended = helm.run("install", "ibcf", str(CHART), "--dry-run=client", "--values", values)
    assert ended.returncode == 0, ended.stderr
    for word in ("documentation address", "UDP behind a load balancer", "persistence is off"):
        assert word in ended.stdout
