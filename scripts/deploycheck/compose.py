"""deploy/compose.yaml, once for each env file that chooses its profiles."""
import json
import re
from importlib import resources

import jsonschema

from .common import image_is_pinned

FILE = "deploy/compose.yaml"
CONFIGURATION = "deploy/almanac.yaml"
SECRETS_AT = "/run/secrets"
ROLES = ("collect", "analyze", "store", "serve")
ENV_FILES = ("deploy/.env", "deploy/zookeeper.env", "deploy/cassandra.env", "deploy/spark.env")


def check(report, almanac):
    document = report.document(FILE)
    if not document:
        return report.done("compose.yaml")
    schema = resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text(encoding="utf-8")
    validator = jsonschema.validators.validator_for(json.loads(schema))(json.loads(schema))
    for error in validator.iter_errors(document):
        report.problem(FILE, f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    report.done("compose.yaml: the schema of the compose specification")
    for env_file in ENV_FILES:
        Topology(report, almanac, env_file, document).check()
        report.done(f"compose.yaml with {env_file}: images, commands, files, ports, hosts, limits, users, secrets, configuration")


class Topology:
    """The services that are active with one env file."""

    def __init__(self, report, almanac, env_file, document):
        self.report, self.almanac, self.env_file = report, almanac, env_file
        self.place = f"{FILE} ({env_file})"
        pairs = re.findall(r"^([A-Z_]+)=(.*)$", report.text(env_file), re.M)
        self.variables = dict(pairs)
        self.document = self.interpolated(document)
        profiles = set(filter(None, self.variables.get("COMPOSE_PROFILES", "").split(",")))
        known = {profile for service in self.document["services"].values() for profile in service.get("profiles", [])}
        report.require(profiles <= known, env_file, f"the profiles {sorted(profiles - known)} are in no service")
        self.services = {
            name: service for name, service in self.document["services"].items()
            if not service.get("profiles") or profiles & set(service["profiles"])}

    def interpolated(self, value):
        """Replaces ${NAME:-default}; one without a value is a mistake."""
        if isinstance(value, dict):
            return {key: self.interpolated(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.interpolated(item) for item in value]
        if not isinstance(value, str):
            return value

        def replaced(match):
            name, default = match.group(1), match.group(3)
            text = self.variables.get(name) or default
            self.report.require(text is not None, self.place, f"${{{name}}} has no value and no default")
            return text or ""

        return re.sub(r"(?<!\$)\$\{([A-Z0-9_]+)(:?-([^}]*))?\}", replaced, value)

    def check(self):
        for name, service in self.services.items():
            self.check_service(f"{self.place} {name}", service)
        missing = {"init", *ROLES} - set(self.services)
        self.report.require(not missing, self.place, f"has no service {sorted(missing)}")
        self.configuration = {}  # in effect, by role
        for name in ("init", *ROLES):
            if name in self.services:
                self.check_role(name, self.services[name])
        self.check_ports()
        self.check_hosts()

    # Every service

    def check_service(self, place, service):
        report = self.report
        report.require(image_is_pinned(service.get("image", "")), place, f"{service.get('image')} is not pinned by a version")
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        report.require({"cpus", "memory", "pids"} <= set(limits), place, "has no limits of cpus, memory and pids")
        report.require(service.get("restart"), place, "has no restart policy")
        report.require("no-new-privileges:true" in service.get("security_opt", []), place, "may gain privileges")
        report.require(service.get("cap_drop") == ["ALL"], place, "keeps capabilities")
        report.require(not service.get("privileged"), place, "is privileged")
        health = service.get("healthcheck", {})
        report.require(health.get("test") or health.get("disable"), place, "has no health check")
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                report.require((report.root / "deploy" / source).exists(), place, f"mounts {source}, which is not there")
                report.require(rest.endswith(":ro"), place, f"mounts {source} to write")
            elif not source.startswith("/"):
                report.require(source in self.document["volumes"], place, f"the volume {source} is not declared")
        for secret in service.get("secrets", []):
            report.require(secret in self.document["secrets"], place, f"the secret {secret} is not declared")
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN", name):
                mounted = [f"{SECRETS_AT}/{secret}" for secret in service.get("secrets", [])]
                report.require(value in mounted, place, f"{name} does not name one of its secrets' files")
        for dependency in service.get("depends_on", {}):
            report.require(dependency in self.services, place, f"depends on {dependency}, which is not active")

    def check_ports(self):
        published = {}
        for name, service in self.services.items():
            for port in service.get("ports", []):
                match = re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+)", str(port))
                if not self.report.require(match, f"{self.place} {name}", f"publishes {port} beyond 127.0.0.1"):
                    continue
                other = published.setdefault(match.group(1), name)
                self.report.require(other == name, f"{self.place} {name}", f"publishes {match.group(1)}, as {other} does")

    # Almanac's own

    def check_role(self, name, service):
        report, place = self.report, f"{self.place} {name}"
        report.require(service["image"] == f"almanac:{self.almanac.version}", place, f"{service['image']}: this is {self.almanac.version}")
        report.require(service.get("read_only") is True, place, "can write to its root file system")
        user = str(service.get("user", "")).split(":")[0]
        report.require(user.isdigit() and int(user) > 0, place, f"runs as {user or 'the default user'}")
        report.require(service.get("command", [None])[0] == name, place, f"runs {service.get('command')}")
        self.almanac.check_command(place, service.get("command", []))
        environment = service.get("environment", {})
        self.almanac.check_variables(place, environment)
        data = environment.get("ALMANAC_DATA")
        writable = [str(mount).split(":")[0] for mount in service.get("tmpfs", [])]
        writable += [volume.split(":")[1] for volume in service.get("volumes", []) if not volume.endswith(":ro")]
        report.require(data in writable, place, f"the data directory {data} is on no volume and no tmpfs")
        mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in service.get("volumes", [])}
        source = mounts.get(environment.get("ALMANAC_CONFIG"))
        if not report.require(source, place, "ALMANAC_CONFIG is no file that is mounted"):
            return
        path = f"deploy/{source.removeprefix('./')}"
        effective = self.almanac.check_configuration(
            f"{place}: {path}", report.text(path), environment, SECRETS_AT, service.get("secrets", []))
        if effective is None:
            return
        self.configuration[name] = effective
        listen = re.fullmatch(r"0\.0\.0\.0:(\d+)", effective["listen"])
        port = int(listen.group(1)) if listen else 0
        report.require(port, place, "listens on loopback alone: neither Prometheus nor the host can reach it")
        for published in service.get("ports", []):
            report.require(str(published).endswith(f":{port}"), place, f"publishes {published}, and listens on {port}")
        if name != "init":
            test = service.get("healthcheck", {}).get("test", [])
            if report.require(test[:2] == ["CMD", "almanac"], place, f"the health check runs {test[:2]}"):
                self.almanac.check_probe(place, test[2:], port)
            started = service.get("depends_on", {}).get("init", {}).get("condition")
            report.require(started == "service_completed_successfully", place, "does not wait for init")

    # Names and ports within the network

    def check_hosts(self):
        listening = self.listening()
        named = {f"{FILE} {name}": self.almanac.addresses(effective) for name, effective in self.configuration.items()}
        prometheus = "deploy/prometheus/prometheus.yml"
        for path in (prometheus, "deploy/grafana/provisioning/datasources/prometheus.yaml"):
            text = re.sub(r"#.*", "", self.report.text(path))
            named[path] = [(host, int(port)) for host, port in re.findall(r"(?<![\w.:-])([a-z][a-z0-9-]*):(\d{2,5})\b", text)]
        for name, service in self.services.items():
            named[f"{FILE} {name}"] = named.get(f"{FILE} {name}", []) + self.own_addresses(service, listening)
        for place, addresses in named.items():
            for host, port in addresses:
                if host == "localhost":
                    continue
                if self.report.require(host in listening, place, f"{host}:{port}: no active service of {self.env_file} has this name"):
                    self.report.require(port in listening[host], place, f"{host} listens on {sorted(listening[host])}, not on {port}")
        text = self.report.text(prometheus)
        dns = re.search(r"names: \[([^\]]*)\], type: A, port: (\d+)", text)
        if self.report.require(dns, prometheus, "does not find the roles by DNS"):
            for name in re.split(r",\s*", dns.group(1)):
                known = int(dns.group(2)) in listening.get(name, set())
                self.report.require(known, prometheus, f"{name}:{dns.group(2)} is no service of {self.env_file}")

    def own_addresses(self, service, listening):
        """What a service's environment, health check and mounted properties say of the others by name."""
        environment = {key: value for key, value in (service.get("environment") or {}).items() if key != "ZOO_SERVERS"}
        texts = [*map(str, environment.values()), *map(str, service.get("healthcheck", {}).get("test", []))]
        texts += [text.removeprefix("spark://") for text in map(str, service.get("command") or [])]
        texts += [
            self.report.text(f"deploy/{volume.split(':')[0]}") for volume in service.get("volumes", []) if ".properties:" in volume]
        found = re.findall(r"(?<![\w.-])([a-z][a-z0-9-]*):(\d{2,5})\b", "\n".join(texts))
        return [(host, int(port)) for host, port in found if host in listening]

    def listening(self):
        """Host names and the ports that are listened on, as far as the files tell."""
        ports = {"mysql": {3306}, "adminer": {8080}, "prometheus": {9090}, "node-exporter": {9100}, "grafana": {3000}}
        known = {}
        for name, service in self.services.items():
            found = set(ports.get(name, set()))
            for text in self.kafka_texts(service):
                found.update(int(port) for port in re.findall(r"(?:INSIDE|OUTSIDE|CONTROLLER)://[^:,]*:(\d+)", text))
            servers = (service.get("environment") or {}).get("ZOO_SERVERS", "")
            found.update(int(port) for port in re.findall(rf"{name}:\d+:\d+;(\d+)", servers))
            if name in ROLES:
                found.add(5002)
            if service.get("image", "").startswith("cassandra:"):
                found.add(9042)
            command = " ".join(map(str, service.get("command") or []))
            found.update(int(port) for port in re.findall(r"--(?:webui-)?port (\d+)", command))
            if "SparkConnectServer" in command:
                found.add(15002)
            for alias in [name, *(service.get("networks") or {}).get("default", {}).get("aliases", [])]:
                known[alias] = found
        return known

    def kafka_texts(self, service):
        """Listeners and advertised listeners; each advertised one must be listened on."""
        environment = service.get("environment") or {}
        listeners, advertised = environment.get("KAFKA_LISTENERS"), environment.get("KAFKA_ADVERTISED_LISTENERS")
        for volume in service.get("volumes", []):
            if volume.split(":")[0].endswith(".properties"):
                text = self.report.text(f"deploy/{volume.split(':')[0]}")
                values = dict(re.findall(r"^([a-z.]+)=(.*)$", text, re.M))
                listeners, advertised = values.get("listeners"), values.get("advertised.listeners")
        if not listeners:
            return []
        bound = dict(re.findall(r"(\w+)://[^:,]*:(\d+)", listeners))
        for name, port in re.findall(r"(\w+)://[^:,]*:(\d+)", advertised or ""):
            self.report.require(bound.get(name) == port, self.place, f"Kafka advertises {name} on {port} and listens on {bound.get(name)}")
        return [listeners]
