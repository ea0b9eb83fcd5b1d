"""What stands in deploy/ fits together, and fits the program: names of metrics, options, servers, files,
packages. Run as: deploy_test.py SOURCE SKEIN CHECK. Exit code 77: skipped, with the reason."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

try:
    import yaml
except ImportError:
    print("SKIPPED: python3-yaml is not installed here")
    sys.exit(77)

import template

SOURCE, SKEIN = pathlib.Path(sys.argv[1]), sys.argv[2]
DEPLOY = SOURCE / "deploy"
NAME = re.compile(r"\b(?:skein|llamacpp):?[a-z0-9_:]+")


def promtool(*words, folder=None):
    """Nothing where there is none."""
    program = shutil.which("promtool")
    if not program:
        print("SKIPPED: promtool is not installed here")
        sys.exit(77)
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def metrics():
    """All names that a server has, with those of a histogram's parts."""
    model = SOURCE / "models" / "bundled-0.pth"
    server = subprocess.Popen(
        [SKEIN, "serve", str(model), "--port", "0", "--log", "off", "--json"],
        stdout=subprocess.PIPE, text=True)
    try:
        url = json.loads(server.stdout.readline())["url"]
        text = urllib.request.urlopen(url + "/metrics", timeout=20).read().decode()
    finally:
        server.terminate()
        server.wait(20)
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        parts = ["_bucket", "_sum", "_count"] if kind == "histogram" else [""]
        names.update(name + part for part in parts)
    assert len(names) > 20, names
    return names


def rules():
    file = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    return [rule for group in file["groups"] for rule in group["rules"]]


def dashboard():
    return json.loads((DEPLOY / "grafana" / "skein.json").read_text())


def queries():
    out = [rule["expr"] for rule in rules()]
    for panel in dashboard()["panels"]:
        assert panel["title"] and panel["targets"], panel
        out += [target["expr"] for target in panel["targets"]]
    return out


def check_metrics_that_are_watched_exist():
    known = metrics() | {rule["record"] for rule in rules() if "record" in rule}
    for query in queries():
        names = set(NAME.findall(re.sub(r'"[^"]*"', '""', query)))
        assert names or query.startswith("up{"), query
        assert names <= known, f"{query}: there is no {names - known}"


def check_rules_are_prometheus_and_fire():
    promtool("check", "rules", str(DEPLOY / "prometheus" / "rules.yml"))
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        # What a dashboard asks is no rule, but has the same language.
        asked = [{"record": f"panel:{i}", "expr": query} for i, query in enumerate(queries())]
        (place / "asked.yml").write_text(yaml.safe_dump({"groups": [{"name": "a", "rules": asked}]}))
        promtool("check", "rules", "asked.yml", folder=folder)
        # The key is a file that whoever deploys it makes.
        (place / "key").write_text("key")
        shutil.copy(DEPLOY / "prometheus" / "rules.yml", place)
        shutil.copy(SOURCE / "tests" / "deploy" / "rules_test.yml", place)
        text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
        (place / "prometheus.yml").write_text(
            text.replace("/etc/prometheus/metrics_key", str(place / "key")))
        promtool("check", "config", "prometheus.yml", folder=folder)
        promtool("test", "rules", "rules_test.yml", folder=folder)
    tested = (SOURCE / "tests" / "deploy" / "rules_test.yml").read_text()
    for rule in rules():
        assert rule.get("alert", rule.get("record")) in tested, f"{rule} is not tried"


def variables_of_program():
    text = subprocess.run([SKEIN, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    return {"SKEIN_" + name.upper().replace("-", "_") for name in re.findall(r"--([a-z][a-z-]+)", text)}


def environment_is_understood(environment):
    """All of it is in force, as the program itself says."""
    unknown = {name for name in environment if name.startswith("SKEIN_")} - variables_of_program()
    assert not unknown, unknown
    with tempfile.TemporaryDirectory() as folder:
        ours = {name: str(value) for name, value in environment.items()}
        for name in ours:
            if name.endswith("_FILE"):
                ours[name] = str(pathlib.Path(folder) / name)
                pathlib.Path(ours[name]).write_text("secret\n")
        done = subprocess.run(
            [SKEIN, "serve", "model.gguf", "--print-config"], capture_output=True, text=True,
            cwd=folder, env={**os.environ, **ours}, timeout=20)
        assert done.returncode == 0, done.stderr
        for name, value in ours.items():
            assert name in done.stdout, f"{name} is not in force: {done.stdout}"


def check_compose_names_files_and_options_that_are_there():
    file = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = file["services"]
    made = {"models", "secrets"}  # by whoever deploys it: docs/deploying.md says how
    for name, service in services.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./"):
                assert source.split("/")[1] in made or (DEPLOY / source).exists(), mount
            else:
                assert source in file["volumes"], mount
        for other in service.get("depends_on", []):
            assert other in services, other
        for secret in service.get("secrets", []):
            assert secret in file["secrets"], secret
    for name in ("skein-1", "skein-2"):
        environment = services[name]["environment"]
        environment_is_understood(environment)
        for key, value in environment.items():
            if key.endswith("_FILE"):
                assert pathlib.Path(value).name in services[name]["secrets"], key
        for text in ("haproxy/haproxy.cfg", "nginx/skein.conf", "prometheus/prometheus.yml"):
            assert f"{name}:8080" in (DEPLOY / text).read_text(), f"{text} does not know {name}"
    build = services["skein-1"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
    redis = settings_of((DEPLOY / "redis" / "redis.conf").read_text())
    room = int(environment["SKEIN_STORE_TEXTS"]) + int(environment["SKEIN_STORE_SNAPSHOTS"])
    assert room < 0.9 * int(redis["maxmemory"].removesuffix("gb")) * 1024, "Redis has less room"
    uid = dashboard()["templating"]["list"][0]["query"]
    source = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"][0]
    assert source["type"] == uid
    assert re.fullmatch(r"http://(\w+):9090", source["url"]).group(1) in services


def settings_of(text):
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return dict(line.split(" ", 1) for line in lines if " " in line)


def check_redis_takes_its_configuration():
    program = shutil.which("redis-server")
    if not program:
        print("SKIPPED: redis-server is not installed here")
        sys.exit(77)
    chart = template.Chart(DEPLOY / "helm" / "skein")
    manifest = next(each for each in chart.manifests() if each["kind"] == "ConfigMap")
    plain = (DEPLOY / "redis" / "redis.conf").read_text()
    inside = manifest["data"]["redis.conf"]
    ours, theirs = settings_of(plain), settings_of(inside)
    assert ours.pop("aclfile") and theirs.pop("include")
    assert ours == theirs, "the chart's Redis is another than deploy/redis"
    users = ("user default off\nuser skein on >secret ~skein:* +@read +@write +@transaction "
             "+@connection -@dangerous +info\n")
    for text, old in ((plain, "/etc/redis/users.acl"), (inside, "/run/redis/users.conf")):
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            (place / "users").write_text(users)
            text = text.replace(old, str(place / "users")).replace("dir /data", f"dir {place}")
            text = text.replace("port 6379", "port 0").replace("bind 0.0.0.0", "bind 127.0.0.1")
            (place / "redis.conf").write_text(text + f"unixsocket {place}/s\n")
            server = subprocess.Popen([program, str(place / "redis.conf")], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
            try:
                said = ""
                for line in server.stdout:
                    said += line
                    if "ready to accept" in line.lower() or "unix socket" in line:
                        break
                assert server.poll() is None and "FATAL" not in said, said
            finally:
                server.terminate()
                server.communicate(timeout=20)


def check_chart_makes_manifests_that_fit_together():
    folder = DEPLOY / "helm" / "skein"
    own = template.Chart(folder)
    manifests = own.manifests()
    kinds = sorted(each["kind"] for each in manifests)
    assert kinds == ["ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "Service",
                     "StatefulSet"], kinds
    elsewhere = template.Chart(folder, {
        "redis.enabled": False, "store.address": "redis://me@elsewhere:6379/1",
        "serviceMonitor.enabled": True, "settings": {"SKEIN_PARALLEL": "64"}})
    others = elsewhere.manifests()
    assert sorted(each["kind"] for each in others) == [
        "Deployment", "PodDisruptionBudget", "Service", "ServiceMonitor"]

    # No value is there for nothing.
    leaves = set()

    def walk(place, path):
        for name, value in place.items():
            whole = f"{path}.{name}" if path else name
            leaves.add(whole)
            if isinstance(value, dict):
                walk(value, whole)

    walk(own.values, "")
    used = own.used | elsewhere.used
    for leaf in leaves:
        assert any(leaf == one or leaf.startswith(one + ".") or one.startswith(leaf + ".")
                   for one in used), f"{leaf} is used by no template"

    assert own.chart["apiVersion"] == "v2" and own.chart["version"] and own.chart["name"] == "skein"
    version = re.search(r"project\(\s*\w+\s+VERSION ([0-9.]+)", (SOURCE / "CMakeLists.txt").read_text())
    assert own.chart["appVersion"] == version.group(1), "the chart is of another version"
    assert own.values["image"]["tag"] == version.group(1)
    for each in manifests + others:
        assert each["apiVersion"] and each["metadata"]["name"].startswith("test"), each
    for all_of_it in (manifests, others):
        check_pods(all_of_it)
    environment = environment_of(others)
    assert environment["SKEIN_STORE"] == "redis://me@elsewhere:6379/1"
    assert environment["SKEIN_PARALLEL"] == "64"


def environment_of(manifests):
    deployment = next(each for each in manifests if each["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one["value"] for one in container["env"]}


def check_pods(manifests):
    pods = [each for each in manifests if each["kind"] in ("Deployment", "StatefulSet")]
    for each in pods:
        spec, pod = each["spec"], each["spec"]["template"]
        labels = pod["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        [container] = pod["spec"]["containers"]
        volumes = {one["name"] for one in pod["spec"]["volumes"]}
        volumes |= {one["metadata"]["name"] for one in spec.get("volumeClaimTemplates", [])}
        mounts = {one["name"] for one in container["volumeMounts"]}
        assert mounts == volumes, mounts ^ volumes
        ports = {one["name"] for one in container["ports"]}
        for name, probe in container.items():
            if name.endswith("Probe"):
                assert (probe.get("httpGet") or probe["tcpSocket"])["port"] in ports
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["memory"]
    for each in manifests:
        if each["kind"] != "Service":
            continue
        [behind] = [one for one in pods if each["spec"]["selector"].items()
                    <= one["spec"]["template"]["metadata"]["labels"].items()]
        ports = {one["name"] for one in behind["spec"]["template"]["spec"]["containers"][0]["ports"]}
        assert {one["targetPort"] for one in each["spec"]["ports"]} <= ports
    deployment = next(each for each in pods if each["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    # A service called skein would set SKEIN_PORT for us.
    assert pod["enableServiceLinks"] is False
    drain = 10
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > drain + pause
    environment = environment_of(manifests)
    environment_is_understood(environment)
    mounts = {one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    for name, value in environment.items():
        if name.endswith("_FILE"):
            assert str(pathlib.Path(value).parent) in mounts, name
    services = {each["metadata"]["name"] for each in manifests if each["kind"] == "Service"}
    host = re.fullmatch(r"redis://\w+@([\w-]+):6379/\d+", environment["SKEIN_STORE"]).group(1)
    assert host in services or host == "elsewhere", host


def check_the_image_has_what_the_program_needs():
    text = (DEPLOY / "Containerfile").read_text()
    build, run = text.split("FROM docker.io/library/debian:12-slim")
    assert "./dev install" in build
    installed = set(re.findall(r"\b(?:lib[a-z0-9.+-]+|zlib1g|curl|ca-certificates)\b", run))
    if not shutil.which("dpkg") or not pathlib.Path("/usr/share/doc/libhiredis0.14").exists():
        print("SKIPPED: this is no Debian 12")
        sys.exit(77)
    always = {"libc6", "libstdc++6", "libgcc-s1"}
    needed = set()
    for file in re.findall(r"=> (/\S+)", subprocess.run(
            ["ldd", SKEIN], capture_output=True, text=True, check=True).stdout):
        real = os.path.realpath(file)
        for name in {real, real.removeprefix("/usr"), file}:
            owner = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True).stdout
            if owner:
                needed.add(owner.split(":")[0])
                break
    assert len(needed - always) > 3, needed
    assert needed - always <= installed, f"the image lacks {needed - always - installed}"
    options = re.findall(r"\b(SKEIN_[A-Z_]+)=", run)
    assert set(options) - {"SKEIN_HOME"} <= variables_of_program()
    for path in re.findall(r"^COPY (?!--from)(\S+)", text, re.M):
        assert (SOURCE / path).exists(), path


CHECKS = {name.removeprefix("check_"): check for name, check in list(globals().items())
          if name.startswith("check_") and name != "check_pods"}

if __name__ == "__main__":
    CHECKS[sys.argv[3]]()
