#!/usr/bin/env python3
"""Holds the examples against the schemas of the systems that read them.

Kubernetes' own OpenAPI rules (strict: an unknown field is a mistake) for what Kubernetes itself
reads, also for the pods inside a Rollout of Argo; the published schemas of workflows of GitHub and
jobs of GitLab. Objects of other groups (Argo, Flagger, Kargo, Tekton, the Prometheus Operator) are
not known there: their own code reads Argo's and Flagger's in `make prove-callers`, and the
integration tests hold the others against rules of their own.

The two checkers come from PyPI into an environment of their own under the target folder, and
nothing else is downloaded: they carry their schemas.

    scripts/check-examples.py
"""

import subprocess
import sys
import venv

import proving

REQUIREMENTS = ["check-jsonschema==0.39.0", "kubernetes-validate==1.37.0", "PyYAML==6.0.4"]
EXAMPLES = proving.ROOT / "examples"
CI = {"github-actions.yaml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}

# Run in that environment: what is found is printed, one line each, and is exit code 1.
KUBERNETES = """
import sys, pathlib, yaml
import kubernetes_validate as checker

OF_KUBERNETES = ("v1", "apps/v1")

def objects(path):
    for one in yaml.safe_load_all(path.read_text()):
        yield one
        if one.get("kind") == "Rollout":
            pods = {name: one["spec"][name] for name in ("replicas", "selector", "template")}
            yield {**one, "apiVersion": "apps/v1", "kind": "Deployment", "spec": pods}

checked, wrong = 0, []
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    for one in objects(path):
        if one.get("apiVersion") in OF_KUBERNETES:
            checked += 1
            try:
                checker.validate(one, checker.latest_version(), strict=True)
            except Exception as error:
                wrong.append(f"{path}: {one['kind']}: {getattr(error, 'message', error)}")
print(f"{checked} objects of Kubernetes")
print(*wrong, sep="\\n", end="")
sys.exit(bool(wrong) or checked < 6)
"""


def main():
    folder = environment(proving.built("examples"))
    commands = [[folder / "bin" / "python", "-c", KUBERNETES, EXAMPLES]]
    for name, schema in CI.items():
        checker = folder / "bin" / "check-jsonschema"
        commands.append([checker, "--builtin-schema", schema, EXAMPLES / "ci" / name])
    failed = [command for command in commands if subprocess.run(command).returncode]
    sys.exit(1 if failed else 0)


def environment(folder):
    """The Python environment, made again when the requirements change."""
    wanted = "\n".join(REQUIREMENTS)
    stamp = folder / "requirements.txt"
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--only-binary", ":all:", *REQUIREMENTS], check=True)
        stamp.write_text(wanted)
    return folder


if __name__ == "__main__":
    main()
