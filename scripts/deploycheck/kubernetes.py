"""deploy/kubernetes: schemas, and that selectors, volumes, ports and probes meet."""
import re
import shutil

import kubernetes_validate

from .common import image_is_pinned, run

FOLDER = "deploy/kubernetes"
# The oldest version whose schema must accept the manifests, and the newest that is known here.
VERSIONS = ["1.31", kubernetes_validate.latest_version()]
KINDS = {"Deployment", "Job"}


def check(report, almanac):
    kustomization = report.document(f"{FOLDER}/kustomization.yaml")
    if not kustomization:
        return report.done("Kubernetes")
    listed = kustomization["resources"]
    others = {"kustomization.yaml", "almanac.yaml", "prometheus-adapter-values.yaml", "secret.example.yaml"}
    present = {path.name for path in (report.root / FOLDER).glob("*.yaml")}
    for name in sorted(present - others - set(listed)):
        report.problem(FOLDER, f"{name} is not in kustomization.yaml")
    objects = []
    for name in [*listed, "secret.example.yaml"]:
        for document in report.documents(f"{FOLDER}/{name}"):
            validate(report, f"{FOLDER}/{name}", document)
            objects.append((f"{FOLDER}/{name} {document['kind']} {document['metadata']['name']}", document))
    if shutil.which("kubectl"):
        code, output = run(["kubectl", "kustomize", report.root / FOLDER])
        report.require(code == 0, FOLDER, f"kubectl kustomize: {output[:300]}")
    report.done(f"Kubernetes: schemas of {' and '.join(VERSIONS)}, kustomization")

    cluster = Cluster(report, almanac, kustomization, objects)
    for place, document in objects:
        cluster.check(place, document)
    cluster.check_configuration()
    report.done("Kubernetes: images, commands, probes, selectors, volumes, users, limits, network, autoscaling, configuration")


def validate(report, place, document):
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            report.problem(place, f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message[:200]}")
        except kubernetes_validate.SchemaNotFoundError as error:
            report.problem(place, f"Kubernetes {version}: {error}")


class Cluster:
    def __init__(self, report, almanac, kustomization, objects):
        self.report, self.almanac, self.objects = report, almanac, objects
        self.kustomization = kustomization
        self.names = {(document["kind"], document["metadata"]["name"]) for _, document in objects}
        self.names |= {("ConfigMap", generator["name"]) for generator in kustomization.get("configMapGenerator", [])}
        self.pods = [(place, document) for place, document in objects if document["kind"] in KINDS]
        self.environment = {}

    def check(self, place, document):
        report, kind, spec = self.report, document["kind"], document.get("spec", {})
        if kind != "Namespace":
            report.require(document["metadata"].get("namespace") == "almanac", place, "is not in the namespace almanac")
        if kind in KINDS:
            self.check_pod(place, document, spec["template"])
        if kind == "Deployment":
            self.check_deployment(place, spec)
        if kind == "Service":
            for port in spec["ports"]:
                for pod_place, pod in self.selected(spec["selector"], "Deployment"):
                    names = {port["name"] for port in pod["spec"]["template"]["spec"]["containers"][0].get("ports", [])}
                    report.require(port["targetPort"] in names, place, f"{pod_place} has no port {port['targetPort']}")
        if kind == "Service" or kind == "PodDisruptionBudget":
            selector = spec["selector"].get("matchLabels", spec["selector"])
            report.require(self.selected(selector, "Deployment"), place, "selects no Deployment")
        if kind == "PodDisruptionBudget":
            self.check_replicas(place, spec["selector"]["matchLabels"])
        if kind == "HorizontalPodAutoscaler":
            self.check_autoscaler(place, spec)
        if kind == "NetworkPolicy":
            labels = spec["podSelector"].get("matchLabels", {})
            report.require(self.selected(labels, *KINDS), place, "selects no pod")

    def selected(self, labels, *kinds):
        def matches(document):
            have = document["spec"]["template"]["metadata"]["labels"]
            return all(have.get(key) == value for key, value in labels.items())

        return [(place, document) for place, document in self.pods if document["kind"] in kinds and matches(document)]

    def autoscaled(self, name):
        for _, document in self.objects:
            if document["kind"] == "HorizontalPodAutoscaler" and document["spec"]["scaleTargetRef"]["name"] == name:
                return document["spec"]
        return None

    def check_replicas(self, place, labels):
        """A budget must leave one pod to evict and one that stays."""
        for pod_place, pod in self.selected(labels, "Deployment"):
            scaler = self.autoscaled(pod["metadata"]["name"])
            replicas = scaler["minReplicas"] if scaler else pod["spec"].get("replicas", 1)
            self.report.require(replicas >= 2, place, f"{pod_place} has {replicas} replica")

    def check_autoscaler(self, place, spec):
        target = spec["scaleTargetRef"]
        self.report.require((target["kind"], target["name"]) in self.names, place, f"scales {target['name']}, which is not there")
        text = self.report.text(f"{FOLDER}/prometheus-adapter-values.yaml")
        made = re.findall(r"as: ([a-z_]+)", text)
        for source in re.findall(r"seriesQuery: '([a-z_]+)", text):
            self.report.require(self.almanac.metric_labels(source) is not False, place, f"almanac has no metric {source}")
        for metric in spec["metrics"]:
            name = metric["external"]["metric"]["name"]
            self.report.require(name in made, place, f"the adapter's values make no metric {name}")
            group = metric["external"]["metric"]["selector"]["matchLabels"]["group"]
            groups = set(re.findall(r'"(almanac-[a-z]+)"', self.report.text("Sources/almanac/Run/RoleOptions.swift")))
            self.report.require(group in groups, place, f"{group} is none of the groups {sorted(groups)}")
        partitions = re.search(r"partitions: (\d+)", self.report.text(f"{FOLDER}/almanac.yaml"))
        if partitions:
            self.report.require(spec["maxReplicas"] <= int(partitions.group(1)), place, "scales beyond the number of partitions")

    def check_deployment(self, place, spec):
        labels = spec["template"]["metadata"]["labels"]
        wanted = spec["selector"]["matchLabels"]
        self.report.require(all(labels.get(key) == value for key, value in wanted.items()), place, "does not select its own pods")

    def check_pod(self, place, document, template):
        report, pod = self.report, template["spec"]
        security = pod.get("securityContext", {})
        report.require(security.get("runAsNonRoot") and security.get("runAsUser", 0) > 0, place, "may run as root")
        report.require(security.get("seccompProfile", {}).get("type") == "RuntimeDefault", place, "has no seccomp profile")
        report.require(pod.get("automountServiceAccountToken") is False, place, "mounts a service account's token")
        report.require(("ServiceAccount", pod.get("serviceAccountName")) in self.names, place, "its service account is not there")
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for volume in volumes.values():
            for kind, name in (("ConfigMap", volume.get("configMap", {}).get("name")), ("Secret", volume.get("secret", {}).get("secretName"))):
                report.require(name is None or (kind, name) in self.names, place, f"mounts the {kind} {name}, which is not there")
        for container in pod["containers"]:
            self.check_container(place, document, container, volumes)

    def check_container(self, place, document, container, volumes):
        report = self.report
        image = container["image"]
        tags = {entry["name"]: entry["newTag"] for entry in self.kustomization.get("images", [])}
        report.require(image_is_pinned(image), place, f"{image} is not pinned by a version")
        report.require(image == f"almanac:{self.almanac.version}", place, f"{image}: this is {self.almanac.version}")
        report.require(tags.get("almanac") == self.almanac.version, place, f"kustomization.yaml gives the tag {tags.get('almanac')}")
        report.require("command" not in container, place, "replaces the entry point")
        report.require(container["args"][0] == document["metadata"]["name"], place, f"runs {container['args']}")
        self.almanac.check_command(place, container["args"])
        security = container.get("securityContext", {})
        report.require(security.get("readOnlyRootFilesystem") is True, place, "can write to its root file system")
        report.require(security.get("allowPrivilegeEscalation") is False, place, "may gain privileges")
        report.require(security.get("capabilities", {}).get("drop") == ["ALL"], place, "keeps capabilities")
        resources = container.get("resources", {})
        report.require({"cpu", "memory"} <= set(resources.get("limits", {})) & set(resources.get("requests", {})), place, "has no limits")
        environment = {entry["name"]: entry.get("value", "a-name") for entry in container.get("env", [])}
        self.almanac.check_variables(place, environment)
        self.environment = environment
        mounts = {mount["mountPath"]: mount for mount in container.get("volumeMounts", [])}
        for mount in mounts.values():
            report.require(mount["name"] in volumes, place, f"mounts {mount['name']}, which is no volume of the pod")
        unused = set(volumes) - {mount["name"] for mount in mounts.values()}
        report.require(not unused, place, f"does not mount {sorted(unused)}")
        data = mounts.get(environment.get("ALMANAC_DATA"))
        report.require(data and not data.get("readOnly"), place, "cannot write to its data directory")
        if document["kind"] == "Deployment":
            self.check_probes(place, container)

    def check_probes(self, place, container):
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        for kind, path in (("startupProbe", "/-/healthy"), ("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
            get = container.get(kind, {}).get("httpGet", {})
            self.report.require(get.get("path") == path, place, f"{kind} asks {get.get('path')}, not {path}")
            self.almanac.check_path(place, path)
            self.report.require(ports.get(get.get("port")) == 5002, place, f"{kind} asks the port {get.get('port')}")

    def check_configuration(self):
        generator = self.kustomization["configMapGenerator"][0]
        name = generator["files"][0]
        place = f"{FOLDER}/{name}"
        self.report.require(self.environment.get("ALMANAC_CONFIG", "").endswith(f"/{name}"), place, "is not what ALMANAC_CONFIG names")
        secret = next(document for _, document in self.objects if document["kind"] == "Secret")
        effective = self.almanac.check_configuration(
            place, self.report.text(place), self.environment, "/run/secrets/almanac", secret["stringData"])
        if effective is None:
            return
        self.report.require(effective["listen"] == "0.0.0.0:5002", place, "does not listen on port 5002 of the pod")
        allowed = set()
        for _, document in self.objects:
            if document["kind"] == "NetworkPolicy":
                for rule in document["spec"].get("egress", []):
                    allowed |= {port["port"] for port in rule.get("ports", [])}
        # Collectors may reach any port; the others reach what they stand on.
        for host, port in self.almanac.addresses({**effective, "collect": {}}):
            self.report.require(port in allowed, place, f"no NetworkPolicy lets pods reach {host}:{port}")
